"""Liveness, readiness and metrics on the management port, never on the port that the gateway exposes.

Live means that the process answers; no dependency is asked. Ready means that every warm-up step has passed
once and the process is not draining. A dependency that fails later is the same for every replica, so taking
all of them out would only turn a clear answer (503) into a refused connection: readiness stays.
"""

from collections.abc import Callable, Sequence

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from taskservice.kit.metrics import Metrics


class Health:
    """Warm-up steps still to pass, and whether the process has begun to leave."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {"start": "the app has not started yet"}
        self._draining = False
        self._watchers: list[Callable[[], None]] = []

    def expect(self, step: str) -> None:
        """Adds a step; once any is known, the app itself has started."""
        self._waiting[step] = "not tried yet"
        self.passed("start")

    def passed(self, step: str) -> None:
        self._waiting.pop(step, None)
        self._changed()

    def failed(self, step: str, reason: str) -> None:
        """Notes why a step has not passed yet; a step that has passed stays passed."""
        if step in self._waiting:
            self._waiting[step] = reason

    def watch(self, changed: Callable[[], None]) -> None:
        """Calls `changed` after each change of `ready` or `draining`, in the thread of whoever changed it."""
        self._watchers.append(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        self._watchers.remove(changed)

    def _changed(self) -> None:
        for changed in list(self._watchers):
            changed()

    @property
    def draining(self) -> bool:
        """Whether the process has begun to leave."""
        return self._draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._draining = value
        self._changed()

    @property
    def waiting(self) -> dict[str, str]:
        """Steps that have not passed, with the last reason."""
        return dict(self._waiting)

    @property
    def ready(self) -> bool:
        return not self._waiting and not self.draining


def create_management_app(health: Health, metrics: Metrics, internal: Sequence[BaseRoute] = ()) -> Starlette:
    """The app of the management port; `internal` is what only other services of ours may ask."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        state = "draining" if health.draining else "ready" if health.ready else "warming"
        return JSONResponse({"state": state, "waiting": health.waiting}, 200 if health.ready else 503)

    async def scrape(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": media_type})

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", scrape), *internal])
