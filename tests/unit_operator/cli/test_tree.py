"""The tree as people see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from taskservice_operator.api.status import CanaryState, Phase, Retiring
from taskservice_operator.cli import tree
from taskservice_operator.cli.style import Style


def test_a_stable_service_is_a_line_a_sentence_and_its_revision(build) -> None:
    seen = tree.render(
        build.taskservice(build.stable(), step=f"revision {build.old} is live"),
        [build.deployment(build.old, "blue", 3, 3)],
        build.now,
    )
    assert seen.splitlines() == [
        "tasks  Stable  Ready=True",
        "revision 3f2a91c0de is live",
        "└── ● blue  3f2a91c0de  active, stable  3/3 ready  example/tasks:1  2h",
    ]


def test_a_rollout_shows_both_sides_and_what_is_measured(build) -> None:
    seen = tree.render(
        build.taskservice(build.releasing(analysis=(build.measured(failed=1, message="GET / answered 500"),))),
        [
            build.deployment(build.new, "green", 1, 2, image="example/tasks:2", created=build.ago(seconds=40)),
            build.deployment(build.old, "blue", 3, 3),
        ],
        build.now,
    )
    assert seen.splitlines()[2:] == [
        "├── ● blue   3f2a91c0de  active, stable  3/3 ready  example/tasks:1  2h",
        "└── ● green  7c2f901b3d  candidate       1/2 ready  example/tasks:2  40s",
        "             PrePromotion/smoke Running, 2 measured, 1 failed: GET / answered 500",
    ]


def test_a_kept_revision_counts_down(build) -> None:
    kept = (Retiring(build.old, build.now + timedelta(seconds=250), 3),)
    seen = tree.render(
        build.taskservice(build.stable(stable=build.new, active=build.new, wanted=build.new, retiring=kept)),
        [build.deployment(build.old, "blue", 3, 3), build.deployment(build.new, "green", 3, 3)],
        build.now,
    )
    first, second = seen.splitlines()[2:]
    assert "7c2f901b3d  active, stable" in first
    assert second.endswith("scales to 0 in 4m10s")
    assert " kept " in second


def test_a_countdown_that_is_over_says_so(build) -> None:
    kept = (Retiring(build.new, build.ago(seconds=1), 3),)
    seen = tree.render(
        build.taskservice(build.failed(retiring=kept)), [build.deployment(build.new, "green", 0, 2)], build.now
    )
    assert seen.endswith("scaling to 0")


def test_the_failed_revision_is_named_as_such(build) -> None:
    seen = tree.render(
        build.taskservice(build.failed(), step="it never came up", ready="False"),
        [build.deployment(build.old, "blue", 3, 3), build.deployment(build.new, "green", 0, 2)],
        build.now,
    )
    assert seen.startswith("tasks  Failed  Ready=False\nit never came up")
    assert "failed, kept" in seen.splitlines()[-1]


def test_old_revisions_without_pods_are_left_out(build) -> None:
    seen = tree.render(
        build.taskservice(build.stable()),
        [build.deployment(build.old, "blue", 3, 3), build.deployment("0000000000", "green", 0, 0)],
        build.now,
    )
    assert "0000000000" not in seen


def test_an_active_revision_without_a_deployment_is_shown_as_missing_its_pods(build) -> None:
    assert f"- {build.old}" in tree.render(build.taskservice(build.stable()), [], build.now).replace("  ", " ")


def test_a_service_nobody_has_looked_at_says_so(build) -> None:
    unseen = {**build.taskservice(), "status": {"observedGeneration": -1}}
    seen = tree.render(unseen, [], build.now)
    assert seen == tree.render(build.taskservice(), [], build.now)
    assert seen == "tasks  Unseen  Ready=Unknown\nthe operator has not looked at it yet"


def test_a_change_the_operator_has_not_seen_is_pointed_out(build) -> None:
    seen = tree.sentence(build.taskservice(build.stable(), generation=3, observed=2))
    assert seen == "all is well (the last change was not seen by the operator yet)"


def test_a_trouble_with_vault_is_told_even_where_all_is_live(build) -> None:
    seen = build.taskservice(build.stable())
    trouble = {
        "type": "SecretsReady",
        "status": "False",
        "reason": "VaultSealed",
        "message": "Vault is sealed: unseal it",
    }
    seen["status"]["conditions"].append(trouble)
    assert tree.render(seen, [], build.now).splitlines()[1:3] == ["all is well", "Vault is sealed: unseal it"]
    seen["status"]["step"] = trouble["message"]
    assert tree.render(seen, [], build.now).count("unseal it") == 1
    trouble["status"] = "True"
    seen["status"]["step"] = "all is well"
    assert "unseal" not in tree.render(seen, [], build.now)


def test_paused_and_namespace_are_in_the_headline(build) -> None:
    paused = build.taskservice(build.stable(), spec={"paused": True})
    assert tree.render(paused, [], build.now, with_namespace=True).startswith(
        "shop/tasks  Stable  Ready=True  paused\n"
    )


@pytest.mark.parametrize(
    ("phase", "code"), [(Phase.STABLE, "32"), (Phase.FAILED, "31"), (Phase.VERIFYING, "33")], ids=lambda each: str(each)
)
def test_on_a_terminal_the_phase_has_a_colour(build, phase: Phase, code: str) -> None:
    painted = tree.render(build.taskservice(build.stable(phase=phase)), [], build.now, Style(enabled=True))
    assert f"\x1b[{code}m{phase}\x1b[0m" in painted


def test_colours_change_nothing_but_colours(build) -> None:
    import re

    given = build.taskservice(build.releasing(analysis=(build.measured(),)))
    both = [build.deployment(build.old, "blue", 3, 3), build.deployment(build.new, "green", 1, 2)]
    painted = tree.render(given, both, build.now, Style(enabled=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == tree.render(given, both, build.now)


def test_the_one_line_form_has_no_times_in_it(build) -> None:
    given = build.taskservice(build.failed(), step="it never came up", ready="False")
    both = [build.deployment(build.old, "blue", 3, 3), build.deployment(build.new, "green", 0, 2)]
    assert tree.line(given, both) == (
        "shop/tasks Failed Ready=False | blue 3f2a91c0de active+stable 3/3, green 7c2f901b3d failed+kept 0/2"
        " | it never came up"
    )


@pytest.mark.parametrize(
    ("canary", "words"),
    [
        (CanaryState("plan", 5, 1, desired_weight=10, observed_weight=10), "canary step 2 of 5  weight 10 %"),
        (
            CanaryState("plan", 5, 2, desired_weight=50, observed_weight=36),
            "canary step 3 of 5  weight 50 %, 36 % observed",
        ),
        (
            CanaryState("plan", 5, 5, desired_weight=100, observed_weight=77),
            "canary after the last step  weight 100 %, 77 % observed",
        ),
    ],
)
def test_a_canary_shows_its_step_and_its_weight(build, canary: CanaryState, words: str) -> None:
    seen = build.taskservice(build.releasing(Phase.STEPPING, canary=canary), ready="Unknown")
    assert tree.render(seen, [], build.now).splitlines()[0] == f"tasks  Stepping  Ready=Unknown  {words}"
    assert words in tree.line(seen, [])
