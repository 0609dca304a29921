"""Eight machines on one ledger, where the network, the server, fal and the machines all fail.

Each machine is a process with a name, a clock, a data folder and a mount of its own. It runs
`vidu batch` with the same manifest until that ends with success, as a farm manager would.
VIDU_TEST_SHOTS is the number of shots.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger
from PIL import Image
from postgres_proxy import Fault, faulty_postgres

from vidu.media.video import check
from vidu.models import State

from ...support.shots import job_problems
from .test_soak import PASSING_FAULTS

pytestmark = pytest.mark.timeout(3600)

ROOT = Path(__file__).resolve().parents[3]
SHOTS = int(os.environ.get("VIDU_TEST_SHOTS", "24"))
MACHINES = 8
WITH_OWN_DISK = 2  # the others mount the studio's
PRICE = Decimal("0.20")
HOURS_OFF = (0, -9, 5, 0.5, -0.1, 48, -26, 1)
FIRST_MOUNT = 200
SEED = 7
ONE_STATEMENT_IN = 60
KILLS = 8  # each when another eighth of the shots is at fal
FAL_FAULT_EVERY_S = 0.5
RESTARTS_AT = (0.3, 0.6)  # of the shots
MOST_RUNS = 40
LIFE_S = {"QUEUE_LIMIT": "15", "GENERATION_LIMIT": "15", "MAX_GENERATION": "15"}
"""How long a request can live: what was killed while it asked is looked for that long."""

FAULTS = [
    *(Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.DELAY, Fault.HALF_CLOSE_CLIENT) * 4,
    Fault.HALF_CLOSE_SERVER,
]


@dataclass
class Machine:
    """One machine, which starts the batch again whenever it was killed or did not succeed."""

    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    exit_codes: list[int] = field(default_factory=list)
    said: str = ""
    is_stopped: bool = False

    def stop(self) -> None:
        self.is_stopped = True
        if self.process:
            self.process.kill()

    def run(self) -> None:
        while not self.is_stopped and len(self.exit_codes) < MOST_RUNS and 0 not in self.exit_codes:
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            _, self.said = self.process.communicate()
            self.exit_codes.append(self.process.returncode)

    def is_at_work(self) -> bool:
        return self.process is not None and self.process.poll() is None


@pytest.fixture
def manifest(tmp_path) -> Path:
    """A manifest of shots over a few pictures, on a disk that every machine has."""
    folder = tmp_path / "film"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (64, 48), (50 * number, 90, 120)).save(folder / f"{number}.png")
    path = folder / "shots.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "prompt", "seed", "out"])
        for number in range(SHOTS):
            rows.writerow([f"{number % 5}.png", f"Shot {number}", number + 1, f"s{number:03}"])
    return path


@pytest.fixture
def disks(tmp_path) -> list[Path]:
    """What each machine mounts: most of them one disk of the studio's, the last ones their own."""
    shared = [tmp_path / "studio"] * (MACHINES - WITH_OWN_DISK)
    own = [tmp_path / f"disk{number}" for number in range(WITH_OWN_DISK)]
    for disk in {*shared, *own}:
        disk.mkdir()
    return shared + own


def test_eight_machines_where_everything_fails_pay_once_for_each_shot(
    open_fal, shared_ledger, manifest, disks, tmp_path, tally
):
    fal = open_fal(generation_seconds=0.3, concurrency=50, clip_frames=4)
    chance = random.Random(SEED)
    with ExitStack() as running:
        proxies = [
            running.enter_context(faulty_postgres(shared_ledger.url, now_and_then(number)))
            for number in range(MACHINES)
        ]
        machines = [
            Machine(
                [
                    *(sys.executable, str(ROOT / "tests" / "support" / "machine.py")),
                    *(f"machine{number}", str(3600 * hours), str(disk), str(FIRST_MOUNT + number)),
                    *("batch", str(manifest), "--out", "{mount}/clips", "--concurrency", "4"),
                ],
                {
                    "PYTHONPATH": str(ROOT),
                    "VIDU_HOME": str(tmp_path / f"home{number}"),
                    "VIDU_LEDGER": proxy.url,
                    "VIDU_DAILY_BUDGET_USD": str(PRICE * SHOTS),
                }
                | {f"VIDU_{limit}_S": value for limit, value in LIFE_S.items()},
            )
            for number, (hours, disk, proxy) in enumerate(
                zip(HOURS_OFF, disks, proxies, strict=True)
            )
        ]
        most_spent = [0]
        ended = threading.Event()
        at_work = [threading.Thread(target=machine.run) for machine in machines]
        trouble = [
            threading.Thread(target=watch_budget, args=(shared_ledger, most_spent, ended)),
            threading.Thread(target=fail_at_fal, args=(fal, chance, ended)),
            threading.Thread(target=restart_server, args=(shared_ledger, fal, ended)),
        ]
        for machine in machines:
            running.callback(machine.stop)
        running.callback(ended.set)
        for thread in [*at_work, *trouble]:
            thread.start()
        killed = kill_now_and_then(machines, fal, chance, at_work)
        ended.set()
        for thread in trouble:
            thread.join()
        statements = sum(proxy.statements for proxy in proxies)
        cut = sum(proxy.faults for proxy in proxies)

    for machine in machines:
        assert machine.exit_codes[-1] == 0, machine.said[-3000:]
    told = fal.ledger()
    jobs: dict[str, list[dict]] = {}
    for job in told["jobs"]:
        jobs.setdefault(job["input"]["prompt"], []).append(job)
    print(
        f"{SHOTS} shots, {len(told['jobs'])} jobs, {killed} kills, {cut} faults in {statements} "
        f"statements, exit codes {Counter(c for m in machines for c in m.exit_codes)}"
    )
    assert {prompt: len(its) for prompt, its in jobs.items()} == {
        f"Shot {number}": 1 for number in range(SHOTS)
    }
    assert [finding for its in jobs.values() for finding in job_problems(its)] == []
    for disk in set(disks):
        for number in range(SHOTS):
            assert check(disk / "clips" / f"s{number:03}_00001.mp4").frame_count == 4
    with BlockingLedger.open(tmp_path / "home0") as ledger:
        rows = ledger.entries()
        assert ledger.spent_today() == PRICE * SHOTS
    saved = {row.request_id for row in rows if row.state is State.SAVED}
    assert saved == {job["request_id"] for job in told["jobs"]}
    assert {row.billed for row in rows if row.state is not State.SAVED} <= {False}
    assert most_spent[0] <= PRICE * SHOTS * 1_000_000
    assert killed >= 3
    assert cut > statements / ONE_STATEMENT_IN / 3
    tally({"shots": SHOTS, "jobs": len(told["jobs"]), "clips": SHOTS, "killed": killed})


def now_and_then(number: int):
    """Return what a machine's way to the server does, decided by lot."""
    chance = random.Random(f"{SEED} {number}")

    def choose(_: int) -> Fault | None:
        return chance.choice(FAULTS) if chance.randrange(ONE_STATEMENT_IN) == 0 else None

    return choose


def kill_now_and_then(machines: list[Machine], fal, chance: random.Random, threads: list) -> int:
    """Kill a machine after each stretch of the work, until all are done; return how many."""
    killed = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        if killed < KILLS and len(fal.ledger()["jobs"]) > killed * SHOTS / KILLS:
            time.sleep(chance.uniform(0, 1.0))
            at_work = [machine for machine in machines if machine.is_at_work()]
            if at_work:
                chance.choice(at_work).process.kill()
                killed += 1
    return killed


def fail_at_fal(fal, chance: random.Random, ended: threading.Event) -> None:
    while not ended.wait(FAL_FAULT_EVERY_S):
        fal.set_faults(f"{chance.choice(PASSING_FAULTS)}:1")
    fal.set_faults("")


def restart_server(server, fal, ended: threading.Event) -> None:
    for share in RESTARTS_AT:
        while len(fal.ledger()["jobs"]) < share * SHOTS:
            if ended.wait(0.2):
                return
        server.restart("immediate")


def watch_budget(server, most_spent: list[int], ended: threading.Event) -> None:
    """Keep the highest sum of what was reserved and is not known to be free."""
    import psycopg

    query = (
        "SELECT coalesce(sum(price_micro_usd), 0)::bigint FROM vidu.entries "
        "WHERE state <> 'failed' OR billed IS NULL OR billed <> 0"
    )
    while not ended.wait(0.05):
        try:
            (found,) = server.run_sql(query)
            most_spent[0] = max(most_spent[0], found[0])
        except psycopg.Error:
            continue
