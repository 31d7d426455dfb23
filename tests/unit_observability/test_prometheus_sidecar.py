"""Rule files of ConfigMaps: exactly what is labelled, and nobody's mistake keeps others' rules out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taskservice_observability.prometheus_sidecar import put, rule_files, target_groups


def a_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


GOOD = '{"groups": []}'


def test_files_of_two_namespaces_do_not_meet() -> None:
    files, problems = rule_files([a_map("a", "web", rules=GOOD), a_map("b", "web", rules=GOOD)])
    assert len(files) == 2
    assert problems == []


def test_what_is_no_rule_file_is_left_out_and_named() -> None:
    maps = [a_map("a", "web", rules=GOOD), a_map("b", "web", one="groups: [", two='{"groups": 1}', three="[]")]
    files, problems = rule_files(maps)
    assert len(files) == 1
    assert [problem.partition(":")[0] for problem in problems] == [
        "ConfigMap b/web, key one", "ConfigMap b/web, key two", "ConfigMap b/web, key three",
    ]  # fmt: skip


def test_a_key_cannot_leave_the_folder() -> None:
    files, _ = rule_files([a_map("a", "web", **{"../../etc/x.yaml": GOOD})])
    assert list(files) == ["a.web.x.yaml"]


def test_the_folder_holds_exactly_what_is_there_now(tmp_path: Path) -> None:
    assert put(tmp_path, {"a.yaml": "1", "b.yaml": "2"})
    assert not put(tmp_path, {"a.yaml": "1", "b.yaml": "2"})
    assert put(tmp_path, {"a.yaml": "3"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.yaml": "3"}


def test_a_pod_is_a_target_per_port_with_the_labels_of_prometheus_own_discovery() -> None:
    ports = [{"name": "http", "containerPort": 8000}, {"name": "management", "containerPort": 9090}]
    pod = {
        "metadata": {"namespace": "shop", "name": "web-1", "labels": {"taskservice.dev/name": "web"}},
        "spec": {"containers": [{"name": "app", "ports": ports}]},
        "status": {"podIP": "10.0.0.7", "phase": "Running"},
    }
    first, second = target_groups([pod])
    assert first["targets"] == ["10.0.0.7:8000"]
    assert second["targets"] == ["10.0.0.7:9090"]
    assert second["labels"] == {
        "__meta_kubernetes_namespace": "shop",
        "__meta_kubernetes_pod_name": "web-1",
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_label_taskservice_dev_name": "web",
        "__meta_kubernetes_pod_container_name": "app",
        "__meta_kubernetes_pod_container_port_name": "management",
        "__meta_kubernetes_pod_container_port_number": "9090",
    }


def test_a_pod_without_an_address_is_no_target_yet() -> None:
    assert target_groups([{"metadata": {"namespace": "a", "name": "b"}, "spec": {"containers": []}}]) == []
