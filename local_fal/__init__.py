"""A local fake fal: queue, storage, CDN and request listing on one local port, for free.

An unmodified fal-client reaches it with three environment variables and nothing else::

    with local_fal.running(faults="accepted_then_dropped:1") as fal:
        subprocess.run(command, env={**os.environ, **fal.environment})
        assert len(fal.ledger()["jobs"]) == 1
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clips import ClipSpec
from .faults import FAULTS
from .server import AUTHORITY_FILE, Options, serving

__all__ = ["FAULTS", "LocalFal", "running"]


@dataclass(frozen=True)
class LocalFal:
    """A local fal that is running.

    Args:
        port: Where it listens on 127.0.0.1, as a proxy and for `/__ledger`.
        key: The one key it takes.
        authority: The certificate of its own authority, a PEM file.
    """

    port: int
    key: str
    authority: Path

    @property
    def url(self) -> str:
        """The address of the proxy and of the ledger."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a client here: HTTPS_PROXY, SSL_CERT_FILE, FAL_KEY.

        SSL_CERT_FILE holds local_fal's authority alone: the proxy lets nobody through to any
        host but fal's, so that no other authority is of use behind it.
        """
        return {
            "HTTPS_PROXY": self.url,
            "SSL_CERT_FILE": str(self.authority),
            "FAL_KEY": self.key,
        }

    def ledger(self) -> dict[str, Any]:
        """Return its record of jobs and requests.

        Returns:
            jobs: Each accepted submit: request_id, endpoint, input, state, status_code, output,
                media_sha256 (by field), user_agent, billed, price_usd, faults, sent_at,
                started_at, ended_at, polls (their times), cancels, results.
            counts: jobs, polls, results, cancels, uploads, downloads, listings, and submits by
                host; all but jobs count requests, api_handler well or not.
            most_running: How many jobs ran at once at most.
            billed_usd: What fal would charge.
            requests: Each request: at, method, host, path, authorization (its scheme), status.
            refused: Each "host:port" that is not fal's and was asked for.

            Times are seconds since 1970.
        """
        ledger: dict[str, Any] = self._ask("GET", "/__ledger")
        return ledger

    def set_faults(self, faults: str) -> None:
        """Replace the faults; "" switches all off.

        Args:
            faults: "name[:times],..." with names of FAULTS.

        Raises:
            ValueError: A name is unknown.
        """
        self._ask("POST", "/__faults", {"faults": faults})

    def set_clock_skew(self, seconds: float) -> None:
        """Set how far fal's clock is ahead of this machine's; negative is behind.

        Its Date headers and the times in its listing follow it.
        """
        self._ask("POST", "/__clock", {"skew_s": seconds})

    def reset(self) -> None:
        """Forget all jobs, counts and faults, and set the clock right."""
        self._ask("POST", "/__reset")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["detail"])
        return answer


@contextmanager
def running(
    *,
    port: int = 0,
    generation_seconds: float = 1.0,
    concurrency: int = 2,
    faults: str = "",
    clip_size: tuple[int, int] | None = None,
    clip_frames: int | None = None,
    scale: float = 1.0,
) -> Iterator[LocalFal]:
    """Run a fal in a thread of its own.

    Args:
        port: Where it listens on 127.0.0.1; 0 for any that is free.
        generation_seconds: How long a job runs at least; rendering its clip may take longer.
        concurrency: How many jobs run at once; a new account has 2.
        faults: "name[:times],..." with names of FAULTS.
        clip_size: Width and height of all clips and stills; by default as asked.
        clip_frames: How many frames a clip has, at 24 a second; by default as asked.
        scale: Factor for the sides of clips and stills without a fixed size; 0.1 is faster.

    Raises:
        OSError: The port is taken.
        ValueError: A fault is unknown.
    """
    key = f"{uuid.uuid4()}:{secrets.token_hex(16)}"
    spec = ClipSpec(clip_size, clip_frames, scale)
    options = Options(key, port, generation_seconds, concurrency, faults, spec)
    with (
        tempfile.TemporaryDirectory(prefix="local_fal-", ignore_cleanup_errors=True) as folder,
        _thread(options, Path(folder)) as bound,
    ):
        yield LocalFal(bound, key, Path(folder) / AUTHORITY_FILE)


@contextmanager
def _thread(options: Options, folder: Path) -> Iterator[int]:
    begun: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with serving(options, folder) as port:
            begun.set_result((port, asyncio.get_running_loop(), over))
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as problem:
            if begun.done():
                raise
            begun.set_exception(problem)

    thread = threading.Thread(target=run, name="local_fal", daemon=True)
    thread.start()
    port, loop, over = begun.result()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
