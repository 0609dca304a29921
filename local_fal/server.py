"""All of fal's hosts behind one CONNECT proxy, in the running event loop."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web

from .clips import ClipSpec
from .media import CDN_HOSTS
from .proxy import open_proxy
from .state import ServerState

QUEUE_HOSTS = ("queue.fal.run", "queue.falrun.com")
REST_HOST = "rest.fal.ai"
API_HOST = "api.fal.ai"
HOSTS = (*QUEUE_HOSTS, REST_HOST, API_HOST, *CDN_HOSTS)
AUTHORITY_FILE = "ca.pem"
BACKLOG = 1024


@dataclass(frozen=True)
class Options:
    """How local_fal behaves.

    Args:
        key: The one key it takes.
        port: Where it listens on 127.0.0.1; 0 for any that is free.
        generation_seconds: How long a job runs at least.
        concurrency: How many run at once; a new account has 2.
        faults: See `faults.Faults`.
        spec: How clips differ from what was asked for.
    """

    key: str
    port: int
    generation_seconds: float
    concurrency: int
    faults: str
    spec: ClipSpec


@asynccontextmanager
async def serving(options: Options, folder: Path) -> AsyncIterator[int]:
    """Serve, and yield the port.

    Args:
        options: How it behaves.
        folder: An empty folder for its files; the authority's certificate is AUTHORITY_FILE.

    Raises:
        OSError: The port is taken.
        ValueError: A fault is unknown.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / AUTHORITY_FILE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    state = ServerState(
        options.key, options.generation_seconds, options.concurrency, options.spec, folder
    )
    state.faults.replace(options.faults)
    async with (
        _site(_fal(state), context) as secure_port,
        _site(state.app(), None) as plain_port,
        open_proxy(state, HOSTS, secure_port, plain_port, options.port) as port,
    ):
        yield port
    state.close()


def _fal(state: ServerState) -> web.Application:
    app = web.Application(middlewares=[state.record])
    app.on_response_prepare.append(state.clock.add_date)
    for host in QUEUE_HOSTS:
        app.add_domain(host, state.queue.app())
    for host in CDN_HOSTS:
        app.add_domain(host, state.storage.cdn_app())
    app.add_domain(REST_HOST, state.storage.rest_app())
    app.add_domain(API_HOST, state.platform.app())
    return app


@asynccontextmanager
async def _site(app: web.Application, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    # A client that leaves ends its handler: what never answers would otherwise wait for ever.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=BACKLOG).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
