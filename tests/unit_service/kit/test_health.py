"""Ready means warmed up once and not leaving; live never asks anybody."""

import httpx2
import pytest

from taskservice.kit.health import Health, create_management_app
from taskservice.kit.metrics import Metrics

pytestmark = pytest.mark.anyio


async def get(health: Health, path: str) -> httpx2.Response:
    app = create_management_app(health, Metrics("s", "1", "r1"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://m") as client:
        return await client.get(path)


async def test_not_ready_before_the_app_has_started() -> None:
    response = await get(Health(), "/readyz")
    assert response.status_code == 503
    assert response.json()["state"] == "warming"


async def test_ready_once_every_step_has_passed() -> None:
    health = Health()
    for step in ("mongo", "jwks"):
        health.expect(step)
    health.passed("mongo")
    health.failed("jwks", "ConnectError")
    assert (await get(health, "/readyz")).json() == {"state": "warming", "waiting": {"jwks": "ConnectError"}}
    health.passed("jwks")
    assert (await get(health, "/readyz")).status_code == 200
    health.failed("mongo", "later")
    assert (await get(health, "/readyz")).status_code == 200


async def test_draining_is_not_ready_but_live() -> None:
    health = Health()
    health.expect("mongo")
    health.passed("mongo")
    health.draining = True
    response = await get(health, "/readyz")
    assert (response.status_code, response.json()["state"]) == (503, "draining")
    assert (await get(health, "/livez")).status_code == 200


async def test_metrics_name_the_build() -> None:
    response = await get(Health(), "/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'taskservice_build_info{revision="r1",service="s",version="1"} 1.0' in response.text
