"""What a Prometheus without its operator lacks: rules out of ConfigMaps labelled for it, and the pods to ask.

    python prometheus_sidecar.py FOLDER RELOAD_URL        every fifteen seconds, until it is ended

Rules go to ``FOLDER/rules``.  Pods go to ``FOLDER/targets/pods.json`` with the labels that Prometheus' own discovery
gives them (``__meta_kubernetes_…``), so that the same relabelling serves both: Debian builds Prometheus without it.

Standard library only: it runs in whichever image has Python, as the pod's ServiceAccount.  A file that Prometheus would
not read is left out and named: one TaskService must not keep the rules of others from being loaded.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LABEL = "taskservice.dev/prometheus-rules=1"
SECONDS = 15.0
_META = "__meta_kubernetes_pod_"
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def rule_files(config_maps: list[Mapping[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """File name → text, of every key of every ConfigMap; and a sentence for each that is no list of rule groups."""
    files: dict[str, str] = {}
    problems: list[str] = []
    for found in config_maps:
        metadata = found["metadata"]
        for key, text in (found.get("data") or {}).items():
            where = f"ConfigMap {metadata['namespace']}/{metadata['name']}, key {key}"
            try:
                groups = json.loads(text)["groups"]
                if not isinstance(groups, list):
                    raise TypeError
            except (ValueError, KeyError, TypeError):
                problems.append(f"{where}: is no JSON object with a list of groups; it is left out")
                continue
            files[f"{metadata['namespace']}.{metadata['name']}.{Path(key).name}"] = text
    return files, problems


def target_groups(pods: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One group per container port of each pod with an address, as ``file_sd_configs`` read them."""
    groups: list[dict[str, Any]] = []
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        if not status.get("podIP"):
            continue
        about = {
            "__meta_kubernetes_namespace": metadata["namespace"],
            f"{_META}name": metadata["name"],
            f"{_META}phase": status.get("phase", ""),
            **{f"{_META}label_{_NOT_IN_A_NAME.sub('_', key)}": v for key, v in (metadata.get("labels") or {}).items()},
        }
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                named = {
                    f"{_META}container_name": container["name"],
                    f"{_META}container_port_name": port.get("name", ""),
                    f"{_META}container_port_number": str(port["containerPort"]),
                }
                groups.append({"targets": [f"{status['podIP']}:{port['containerPort']}"], "labels": about | named})
    return groups


def put(folder: Path, files: Mapping[str, str], pattern: str = "*.yaml") -> bool:
    """Make the folder hold exactly these files; tell whether anything changed."""
    changed = False
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(pattern):
        if path.name not in files:
            path.unlink()
            changed = True
    for name, text in files.items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            aside = path.with_suffix(".new")
            aside.write_text(text)
            aside.replace(path)
            changed = True
    return changed


def listed(path: str) -> list[Mapping[str, Any]]:
    """Objects of all namespaces.  Raises OSError when the API server does not answer."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://{host}:{port}/api/v1/{path}"
    token = (ACCOUNT / "token").read_text()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        return json.load(answer)["items"]


def main(arguments: list[str]) -> int:
    folder, reload = Path(arguments[0]), arguments[1]
    labelled = f"configmaps?labelSelector={urllib.parse.quote(LABEL, safe='')}"
    told: list[str] = []
    pending = False
    while True:
        try:
            targets = json.dumps(target_groups(listed("pods")), sort_keys=True)
            put(folder / "targets", {"pods.json": targets}, pattern="*.json")  # read again by Prometheus itself
            files, problems = rule_files(listed(labelled))
            if problems != told:
                print("\n".join(problems) or "every rule file is well formed", flush=True)
                told = problems
            pending = put(folder / "rules", files) or pending
            if pending:
                urllib.request.urlopen(urllib.request.Request(reload, method="POST"), timeout=10).close()  # noqa: S310
                pending = False
                print(f"{len(files)} rule files", flush=True)
        except (OSError, urllib.error.URLError) as problem:
            print(f"tried again in {SECONDS:.0f} s: {problem}", flush=True)
        time.sleep(SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
