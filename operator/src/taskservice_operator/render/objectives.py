"""What ``spec.slo`` asks for: recording rules and burn-rate alerts, and a dashboard.

The rules and the dashboard are made in ``observability/src`` (the maths of error budgets lives there, once) and arrive
here as ``objectives.json``, with marks in place of one TaskService's values (docs/adr/0015).  Here they are filled in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.spec import Slo
from taskservice_operator.render.identity import Owner, digest

# Part of this package like its code: read once, when it is imported.
_TEMPLATE: Mapping[str, Any] = json.loads(
    resources.files(__package__ or "").joinpath("objectives.json").read_text(encoding="utf-8")
)

LABEL_RULES = f"{names.GROUP}/prometheus-rules"
"""On a ConfigMap whose keys are rule files, for a Prometheus without its operator."""
LABEL_DASHBOARD = "grafana_dashboard"
"""On a ConfigMap whose keys are dashboards: what Grafana's sidecar looks for by default."""
PROMETHEUS_RULE = ("monitoring.coreos.com/v1", "PrometheusRule")


def build_objectives(owner: Owner, slo: Slo, *, prometheus_rules: bool) -> list[dict[str, Any]]:
    """The rules, as a PrometheusRule where the cluster knows that kind and else as a ConfigMap; and the dashboard."""
    uid = f"tsvc-{digest([owner.namespace, owner.name])}"
    groups = [
        group
        for name in _asked_for(slo)
        for group in _filled(_TEMPLATE["groups"][name], _values(owner, slo, uid, name))
    ]
    dashboard = _filled(_TEMPLATE["dashboard"], _values(owner, slo, uid, ""))
    rules = (
        _rule_resource(owner, groups)
        if prometheus_rules
        else _config_map(
            owner, f"{owner.name}-slo-rules", LABEL_RULES, f"{owner.namespace}-{owner.name}.yaml", {"groups": groups}
        )
    )
    shown = _config_map(
        owner, f"{owner.name}-slo-dashboard", LABEL_DASHBOARD, f"{owner.namespace}-{owner.name}.json", dashboard
    )
    return [rules, shown]


def _asked_for(slo: Slo) -> list[str]:
    return [name for name, given in (("availability", slo.availability), ("latency", slo.latency)) if given is not None]


def _values(owner: Owner, slo: Slo, uid: str, name: str) -> dict[str, str]:
    values = {"@NAMESPACE@": owner.namespace, "@TASKSERVICE@": owner.name, "@DASHBOARD@": uid}
    if name == "availability" and slo.availability is not None:
        objective = slo.availability / 100
        values |= {"@PROMISE@": f"that {_plain(slo.availability)} % do not fail"}
    elif name == "latency" and slo.latency is not None:
        objective = Decimal(slo.latency.percentile) / 100
        values |= {
            "@PROMISE@": f"{slo.latency.percentile} % within {slo.latency.milliseconds} ms",
            "@BUCKET@": _bucket(slo.latency.milliseconds),
        }
    else:
        return values
    return values | {"@OBJECTIVE@": _plain(objective), "@BUDGET@": _plain(1 - objective)}


def _bucket(milliseconds: int) -> str:
    """The bound in seconds as client libraries write it: ``0.3``; whole seconds as ``1`` or ``1.0``."""
    seconds = _plain(Decimal(milliseconds) / 1000)
    return seconds.replace(".", "[.]") if "." in seconds else f"{seconds}([.]0)?"


def _plain(number: Decimal) -> str:
    """Without exponent or trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _filled(value: Any, marks: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for mark, text in marks.items():
            value = value.replace(mark, text)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(inner, marks) for key, inner in value.items()}
    return [_filled(inner, marks) for inner in value] if isinstance(value, list) else value


def _config_map(owner: Owner, name: str, label: str, key: str, content: Any) -> dict[str, Any]:
    metadata = owner.metadata(name)
    metadata["labels"][label] = "1"
    # JSON is YAML, and one spelling of it is enough for Prometheus and Grafana.
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}}


def _rule_resource(owner: Owner, groups: list[Any]) -> dict[str, Any]:
    api_version, kind = PROMETHEUS_RULE
    return {"apiVersion": api_version, "kind": kind, "metadata": owner.metadata(owner.name), "spec": {"groups": groups}}
