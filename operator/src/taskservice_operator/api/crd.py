"""The CustomResourceDefinition, assembled from the schemas, and the one file it is generated into.

``python -m taskservice_operator.api.crd --write`` regenerates the chart's file; ``--check`` fails when it
is stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from taskservice_operator.api import names
from taskservice_operator.api.schema import Schema, record, rule, text
from taskservice_operator.api.schema_spec import spec
from taskservice_operator.api.schema_status import status

NAME = f"{names.PLURAL}.{names.GROUP}"
CHART_FILE = Path("charts/taskservice-crds/templates/taskservices.yaml")

HEADER = """\
# Generated from operator/src/taskservice_operator/api/schema*.py: edit there, then run
# `python -m taskservice_operator.api.crd --write`.
"""


def build_crd() -> dict[str, Any]:
    """The whole CustomResourceDefinition as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": NAME,
            # Without it, uninstalling the chart would delete every TaskService of the cluster.
            "annotations": {"helm.sh/resource-policy": "keep"},
            "labels": {
                "app.kubernetes.io/name": "taskservice-crds",
                "app.kubernetes.io/part-of": "taskservice",
            },
        },
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": ["tsvc"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": resource()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "selectableFields": [
                        {"jsonPath": ".status.phase"},
                        {"jsonPath": ".spec.rollout.strategy"},
                    ],
                    "additionalPrinterColumns": printer_columns(),
                }
            ],
        },
    }


def resource() -> Schema:
    """The schema of a whole TaskService."""
    longest = names.MAX_NAME_LENGTH
    return record(
        "A service: what it runs, how it scales, what configuration it gets, and how each change of it is released.",
        {
            "apiVersion": text("The version of this schema.", longest=None),
            "kind": text("TaskService.", longest=None),
            # The API server describes metadata itself and refuses a description here.  The bound on the name
            # is Kubernetes' own; without it the rules below would count as endlessly expensive.
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 253}}},
            "spec": spec(),
            "status": status(),
        },
        required=["spec"],
        rules=[
            rule(
                f"self.metadata.name.size() <= {longest}",
                f"metadata.name is longer than {longest} characters: choose a shorter one, "
                "because the names of pods are made from it",
            ),
            rule(
                r"self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
                "metadata.name must begin with a letter, end with a letter or digit, and hold only a-z, 0-9 "
                "and '-', "
                "because Services are named after it",
            ),
        ],
    )


def printer_columns() -> list[dict[str, Any]]:
    """What ``kubectl get`` shows; priority 1 only with ``-o wide``."""

    def column(name: str, path: str, description: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
        built: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path, "description": description}
        return built | ({"priority": priority} if priority else {})

    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        column("Ready", f"{ready}.status", "Whether the service is in order"),
        column("Reason", f"{ready}.reason", "Why, as a constant"),
        column("Phase", ".status.phase", "Where a rollout stands"),
        column("Revision", ".status.revisions.active", "The revision that gets the requests"),
        column("Candidate", ".status.revisions.candidate", "The revision being released", priority=1),
        column("Replicas", ".status.replicas", "Pods of the active revision", kind="integer"),
        column("Strategy", ".spec.rollout.strategy", "How changes are released", priority=1),
        column("Image", ".spec.image", "The image asked for", priority=1),
        column("Age", ".metadata.creationTimestamp", "Time since creation", kind="date"),
    ]


def render_crd() -> str:
    """The generated file's text."""
    return HEADER + yaml.safe_dump(build_crd(), sort_keys=False, width=110, allow_unicode=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m taskservice_operator.api.crd", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout; the current folder by default")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="regenerate the chart's file")
    action.add_argument("--check", action="store_true", help="fail when the chart's file is stale")
    action.add_argument("--print", action="store_true", help="print the definition")
    options = parser.parse_args(arguments)
    target: Path = options.root / CHART_FILE
    if options.print:
        print(render_crd(), end="")
    elif options.write:
        target.write_text(render_crd(), encoding="utf-8")
        print(f"wrote {CHART_FILE}")
    elif not target.is_file() or target.read_text(encoding="utf-8") != render_crd():
        print(
            f"{CHART_FILE} is stale: run `python -m taskservice_operator.api.crd --write` in the checkout's root",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
