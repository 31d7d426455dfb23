"""The command line from words to exit status, against a cluster in memory."""

from __future__ import annotations

import io
import json

import pytest
import yaml

from taskservice_operator import __version__
from taskservice_operator.cli.client import ClusterProblem
from taskservice_operator.cli.main import main


def test_get_shows_every_service_of_the_namespace_with_its_own_deployments(build, run) -> None:
    cluster = build.cluster(
        [build.taskservice(build.stable()), build.taskservice(build.stable(), name="auth")],
        [build.deployment(build.old, "blue", 3, 3), build.deployment(build.old, "green", 1, 1, of="auth")],
    )
    status, out, _ = run(cluster, "get")
    tasks, auth = out.split("\n\n")
    assert status == 0
    assert tasks.startswith("tasks  Stable")
    assert "blue" in tasks
    assert "green" not in tasks
    assert "1/1 ready" in auth


def test_get_of_one_name_shows_that_one(build, run) -> None:
    status, out, _ = run(build.cluster([build.taskservice(build.stable())], []), "get", "tasks")
    assert status == 0
    assert out.startswith("tasks  Stable  Ready=True\n")


def test_get_of_all_namespaces_says_which(build, run) -> None:
    _, out, _ = run(build.cluster([build.taskservice(build.stable())], []), "get", "-A")
    assert out.startswith("shop/tasks  ")


def test_an_empty_namespace_is_no_error(build, run) -> None:
    status, out, err = run(build.cluster([], []), "get", "-n", "empty")
    assert (status, out, err) == (0, "", "there are no TaskServices in namespace empty\n")


def test_get_as_json_is_the_object_without_the_noise(build, run) -> None:
    _, out, _ = run(build.cluster([build.taskservice(build.stable())], []), "get", "tasks", "-o", "json")
    shown = json.loads(out)
    assert shown["status"]["phase"] == "Stable"
    assert "managedFields" not in shown["metadata"]


def test_get_as_yaml_of_all_is_a_list(build, run) -> None:
    _, out, _ = run(build.cluster([build.taskservice(build.stable())], []), "get", "-o", "yaml")
    shown = yaml.safe_load(out)
    assert shown["kind"] == "List"
    assert [item["kind"] for item in shown["items"]] == ["TaskService"]


def test_a_verb_annotates_and_says_how_to_watch(build, run) -> None:
    cluster = build.cluster([build.taskservice(build.releasing())], [])
    status, out, _ = run(cluster, "promote", "tasks")
    ((namespace, name, annotations),) = cluster.annotated
    (value,) = annotations.values()
    assert (status, namespace, name, list(annotations)) == (0, "shop", "tasks", ["taskservice.dev/promote"])
    assert value.startswith(f"{build.new}@20")
    assert out.splitlines() == [
        f"asked to promote revision {build.new} of tasks",
        "watch it: kubectl taskservice get tasks -w",
    ]


def test_the_hint_names_a_namespace_that_is_not_the_contexts(build, run) -> None:
    cluster = build.cluster([build.taskservice(build.releasing())], [])
    cluster.namespace = "other"
    _, out, _ = run(cluster, "-n", "shop", "abort", "tasks")
    assert out.endswith("kubectl taskservice get tasks -n shop -w\n")


def test_a_refused_verb_changes_nothing(build, run) -> None:
    cluster = build.cluster([build.taskservice(build.stable())], [])
    status, out, err = run(cluster, "promote", "tasks")
    assert (status, out, cluster.annotated) == (1, "", [])
    assert err.startswith("error: there is nothing to promote")


def test_a_name_that_does_not_exist_is_told_in_a_sentence(build, run) -> None:
    status, _, err = run(build.cluster([], []), "abort", "nobody")
    assert (status, err) == (1, "error: there is no TaskService nobody in namespace shop\n")


def test_history_is_a_table_with_the_youngest_first(build, run) -> None:
    past = (build.finished(build.old, "Promoted", 5), build.finished(build.new, "Aborted", 1))
    status, out, _ = run(build.cluster([build.taskservice(build.stable(history=past))], []), "history", "tasks")
    header, first, second = out.splitlines()
    assert status == 0
    assert header.split() == ["REVISION", "RESULT", "REASON", "ENDED", "TOOK", "IMAGE"]
    assert first.split()[:2] == [build.new, "Aborted"]
    assert second.split()[:2] == [f"{build.old}*", "Promoted"]
    assert "1m35s" in second


def test_history_as_json_is_what_the_operator_wrote(build, run) -> None:
    past = (build.finished(build.old, "Promoted", 5),)
    _, out, _ = run(
        build.cluster([build.taskservice(build.stable(history=past))], []), "history", "tasks", "-o", "json"
    )
    assert json.loads(out)[0]["result"] == "Promoted"


def test_no_history_is_told_in_a_sentence(build, run) -> None:
    _, out, _ = run(build.cluster([build.taskservice(build.stable())], []), "history", "tasks")
    assert out == "no rollout of tasks has finished yet\n"


def test_watching_a_file_appends_a_line_per_change_until_interrupted(build, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = build.cluster([build.taskservice(build.stable())], [build.deployment(build.old, "blue", 3, 3)])
    looks = iter([None, "unchanged", "changed"])

    def wait(_: float) -> None:
        next_look = next(looks, "end")
        if next_look == "changed":
            cluster.taskservices = [build.taskservice(build.releasing(), step="measuring")]
        if next_look == "end":
            raise KeyboardInterrupt

    monkeypatch.setattr("taskservice_operator.cli.watching.append.__defaults__", (wait,))
    out = io.StringIO()
    assert main(["get", "-w"], connect=lambda *_: cluster, out=out) == 0
    first, second = out.getvalue().splitlines()
    assert "shop/tasks Stable Ready=True | blue 3f2a91c0de active+stable 3/3" in first
    assert second.endswith("measuring")
    assert "\x1b" not in out.getvalue()


def test_watching_a_terminal_redraws_and_outlives_a_short_failure(build, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = build.cluster([build.taskservice(build.stable())], [build.deployment(build.old, "blue", 3, 3)])
    steps = iter(["fail", "end"])
    look = cluster.list

    def wait(_: float) -> None:
        if next(steps) == "end":
            raise KeyboardInterrupt
        cluster.list = failing

    def failing(_: str | None) -> list:
        cluster.list = look
        raise ClusterProblem("the cluster does not answer", transient=True)

    monkeypatch.setattr("taskservice_operator.cli.watching.redraw.__defaults__", (wait,))
    out = build.terminal()
    assert main(["get", "-w"], connect=lambda *_: cluster, out=out) == 0
    assert out.getvalue().count("\x1b[H") == 2
    assert "the cluster does not answer" in out.getvalue()


def test_watching_ends_when_the_failure_is_not_a_passing_one(build, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "gone", "-w"], connect=lambda *_: build.cluster([], []), out=io.StringIO()) == 1
    assert "there is no TaskService gone" in capsys.readouterr().err


def test_colours_are_off_when_asked_for(build, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = build.cluster([build.taskservice(build.stable())], [])
    painted, plain = build.terminal(), build.terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["get"], connect=lambda *_: cluster, out=painted)
    monkeypatch.setenv("NO_COLOR", "1")
    main(["get"], connect=lambda *_: cluster, out=plain)
    assert "\x1b[" in painted.getvalue()
    assert "\x1b[" not in plain.getvalue()


@pytest.mark.parametrize("words", [["get", "-n", "shop"], ["-n", "shop", "get"]], ids=["after", "before"])
def test_where_to_look_may_be_said_before_or_after_the_verb(build, run, words: list[str]) -> None:
    cluster = build.cluster([build.taskservice(build.stable())], [])
    cluster.namespace = "elsewhere"
    _, out, _ = run(cluster, *words)
    assert out.startswith("tasks")


def test_kubeconfig_and_context_reach_the_connection(build) -> None:
    asked: list[tuple[str | None, str | None]] = []

    def connect(kubeconfig: str | None, context: str | None):
        asked.append((kubeconfig, context))
        return build.cluster([], [])

    main(["--kubeconfig", "k", "get", "--context", "c"], connect=connect, out=io.StringIO())
    assert asked == [("k", "c")]


@pytest.mark.parametrize(
    "words",
    [[], ["dance"], ["promote"], ["get", "tasks", "-A"], ["get", "-w", "-o", "json"], ["get", "-o", "xml"]],
    ids=" ".join,
)
def test_misspelt_commands_end_with_2_and_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: kubectl taskservice" in capsys.readouterr().err


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"kubectl taskservice {__version__}\n"
