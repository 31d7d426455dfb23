"""Dashboards, one file each, by Grafana's foundation SDK; ``build_all`` gives them by uid.

Lives here: which questions a page answers, and how it shows them.  Uids are stable: bookmarks and alerts name them.
Must not live here: names of metrics (``catalog``), or a data source: every page has variables for those.
"""

from __future__ import annotations

from typing import Any

from taskservice_observability.dashboards import data, objectives, operator, rollout, service
from taskservice_observability.dashboards.layout import encode


def build_all() -> dict[str, dict[str, Any]]:
    """Dashboards as JSON values, by uid."""
    built = (service.build(), rollout.build(), operator.build(), data.build(), objectives.build())
    return {dashboard["uid"]: dashboard for dashboard in map(encode, built)}


def build_objective() -> dict[str, Any]:
    """The page of one TaskService with ``spec.slo``, with marks in place of its values."""
    return encode(objectives.build_one())
