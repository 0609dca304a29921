"""The routes over a fake ComfyUI: who may ask, and that the host never waits for them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

READS = ("state", "jobs", "texts", "outcome", "clips", "clips/1/workflow", "clips/1/rerun")
VIDU = {
    "class_type": "FalViduImageToVideo",
    "inputs": {"image": ["1", 0], "model": "Vidu", "mode": "live", "prompt": "A wave.", "seed": 1},
}
LOAD = {"class_type": "LoadImage", "inputs": {"image": "lighthouse.png"}}


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("VIDU_HOME", str(tmp_path))
    return tmp_path / "__fal_vidu"


@pytest.fixture
async def client(data_dir, server) -> TestClient:
    """Asks the routes as the editor does."""
    app = web.Application()
    app.add_routes(server.routes)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_routes_run_no_sql_in_the_event_loop(client, monkeypatch):
    """A statement behind another process's lock would hold up the whole host."""
    loop_thread = threading.get_ident()
    threads = []
    connect = sqlite3.connect

    def recorded(*args, **kwargs):
        threads.append(threading.get_ident())
        return connect(*args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", recorded)
    for path in READS:
        await client.get(f"/vidu/{path}")
    await client.post("/vidu/prices", json={"prompt": {"1": LOAD, "2": VIDU}})
    assert threads
    assert loop_thread not in threads


async def test_incomplete_ledger_is_told_until_the_loss_is_accepted(client, data_dir):
    assert (await (await client.get("/vidu/state")).json())["ledger_is_incomplete"] is False
    answer = await client.post("/vidu/accept-loss", json={})
    assert (await answer.json())["ledger_is_incomplete"] is False


async def test_prices_route_of_a_graph_returns_each_node(client, lighthouse):
    shots = {"class_type": "FalViduShots", "inputs": {"shots": "A.\nB.\nC.\nD.", "base_seed": 1}}
    listed = {**VIDU, "inputs": {**VIDU["inputs"], "prompt": ["3", 1]}}
    draft = {**VIDU, "inputs": {**VIDU["inputs"], "mode": "draft"}}
    prompt = {"1": LOAD, "2": VIDU, "3": shots, "4": listed, "5:6": draft}
    answer = await client.post("/vidu/prices", json={"prompt": prompt})
    assert await answer.json() == {
        "prices": {
            "2": paid(1, 0.2),
            "4": paid(4, 0.2),
            "5:6": {"kind": "draft"},
        }
    }


async def test_prices_route_of_what_may_cost_less_returns_ceilings(client):
    inputs = {"video": ["1", 0], "model": "Q2 Pro", "model.duration": 4, "mode": "live", "seed": 1}
    extend = {"class_type": "FalViduExtendVideo", "inputs": inputs}
    several = {"class_type": "SomethingElse", "inputs": {}}
    listed = {**extend, "inputs": {**inputs, "prompt": ["3", 0]}}
    prompt = {"1": {"class_type": "FalViduSavedClip", "inputs": {}}, "2": extend}
    prompt |= {"3": several, "4": listed}
    answer = await client.post("/vidu/prices", json={"prompt": prompt})
    assert (await answer.json())["prices"] == {
        "2": paid(1, 4.425, least=0),
        "4": paid(None, 4.425, least=0),
    }


async def test_price_of_a_computed_image_is_a_ceiling(client):
    """It may be the image that a saved clip was made of; only a run can tell."""
    computed = {"class_type": "SomethingElse", "inputs": {"image": ["1", 0]}}
    node = {**VIDU, "inputs": {**VIDU["inputs"], "image": ["3", 0]}}
    answer = await client.post(
        "/vidu/prices", json={"prompt": {"1": LOAD, "3": computed, "2": node}}
    )
    assert (await answer.json())["prices"]["2"] == paid(None, 0.2, least=0)


@pytest.fixture
def lighthouse(data_dir) -> Path:
    """The picture of LOAD, in the host's input folder."""
    folder = data_dir.parent / "input"
    folder.mkdir(exist_ok=True)
    path = folder / "lighthouse.png"
    Image.new("RGB", (96, 64), (200, 40, 40)).save(path)
    return path


async def test_prices_know_saved_shots_that_this_server_never_ran(
    client, data_dir, lighthouse, pack
):
    """As after a restart: the content of picture, prompt and settings decides."""
    shots = {"class_type": "FalViduShots", "inputs": {"shots": "A.\nB.\nC.", "base_seed": 1}}
    shots["inputs"] |= {"duration": 4, "image": ["1", 0]}
    listed = {"image": ["3", 0], "prompt": ["3", 1], "seed": ["3", 2]}
    node = {**VIDU, "inputs": {**VIDU["inputs"], **listed}}
    prompt = {"1": LOAD, "3": shots, "2": node}

    graph = pack.nodes.graph.Graph.parse(prompt)
    pictures = pack.nodes.known_shots.NamedPictures()
    asked = list(pack.nodes.known_shots.KnownShots(graph, pictures).quotes("2"))
    assert len(asked) == 3
    await save_shots(pack, data_dir, asked[:1], "saved")
    await save_shots(pack, data_dir, asked[1:2], "cancelled")
    answer = await client.post("/vidu/prices", json={"prompt": prompt})
    assert (await answer.json())["prices"]["2"] == {
        "kind": "paid",
        "count": 2,
        "each": {"least": 0.0, "most": 0.2},
        "total": {"least": 0.2, "most": 0.4},
    }
    await save_shots(pack, data_dir, asked[2:], "finished")
    with sqlite3.connect(data_dir / "ledger.sqlite") as db:
        db.execute("UPDATE entries SET state = 'saved'")
    answer = await client.post("/vidu/prices", json={"prompt": prompt})
    assert (await answer.json())["prices"]["2"] == {"kind": "saved"}


async def test_price_of_a_file_that_is_no_picture_is_that_of_a_new_shot(client, lighthouse):
    lighthouse.write_bytes(b"no picture")
    answer = await client.post("/vidu/prices", json={"prompt": {"1": LOAD, "2": VIDU}})
    assert (await answer.json())["prices"]["2"] == paid(1, 0.2)


async def save_shots(pack, data_dir, fingerprints, state) -> None:
    async with pack.vidu.ledger.open_ledger(data_dir):
        pass  # its tables are there
    row = """INSERT INTO entries (fingerprint, endpoint, state, prompt, search_text, seed, options,
        price_micro_usd, revision, reserved_at) VALUES (?, 'fal-ai/vidu/image-to-video', ?,
        'A wave.', 'a wave.', 1, '{}', 200000, 1, 1.7e9)"""
    with sqlite3.connect(data_dir / "ledger.sqlite") as db:
        db.executemany(row, [(fingerprint, state) for fingerprint in fingerprints])


def paid(count, usd, least=None):
    """The price of this many shots of `usd` each, as the page is told it."""
    each = {"least": usd if least is None else least, "most": usd}
    total = {name: None if count is None else count * price for name, price in each.items()}
    total["least"] = (count or 1) * each["least"]
    return {"kind": "paid", "count": count, "each": each, "total": total}


@pytest.mark.parametrize(
    ("inputs", "clips", "least", "most"),
    [
        ({}, 1, 0.2, 0.2),
        ({"image": ["3", 0]}, None, 0.2, None),  # a batch of any size
        ({"model": "Q3 Turbo", "model.duration": ["4", 4]}, 1, 0.077, 1.232),
    ],
)
async def test_rerun_tells_a_sum_that_is_the_least_from_one_that_is_certain(
    inputs, clips, least, most, pack, server, data_dir
):
    several = {"class_type": "SomethingElse", "inputs": {}}
    saved = {"class_type": "FalViduSavedClip", "inputs": {}}
    node = {**VIDU, "inputs": {**VIDU["inputs"], **inputs}}
    prompt = {"1": LOAD, "2": node, "3": several, "4": saved}
    entry = SimpleNamespace(prompt="A wave.", seed=1)
    prices = pack.nodes.routes.prices.Prices(data_dir, pack.nodes.routes.http.Threads(1, "test"))
    assert await prices.of_rerun(entry, prompt) == {
        "node_id": "2",
        "seed_input": "seed",
        "clips": clips,
        "total": {"least": least, "most": most},
    }


@pytest.mark.parametrize(
    ("endpoint", "options", "state", "is_upper_bound"),
    [
        ("VIDU_IMAGE_TO_VIDEO", {}, "SAVED", False),
        ("Q2_VIDEO_EXTENSION_PRO", {"duration": 4, "resolution": "720p"}, "SAVED", True),
        ("Q2_VIDEO_EXTENSION_PRO", {}, "RESERVED", False),  # free
        ("an endpoint of a newer version", {}, "SAVED", False),
    ],
)
def test_entries_route_cost_that_may_be_less_is_a_ceiling(
    endpoint, options, state, is_upper_bound, pack
):
    endpoints = vars(pack.vidu.endpoints)
    entry = SimpleNamespace(
        endpoint=endpoints[endpoint].id if endpoint in endpoints else endpoint,
        options=options,
        state=pack.vidu.models.State[state],
        price_usd=Decimal("0.5"),
        billed=None,
    )
    cost = pack.nodes.routes.entries.cost_to_json(entry)
    assert cost["is_upper_bound"] is is_upper_bound


async def test_find_refusal_of_a_run_names_the_key_that_is_missing(pack, data_dir, monkeypatch):
    threads = pack.nodes.routes.http.Threads(1, "test")
    find_refusal = pack.nodes.routes.account.find_refusal
    for name in ("FAL_KEY", "FAL_KEY_ID", "FAL_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert "There is no fal key" in await find_refusal(data_dir, threads, Decimal("0.2"))
    monkeypatch.setenv("FAL_KEY", "an-id:a-secret")
    assert await find_refusal(data_dir, threads, Decimal("0.2")) is None
    monkeypatch.setenv("VIDU_DAILY_BUDGET_USD", "0.1")
    assert "of today's $0.10" in await find_refusal(data_dir, threads, Decimal("0.2"))
    monkeypatch.setenv("VIDU_DAILY_BUDGET_USD", "much")
    assert "VIDU_DAILY_BUDGET_USD" in await find_refusal(data_dir, threads, Decimal("0.2"))


@pytest.mark.parametrize("prompt", [None, [], "x", 7])
async def test_prices_route_of_another_body_is_refused(client, prompt):
    assert (await client.post("/vidu/prices", json={"prompt": prompt})).status == 400


async def test_texts_are_the_english_ones(client):
    texts = await (await client.get("/vidu/texts")).json()
    assert texts["today"] == "Today"


async def test_jobs_do_not_tell_the_client_ids_of_the_editors(client, pack, server, running):
    shot = SimpleNamespace(fingerprint="a", prompt="A wave.", seed=1)
    display = pack.nodes.host.progress.NodeProgress([shot])
    phase = pack.vidu.progress.Phase.DECODING
    display.callback_for(0)(pack.vidu.progress.Progress(phase, "Decoding", 0.5))
    work = asyncio.get_running_loop().create_future()
    with running():
        pack.nodes.host.editor.track_job(display, work)
    answer = await (await client.get("/vidu/jobs")).text()
    work.set_result(None)
    assert "A wave." in answer
    assert server.client_id not in answer


async def test_outcome_of_an_unknown_prompt_is_empty(client):
    answer = await client.get("/vidu/outcome", params={"prompt_id": "nobody"})
    assert await answer.json() == {"nodes": {}}


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("127.0.0.1:8188", True),
        ("[::1]:8188", True),
        ("renderbox", True),
        ("studio.local", True),
        ("comfy.example.org", True),
        ("COMFY.example.org:443", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
    ],
)
def test_is_known_host_takes_names_of_this_machine(pack, host, is_known):
    environ = {"VIDU_ALLOWED_HOSTS": "other.example, comfy.example.org"}
    assert pack.nodes.routes.same_site.is_known_host(host, environ) is is_known


def test_polls_are_left_out_of_the_log(pack, caplog):
    import logging

    pack.nodes.host.poll_log.silence_polls()
    pack.nodes.host.poll_log.silence_polls()
    logger = logging.getLogger("httpx")
    line = 'HTTP Request: %s %s "%s %d %s"'
    base = "https://queue.fal.run/fal-ai/vidu/requests/some-id"
    with caplog.at_level(logging.INFO, "httpx"):
        logger.info(line, "GET", f"{base}/status?logs=false", "HTTP/1.1", 202, "Accepted")
        logger.info(line, "GET", base, "HTTP/1.1", 200, "OK")
        logger.info(line, "POST", "https://queue.fal.run/fal-ai/vidu", "HTTP/1.1", 200, "OK")
    assert len(caplog.records) == 2


@pytest.mark.parametrize("text", ["*stars*", "<b onload=x>", "[[a|http://x]]", "_", "![i](u)", "`"])
def test_escape_turns_markup_into_entities(pack, text):
    import html
    import re

    escaped = pack.nodes.host.progress.escape(text)
    assert html.unescape(escaped) == text
    assert not re.search(r"[<>*_\[\]!`|]", escaped)
