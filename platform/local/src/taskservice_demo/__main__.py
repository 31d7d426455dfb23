"""``python -m taskservice_demo``: tell the story on the cluster that is up, print and write the report.

``LOAD=pod`` runs the load in a pod also where this machine could reach the Services itself.
"""

from __future__ import annotations

import os
import sys
import time

from taskservice_demo.report import build_report, render_report, write_report
from taskservice_demo.stage import prepare
from taskservice_demo.story import NAMESPACE, Story
from taskservice_local.errors import LocalError
from taskservice_local.paths import CHECKOUT
from taskservice_local.progress import say

REPORT = CHECKOUT / "build" / "demo" / "report.json"


def main() -> int:
    """0 when every turn came as told and no request failed."""
    began = time.monotonic()
    try:
        story = Story(prepare(), load_in_pod=os.environ.get("LOAD") == "pod" or None)
        load = story.tell()
    except (LocalError, RuntimeError) as problem:
        say(f"The demonstration ended early: {problem}")
        return 1
    report = build_report(story.phases, load.samples, time.monotonic() - began)
    write_report(report, REPORT)
    print("\n" + render_report(report))
    print(f"\nreport: {REPORT.relative_to(CHECKOUT)}\n\nGo on with:")
    print(f"  export KUBECONFIG={story.stage.kubeconfig}")
    print(f"  export PATH=$PATH:{story.stage.kubectl.base[0]!s}".rsplit("/", 1)[0])
    print(f"  kubectl get taskservices -n {NAMESPACE}")
    print(f"  kubectl describe taskservice tasks -n {NAMESPACE}")
    print("  make cluster-down")
    return 1 if report["requests_failed"] or not report["requests_sent"] else 0


if __name__ == "__main__":
    sys.exit(main())
