"""What the sample promises to its callers, as rendered."""

from __future__ import annotations

from typing import Any

SLO = {"availability": "99.5", "latency": {"percentile": 95, "milliseconds": 500}}


def promised(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """What each TaskService promises, by name."""
    return {m["metadata"]["name"]: m["spec"].get("slo") for m in manifests if m["kind"] == "TaskService"}


def test_nothing_is_promised_unless_somebody_says_what(helm) -> None:
    assert promised(helm.render("taskservice-app")) == {"auth": None, "tasks": None, "worker": None}


def test_each_service_that_is_asked_promises_what_its_values_say(helm) -> None:
    rendered = helm.render("taskservice-app", {"auth.slo": SLO, "tasks.slo": {"availability": "99"}})
    assert promised(rendered) == {"auth": SLO, "tasks": {"availability": "99"}, "worker": None}
