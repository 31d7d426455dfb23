"""Probes answer 200 or 503 with a sentence; metrics are served in Prometheus' format."""

from __future__ import annotations

import aiohttp
import pytest

from taskservice_operator.handlers.probes import Probes
from taskservice_operator.metrics import Metrics

pytestmark = pytest.mark.anyio


async def test_probes_and_metrics_share_a_port() -> None:
    metrics, problems = Metrics(), ["not everything was listed yet"]
    metrics.count_write("apply", "Service")
    probes = Probes(metrics.registry, alive=lambda: None, ready=lambda: problems[0] if problems else None)
    await probes.start(0)
    base = f"http://127.0.0.1:{probes.port}"
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{base}/livez") as answer:
                assert answer.status == 200
            async with session.get(f"{base}/readyz") as answer:
                assert (answer.status, await answer.text()) == (503, "not everything was listed yet")
            problems.clear()
            async with session.get(f"{base}/readyz") as answer:
                assert answer.status == 200
            async with session.get(f"{base}/metrics") as answer:
                text = await answer.text()
                assert 'taskservice_api_writes_total{kind="Service",verb="apply"} 1.0' in text
                assert 'workqueue_depth{name="taskservice"}' in text
    finally:
        await probes.stop()
