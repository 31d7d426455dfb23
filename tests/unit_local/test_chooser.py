"""Which cluster is chosen, and the sentence that says why."""

from __future__ import annotations

import pytest

from taskservice_local.chooser import choose
from taskservice_local.errors import LocalError


def test_an_existing_cluster_is_used_only_when_asked_for(make_machine) -> None:
    assert choose({}, make_machine(docker=True), None)[0] == "kind"
    kind, reason = choose({"CLUSTER": "current"}, make_machine(docker=True), None)
    assert kind == "current"
    assert "as asked" in reason


def test_kind_is_chosen_where_docker_answers_and_the_built_one_elsewhere(make_machine) -> None:
    assert choose({}, make_machine(docker=True), None)[0] == "kind"
    kind, reason = choose({}, make_machine(docker=False), None)
    assert kind == "built"
    assert "Docker does not answer" in reason


def test_what_is_asked_for_wins_over_what_would_be_chosen(make_machine) -> None:
    assert choose({"CLUSTER": "built"}, make_machine(docker=True), None)[0] == "built"


def test_a_cluster_that_is_up_is_used_again(make_machine) -> None:
    assert choose({}, make_machine(docker=True), "built")[0] == "built"


def test_asking_for_another_kind_than_the_one_that_is_up_is_refused(make_machine) -> None:
    with pytest.raises(LocalError, match="take it down"):
        choose({"CLUSTER": "kind"}, make_machine(), "built")


@pytest.mark.parametrize("facts", [{"is_root": False}, {"is_linux": False}])
def test_without_docker_root_or_linux_one_sentence_says_what_to_do(make_machine, facts: dict[str, bool]) -> None:
    with pytest.raises(LocalError, match=r"start Docker, or run `sudo make cluster`\.$"):
        choose({}, make_machine(**facts), None)


def test_an_unknown_kind_is_answered_with_the_known_ones(make_machine) -> None:
    with pytest.raises(LocalError, match="built, kind, current"):
        choose({"CLUSTER": "minikube"}, make_machine(), None)
