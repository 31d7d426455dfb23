"""``kubectl taskservice`` against a real API server: it reads, it annotates, and its errors are sentences."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from taskservice_operator.cli.client import Cluster, ClusterProblem
from taskservice_operator.cli.main import main

REVISION = "7c2f901b3d"
STATUS = {
    "phase": "Verifying",
    "revisions": {"stable": "3f2a91c0de", "active": "3f2a91c0de", "candidate": REVISION, "wanted": REVISION},
    "rollout": {"startedAt": "2026-01-02T03:04:05Z", "clockSpentSeconds": 0},
    "step": "revision 7c2f901b3d waits for: kubectl taskservice promote steered",
}


@pytest.fixture
def steered(taskservices) -> Iterator[str]:
    taskservices.create({"image": "example/tasks:1"}, "steered")
    taskservices.write_status("steered", STATUS)
    yield "steered"
    taskservices.delete("steered")


@pytest.fixture
def say(server, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["--kubeconfig", str(server.kubeconfig), *words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return run


@pytest.fixture
def altered(server, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the kubeconfig with another server, user or CA."""

    def build(*, url: str | None = None, user: dict | None = None, cluster: dict | None = None) -> Path:
        content = yaml.safe_load(Path(server.kubeconfig).read_text(encoding="utf-8"))
        if url:
            content["clusters"][0]["cluster"]["server"] = url
        content["clusters"][0]["cluster"] |= cluster or {}
        if user is not None:
            content["users"][0]["user"] = user
        target = tmp_path / "kubeconfig"
        target.write_text(yaml.safe_dump(content), encoding="utf-8")
        return target

    return build


def test_get_shows_a_service_and_its_state(say, steered: str) -> None:
    status, out, _ = say("get", steered)
    assert status == 0
    assert out.startswith("steered  Verifying  Ready=Unknown\nrevision 7c2f901b3d waits for")
    assert f"{REVISION}  candidate" in out


def test_get_of_all_namespaces_finds_it(say, steered: str) -> None:
    assert "default/steered  Verifying" in say("get", "-A")[1]


def test_a_promotion_becomes_an_annotation_bound_to_the_candidate(say, taskservices, steered: str) -> None:
    before = taskservices.get(steered)["metadata"]["generation"]
    assert say("promote", steered)[0] == 0
    metadata = taskservices.get(steered)["metadata"]
    assert metadata["annotations"]["taskservice.dev/promote"].startswith(f"{REVISION}@")
    assert metadata["generation"] == before


def test_a_rollback_in_mid_rollout_is_refused_and_nothing_is_written(say, taskservices, steered: str) -> None:
    status, _, err = say("rollback", steered)
    assert status == 1
    assert "kubectl taskservice abort steered" in err
    assert "annotations" not in taskservices.get(steered)["metadata"]


def test_the_object_can_be_had_as_json(say, steered: str) -> None:
    assert json.loads(say("get", steered, "-o", "json")[1])["metadata"]["name"] == steered


def test_a_name_that_does_not_exist_is_told(say, definition) -> None:
    status, _, err = say("get", "nobody")
    assert (status, err) == (
        1,
        "error: there is no TaskService nobody in namespace default; `kubectl taskservice get -A` shows all\n",
    )


def test_a_context_that_does_not_exist_is_told_with_those_that_do(say) -> None:
    status, _, err = say("get", "--context", "moon")
    assert status == 1
    assert "there is no context 'moon' in the kubeconfig: it has " in err


def test_a_kubeconfig_that_does_not_exist_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["get", "--kubeconfig", str(tmp_path / "none")]) == 1
    assert "no usable kubeconfig" in capsys.readouterr().err


def test_a_cluster_that_is_away_is_told_at_once(capsys: pytest.CaptureFixture[str], altered) -> None:
    assert main(["get", "--kubeconfig", str(altered(url="https://127.0.0.1:1"))]) == 1
    err = capsys.readouterr().err
    assert "the cluster at https://127.0.0.1:1 does not answer" in err
    assert len(err.splitlines()) == 1


def test_a_login_that_is_not_valid_is_told(capsys: pytest.CaptureFixture[str], altered) -> None:
    assert main(["get", "--kubeconfig", str(altered(user={"token": "wrong"}))]) == 1
    assert "the cluster does not know you" in capsys.readouterr().err


def test_missing_rights_are_told_with_the_remedy(
    capsys: pytest.CaptureFixture[str], server, altered, definition
) -> None:
    server.kubectl("create", "serviceaccount", "powerless")
    token = server.kubectl("create", "token", "powerless").strip()
    assert main(["get", "--kubeconfig", str(altered(user={"token": token}))]) == 1
    server.kubectl("delete", "serviceaccount", "powerless", "--wait=false")
    err = capsys.readouterr().err
    assert "you may not do this" in err
    assert "Ask for the role view" in err


def test_a_foreign_certificate_is_told(capsys: pytest.CaptureFixture[str], altered) -> None:
    foreign = {"certificate-authority-data": base64.b64encode(b"").decode(), "tls-server-name": "moon"}
    kubeconfig = altered(cluster=foreign)
    with pytest.raises(ClusterProblem, match="does not answer"):
        Cluster.connect(str(kubeconfig)).list("default")
