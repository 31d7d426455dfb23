"""Builds the FastAPI shell that both services share; routes and adapters are theirs."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.types import ASGIApp

from taskservice.kit import openapi, problems
from taskservice.kit.edge import Edge
from taskservice.kit.health import Health
from taskservice.kit.metrics import Metrics
from taskservice.kit.settings import Settings
from taskservice.kit.tracing import fastapi_telemetry


@dataclass(frozen=True)
class Runtime:
    """What the app and the management port look at together."""

    metrics: Metrics
    health: Health

    @classmethod
    def of(cls, service: str, settings: Settings) -> "Runtime":
        return cls(Metrics(service, settings.version, settings.revision), Health())


def create_shell(
    title: str,
    settings: Settings,
    runtime: Runtime,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    within: Callable[[ASGIApp], ASGIApp] | None = None,
) -> FastAPI:
    """An app without routes: edge, problem documents, documentation only where settings ask for it.

    `within` is one more layer around the routes, inside of the edge.
    """
    app = FastAPI(
        title=title,
        version=settings.version,
        lifespan=lifespan,
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url="/docs" if settings.docs else None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=fastapi_telemetry(settings),
    )
    problems.install(app)
    openapi.install(app)
    if within is not None:
        app.add_middleware(within)
    app.add_middleware(
        Edge,
        metrics=runtime.metrics,
        health=runtime.health,
        revision=settings.revision,
        max_body_bytes=settings.max_body_bytes,
        access_log=settings.access_log,
    )
    return app
