"""Which requests make sense when, and which revision they are bound to."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api.names import VERBS
from taskservice_operator.api.status import CanaryState, Failure, Phase, Rollout
from taskservice_operator.cli import verbs

OLD, NEW = "3f2a91c0de", "7c2f901b3d"
AT = "@2026-01-02T12:00:00Z"


def test_every_verb_of_the_api_can_be_asked_for() -> None:
    assert {f"taskservice.dev/{verb}" for verb in verbs.VERBS} == set(VERBS)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.VERIFYING])
def test_the_candidate_is_what_gets_promoted(build, phase: Phase) -> None:
    request = verbs.ask("promote", build.taskservice(build.releasing(phase)), build.now)
    assert (request.annotation, request.value) == ("taskservice.dev/promote", NEW + AT)
    assert request.sentence.startswith(f"asked to promote revision {NEW} of tasks")


def test_promoting_too_early_says_when_it_takes_effect(build) -> None:
    early = verbs.ask("promote", build.taskservice(build.releasing(Phase.STAGING)), build.now)
    assert "once it is available and has passed its analysis" in early.sentence
    paused = verbs.ask("promote", build.taskservice(build.releasing(), spec={"paused": True}), build.now)
    assert "once spec.paused is false" in paused.sentence


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING])
def test_before_the_switch_the_candidate_is_aborted_and_the_live_side_stays(build, phase: Phase) -> None:
    request = verbs.ask("abort", build.taskservice(build.releasing(phase)), build.now)
    assert request.value == NEW + AT
    assert request.sentence == f"asked to abort revision {NEW} of tasks: {OLD} stays live"


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.PROVING])
def test_after_the_switch_an_abort_brings_the_old_revision_back(build, phase: Phase) -> None:
    request = verbs.ask("abort", build.taskservice(build.releasing(phase)), build.now)
    assert request.value == NEW + AT
    assert f"requests go back to {OLD}" in request.sentence


def test_a_rollback_can_be_aborted_like_any_rollout(build) -> None:
    going_back = build.releasing(Phase.PROVING, rollout=Rollout(build.ago(minutes=1), rollback=True))
    assert verbs.ask("abort", build.taskservice(going_back), build.now).value == NEW + AT


def test_while_proving_the_active_revision_stands_in_for_a_missing_candidate(build) -> None:
    proving = build.taskservice(build.releasing(Phase.PROVING, candidate=None))
    assert verbs.ask("abort", proving, build.now).value == NEW + AT


def test_a_retry_is_bound_to_the_failed_revision(build) -> None:
    request = verbs.ask("retry", build.taskservice(build.failed()), build.now)
    assert (request.annotation, request.value) == ("taskservice.dev/retry", NEW + AT)


@pytest.mark.parametrize("phase", [Phase.STABLE, Phase.FAILED])
def test_a_rollback_is_bound_to_the_active_revision_and_says_where_it_goes(build, phase: Phase) -> None:
    given = build.stable(phase=phase, active=NEW, stable=NEW, previous=OLD)
    request = verbs.ask("rollback", build.taskservice(given), build.now)
    assert (request.annotation, request.value) == ("taskservice.dev/rollback", NEW + AT)
    assert request.sentence == f"asked to roll tasks back from revision {NEW} to {OLD}"


def refused(build: Any) -> dict[str, tuple[str, Any, str]]:
    first = Rollout(build.ago(minutes=1))
    return {
        "promote at rest": ("promote", build.stable(), "no rollout of tasks is under way"),
        "promote what failed": ("promote", build.failed(), "try it again with `kubectl taskservice retry tasks`"),
        "promote twice": ("promote", build.releasing(Phase.PRESCALING), "approved already"),
        "promote while switching": ("promote", build.releasing(Phase.PROMOTING), "approved already"),
        "promote what is live": ("promote", build.releasing(Phase.PROVING), "is live already"),
        "abort at rest": ("abort", build.stable(), "no rollout of tasks is under way (phase Stable, revision"),
        "abort what failed": ("abort", build.failed(), "has failed"),
        "abort twice": ("abort", build.releasing(Phase.RETURNING), "going back to revision 3f2a91c0de already"),
        "abort the first ever": (
            "abort",
            build.releasing(Phase.PROVING, stable=None, rollout=first),
            "there is none to go back to",
        ),
        "retry at rest": ("retry", build.stable(), "there is nothing to retry"),
        "retry while trying": (
            "retry",
            build.releasing(failure=Failure("x", "R", "m", build.now)),
            "there is nothing to retry",
        ),
        "retry what nobody wants": ("retry", build.failed(wanted="another"), "apply it again, then retry"),
        "rollback in a rollout": ("rollback", build.releasing(), "give it up with `kubectl taskservice abort tasks`"),
        "rollback of nothing": ("rollback", build.failed(active=None, stable=None), "nothing of tasks is live yet"),
        "rollback to nowhere": ("rollback", build.stable(), "the only one known to be good"),
    }


CASES = (
    "promote at rest",
    "promote what failed",
    "promote twice",
    "promote while switching",
    "promote what is live",
    "abort at rest",
    "abort what failed",
    "abort twice",
    "abort the first ever",
    "retry at rest",
    "retry while trying",
    "retry what nobody wants",
    "rollback in a rollout",
    "rollback of nothing",
    "rollback to nowhere",
)


@pytest.mark.parametrize("case", CASES)
def test_what_makes_no_sense_is_refused_with_a_sentence(build, case: str) -> None:
    verb, status, words = refused(build)[case]
    with pytest.raises(verbs.NotApplicable) as refusal:
        verbs.ask(verb, build.taskservice(status), build.now)
    assert words in str(refusal.value)


def test_all_cases_are_tried(build) -> None:
    assert set(CASES) == set(refused(build))


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_nothing_can_be_asked_of_a_service_the_operator_has_not_seen(build, verb: str) -> None:
    for unseen in (build.taskservice(), {**build.taskservice(), "status": {"observedGeneration": -1}}):
        with pytest.raises(verbs.NotApplicable, match="is it running"):
            verbs.ask(verb, unseen, build.now)


STEPS = {"rollout": {"strategy": "Canary", "canary": {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}]}}}


def at_step(build: Any, index: int) -> Any:
    canary = CanaryState("plan", 3, index, desired_weight=10, observed_weight=10)
    return build.taskservice(build.releasing(Phase.STEPPING, canary=canary), spec=STEPS, step="weight goes to 10 %")


def test_promoting_a_canary_ends_its_pause(build) -> None:
    request = verbs.ask("promote", at_step(build, 1), build.now)
    assert (request.annotation, request.value) == ("taskservice.dev/promote", NEW + AT)
    assert request.sentence == f"asked to end the pause of revision {NEW} of tasks at step 2 of 3"


@pytest.mark.parametrize("index", [0, 2, 3])
def test_a_canary_without_a_pause_to_end_says_how_to_skip_what_is_left(build, index: int) -> None:
    with pytest.raises(verbs.NotApplicable, match=r"not at a pause \(weight goes to 10 %\).*promote --full tasks"):
        verbs.ask("promote", at_step(build, index), build.now)


def test_promoting_in_full_skips_the_steps_of_a_canary_and_is_plain_promotion_elsewhere(build) -> None:
    request = verbs.ask("promote-full", at_step(build, 0), build.now)
    assert (request.annotation, request.value) == ("taskservice.dev/promote-full", NEW + AT)
    assert "without the steps that are left" in request.sentence
    plain = verbs.ask("promote-full", build.taskservice(build.releasing()), build.now)
    assert plain.sentence == f"asked to promote revision {NEW} of tasks"
    with pytest.raises(verbs.NotApplicable, match="on its way"):
        verbs.ask("promote-full", at_step(build, 3), build.now)


def test_aborting_a_canary_says_where_requests_go(build) -> None:
    assert f"requests go back to {OLD}" in verbs.ask("abort", at_step(build, 1), build.now).sentence
