"""Runs an app and its management port in one process, and ends them in the right order.

At SIGTERM: readiness turns false and every answer closes its connection, so that clients move on; after the
drain time the listener closes, requests in flight finish, the lifespan closes, and the management port goes
last. A connection refused is nobody's answer: the pod's preStop sleep must cover the time until the cluster
has stopped sending new connections here.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.types import ASGIApp

from taskservice.kit.health import Health
from taskservice.kit.logging import event
from taskservice.kit.settings import Settings, SettingsError

log = logging.getLogger(__name__)

BACKLOG = 2048


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: two servers share one process, and `_serve` decides."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(app: Starlette, management: ASGIApp, health: Health, settings: Settings) -> int:
    """Serves until a signal; returns the exit status. Raises SettingsError when it cannot start."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(app, management, health, settings))


async def _serve(app: Starlette, management: ASGIApp, health: Health, settings: Settings) -> int:
    with (
        _listen(settings.host, settings.port, "TASKSERVICE_PORT") as main_socket,
        _listen(settings.host, settings.management_port, "TASKSERVICE_MANAGEMENT_PORT") as side_socket,
    ):
        main = _server(app, settings, settings.graceful_seconds)
        side = _server(management, settings, 1)
        drain = asyncio.Event()

        def on_signal() -> None:
            if drain.is_set():  # asked twice: leave at once
                main.should_exit = main.force_exit = True
            drain.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)

        side_task = asyncio.create_task(side.serve([side_socket]))
        leaving = asyncio.create_task(_leave(drain, main, health, settings.drain_seconds))
        event(log, "serving", port=settings.port, management_port=settings.management_port)
        try:
            # Entered here and not by uvicorn, so that a SettingsError gets out as it is.
            async with app.router.lifespan_context(app):
                keep_for_good()
                await main.serve([main_socket])
        finally:
            leaving.cancel()
            side.should_exit = True
            await asyncio.gather(side_task, leaving, return_exceptions=True)
        event(log, "stopped")
        return 0 if main.started else 1


def run_background(work: Callable[[], Awaitable[None]], management: ASGIApp, health: Health, settings: Settings) -> int:
    """Does the work until a signal, with nothing but the management port; returns the exit status.

    Work that ends by itself has failed: what it raised is logged, and the status is 1. Raises SettingsError.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_work(work, management, health, settings))


async def _work(work: Callable[[], Awaitable[None]], management: ASGIApp, health: Health, settings: Settings) -> int:
    with _listen(settings.host, settings.management_port, "TASKSERVICE_MANAGEMENT_PORT") as side_socket:
        side = _server(management, settings, 1)
        working = asyncio.ensure_future(work())

        def on_signal() -> None:
            if not health.draining:
                health.draining = True
                event(log, "draining")
                working.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)

        side_task = asyncio.create_task(side.serve([side_socket]))
        event(log, "working", management_port=settings.management_port)
        try:
            await asyncio.wait((working,))
        finally:
            side.should_exit = True
            await asyncio.gather(side_task, return_exceptions=True)
        failure = None if working.cancelled() else working.exception()
        if isinstance(failure, SettingsError):
            raise failure
        if failure is not None:
            log.error("work_failed", exc_info=failure)
        event(log, "stopped")
        return 0 if health.draining and failure is None else 1


async def _leave(drain: asyncio.Event, main: _Server, health: Health, seconds: float) -> None:
    await drain.wait()
    health.draining = True
    event(log, "draining", seconds=seconds)
    await asyncio.sleep(seconds)
    main.should_exit = True


def keep_for_good() -> None:
    """Takes what was made until now from the garbage collector: it stays until the process ends, and looking at all of
    it again and again, because requests make objects, costs a tenth of a short request."""
    gc.collect()
    gc.freeze()


def _server(app: ASGIApp, settings: Settings, graceful_seconds: int) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=graceful_seconds,
        )
    )


@contextlib.contextmanager
def _listen(host: str, port: int, setting: str) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(f"{setting}: cannot listen on {host}:{port} ({error.strerror}).") from None
    with listener:
        yield listener
