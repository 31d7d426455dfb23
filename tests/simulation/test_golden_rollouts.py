"""Whole rollouts, told step by step and compared with tests/golden/rollouts; ``GOLDEN_UPDATE=1`` rewrites them.

Each story is also played with everything within a second in random order: it must break no rule and end the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskservice_operator.core.model import ObjectKey, VaultContent, VaultTrouble
from testkit.builders import TaskServiceBuilder, a_taskservice
from testkit.golden import LEGEND, Stage, compare
from testkit.world import STARTS, crashes, dies_when_live, never

GOLDEN = Path(__file__).parents[1] / "golden" / "rollouts"
SHUFFLED = 5
WEB = a_taskservice().replicas(3).rollout(progressDeadlineSeconds=60)

Story = Callable[[Stage], None]
STORIES: dict[str, tuple[TaskServiceBuilder, Story]] = {}


def story(resource: TaskServiceBuilder = WEB) -> Callable[[Story], Story]:
    def register(play: Story) -> Story:
        STORIES[play.__name__.replace("_", "-")] = (resource, play)
        return play

    return register


@story()
def first_deploy(s: Stage) -> None:
    s.run(30)


@story()
def good_release(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(360)


@story(WEB.promoted_by_hand())
def manual_promotion(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(60).asks("promote")
    s.run(30)


@story(WEB.blue_green(autoPromotionSeconds=30).analysed_before(count=2))
def timed_promotion(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(60)


@story(WEB.blue_green(previewReplicas=1))
def preview_smaller_than_live(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(40)


@story()
def crash_loop_is_aborted_by_the_deadline(s: Stage) -> None:
    s.image_lives("app:2", crashes)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(150)


@story(WEB.analysed_before(count=3))
def pre_analysis_fails(s: Stage) -> None:
    s.run(20).measures(lambda measure: "Fail" if measure.index == 1 else "Pass")
    s.apply(s.resource.image("app:2"))
    s.run(90)


@story(WEB.analysed_after(count=3))
def post_analysis_fails(s: Stage) -> None:
    s.run(20).measures(lambda measure: "Fail" if measure.index == 1 else "Pass")
    s.apply(s.resource.image("app:2"))
    s.run(90)


@story(WEB.analysed_after(count=3))
def promoted_pods_all_die(s: Stage) -> None:
    s.image_lives("app:2", dies_when_live(4))
    s.run(20).apply(s.resource.image("app:2"))
    s.run(90)


@story(WEB.analysed_after(count=3))
def post_analysis_fails_as_every_pod_dies(s: Stage) -> None:
    s.image_lives("app:2", dies_when_live(7))
    s.run(20).measures(lambda measure: "Fail" if measure.index == 1 else "Pass")
    s.apply(s.resource.image("app:2"))
    s.run(90)


@story(WEB.promoted_by_hand())
def abort_before_the_switch(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Verifying").run(3).asks("abort")
    s.run(60)


@story(WEB.analysed_after(count=10))
def abort_after_the_switch(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Proving").run(3).asks("abort")
    s.run(60)


@story(WEB.promoted_by_hand())
def superseded_in_mid_rollout(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Verifying").run(3).apply(s.resource.image("app:3"))
    s.until("Verifying").run(8).asks("promote")
    s.run(30)


@story(WEB.promoted_by_hand())
def reverted_in_mid_rollout(s: Stage) -> None:
    first = s.resource
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Verifying").run(3).apply(first)
    s.run(30)


@story(WEB.analysed_before(count=3).analysed_after(count=3))
def fast_return_to_a_kept_revision(s: Stage) -> None:
    first = s.resource
    s.run(20).apply(s.resource.image("app:2"))
    s.run(60).apply(first, "apply image=app:1 again, which is still up")
    s.run(30)


@story()
def rollback_verb(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(330).asks("rollback", "active")
    s.run(30).apply(s.resource.image("app:3"))
    s.run(30)


@story()
def rollback_after_a_failed_release(s: Stage) -> None:
    s.image_lives("app:3", never)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(30).apply(s.resource.image("app:3"))
    s.run(90).asks("rollback", "active")
    s.run(60)


@story(WEB.config_from("settings"))
def config_change_and_rollback(s: Stage) -> None:
    s.source("settings", {"MODE": "old"})
    s.run(20).source("settings", {"MODE": "new"})
    s.run(330).asks("rollback", "active")
    s.run(30)


@story(WEB.autoscaled(2, 10))
def autoscaled_prescale_and_floor_release(s: Stage) -> None:
    s.run(20).load(7)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(40).load(3)
    s.run(620)


@story(WEB.promoted_by_hand())
def kubectl_scale_in_mid_rollout(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Verifying").run(3).apply(s.resource.replicas(5), "kubectl scale --replicas=5")
    s.run(20).asks("promote")
    s.run(20)


@story(WEB.promoted_by_hand())
def replicas_changed_together_with_the_image(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2").replicas(5))
    s.run(20).asks("promote")
    s.run(20)


@story(WEB.promoted_by_hand())
def fewer_replicas_together_with_the_image(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2").replicas(1))
    s.run(20).asks("promote")
    s.run(20)


@story()
def paused_and_resumed(s: Stage) -> None:
    s.image_lives("app:2", never)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(30).apply(s.resource.paused(), "set spec.paused")
    s.run(200).image_lives("app:2", STARTS, "app:2 becomes ready")
    s.run(30).apply(s.resource.paused(False), "unset spec.paused")
    s.run(20)


@story(WEB.config_from("settings"))
def missing_config_map_is_created_later(s: Stage) -> None:
    s.run(100).source("settings", {"MODE": "new"})
    s.run(30)


@story(WEB.vault_secret("login"))
def sealed_vault_rotation_and_rollback(s: Stage) -> None:
    s.vault(VaultTrouble("VaultSealed"))
    s.run(100).vault(VaultContent({"PASSWORD": "b25l"}))
    s.run(30).vault(VaultContent({"PASSWORD": "dHdv"}))
    s.run(20).vault(VaultTrouble("VaultSealed"))
    s.run(10).asks("rollback", "active")
    s.run(30)


@story()
def name_collision(s: Stage) -> None:
    key = s.world.put_foreign("v1", "Service", "web")
    s.says("create a Service web of their own, before")
    s.run(70).says("delete that Service")
    s.world.remove(key)
    s.run(40)


@story()
def first_deploy_fails_and_recovers(s: Stage) -> None:
    s.image_lives("app:1", crashes)
    s.run(120).image_lives("app:1", STARTS, "what app:1 needs is there now")
    s.run(30)


@story()
def bad_then_bad_then_good(s: Stage) -> None:
    s.image_lives("app:2", crashes)
    s.image_lives("app:3", never)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(80).apply(s.resource.image("app:3"))
    s.run(80).apply(s.resource.image("app:4"))
    s.run(60)


@story()
def operator_dies_at_the_switch(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Staging").run(3).simulation.crash_soon(1)
    s.says("kill the operator after the first action of its next plan")
    s.run(40)


@story()
def what_was_deleted_by_hand_comes_back(s: Stage) -> None:
    s.run(20).says("delete Service web, its Deployment and its ControllerRevision")
    revision = s.world.live_revision
    s.world.remove(ObjectKey("v1", "Service", "web"))
    s.world.remove(ObjectKey("apps/v1", "Deployment", f"web-{revision}"))
    s.world.remove(ObjectKey("apps/v1", "ControllerRevision", f"web-{revision}"))
    s.run(30)


@story(WEB.analysed_after(count=30))
def stable_is_deleted_by_hand_before_an_abort(s: Stage) -> None:
    stable = s.run(20).world.live_revision
    s.apply(s.resource.image("app:2"))
    s.until("Proving").says("delete Deployment and ControllerRevision of the stable revision")
    s.world.remove(ObjectKey("apps/v1", "Deployment", f"web-{stable}"))
    s.world.remove(ObjectKey("apps/v1", "ControllerRevision", f"web-{stable}"))
    s.image_lives("app:2", never, "app:2 turns unready")
    s.run(5).asks("abort")
    s.run(30).image_lives("app:2", STARTS, "app:2 is ready again")
    s.run(30).apply(s.resource.image("app:3"))
    s.run(200)


CANARY = a_taskservice().replicas(10).rollout(progressDeadlineSeconds=60).by_steps(10, "30s", 50, "30s", 100)
CANARY_BY_HAND = CANARY.by_steps(20, None, 60, None)


@story(CANARY)
def canary_10_50_100(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(150)


@story(CANARY_BY_HAND)
def canary_is_promoted_step_by_step_and_in_full(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).apply(s.resource.image("app:3"))
    s.run(60).asks("promote-full")
    s.run(60)


@story(CANARY)
def canary_is_aborted_at_a_step_and_tried_again(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(55).asks("abort")
    s.run(60).asks("retry", "wanted")
    s.run(150)


@story(CANARY)
def canary_crash_loops_before_any_request(s: Stage) -> None:
    s.image_lives("app:2", crashes)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(150)


@story(CANARY)
def canary_crash_loops_at_more_weight(s: Stage) -> None:
    s.image_lives("app:2", lambda pod: pod.age >= 4 and int(pod.name[-5:]) <= 18)
    s.run(20).apply(s.resource.image("app:2"))
    s.run(200)


@story(CANARY)
def canary_loses_every_pod(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(60).image_lives("app:2", crashes, "every pod of app:2 begins to crash")
    s.run(60)


@story(CANARY_BY_HAND)
def change_in_mid_canary(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).apply(s.resource.image("app:3"))
    s.run(60).asks("promote")
    s.run(40).asks("promote")
    s.run(40)


@story(CANARY_BY_HAND)
def change_in_mid_canary_and_stable_is_lost(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).image_lives("app:1", never, "no pod of app:1 is ready any more")
    s.run(5).apply(s.resource.image("app:3"))
    s.run(80).asks("promote-full")
    s.run(40)


@story(CANARY_BY_HAND)
def reverted_in_mid_canary(s: Stage) -> None:
    first = s.resource
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).apply(first)
    s.run(60)


@story(CANARY)
def bad_canary_then_bad_canary(s: Stage) -> None:
    s.image_lives("app:2", crashes)
    s.image_lives("app:3", dies_when_live(15))
    s.run(20).apply(s.resource.image("app:2"))
    s.run(90).apply(s.resource.image("app:3"))
    s.run(120)


@story(CANARY.by_steps(10, "200s", 50))
def canary_pauses_for_longer_than_the_deadline(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(280)


@story(CANARY_BY_HAND)
def replicas_change_in_mid_canary(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).apply(s.resource.replicas(20), "kubectl scale --replicas=20")
    s.run(40).apply(s.resource.replicas(5), "kubectl scale --replicas=5")
    s.run(40).asks("promote")
    s.run(40)


@story(CANARY_BY_HAND)
def strategy_changes_in_mid_canary(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).apply(s.resource.rollout(strategy="BlueGreen"), "spec.rollout.strategy: BlueGreen")
    s.run(60)


@story(WEB.promoted_by_hand())
def strategy_changes_to_canary_in_mid_air(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.until("Verifying").run(10).apply(s.resource.by_steps(50, None), "spec.rollout.strategy: Canary")
    s.run(40).asks("promote")
    s.run(40)


@story(CANARY_BY_HAND)
def steps_change_in_mid_canary(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).asks("promote")
    s.run(40).apply(s.resource.by_steps(10, "20s"), "other steps: 10 %, 20 s")
    s.run(90)


@story(a_taskservice().replicas(1).rollout(progressDeadlineSeconds=60).by_steps(10, "20s", 50, "20s"))
def canary_of_a_single_replica(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(90)


@story(CANARY.by_steps(50, "20s", maxSurge=0, maxUnavailable=2))
def canary_without_a_pod_to_spare(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(120)


@story(CANARY_BY_HAND)
def canary_paused_by_the_spec(s: Stage) -> None:
    s.run(20).apply(s.resource.image("app:2"))
    s.run(20).apply(s.resource.paused(), "set spec.paused")
    s.run(5).asks("promote")
    s.run(90).apply(s.resource.paused(False), "unset spec.paused")
    s.run(30)


def played(name: str, seed: int | None = None) -> Stage:
    resource, play = STORIES[name]
    stage = Stage(resource, seed)
    play(stage)
    return stage


@pytest.mark.parametrize("name", STORIES)
def test_rollout_reads_as_before(name: str) -> None:
    ordered, shuffled = played(name), played(name, seed=1)
    title = f"# {name.replace('-', ' ')}\n{LEGEND}"
    ordered.scribe.look()
    body = "\n".join(ordered.scribe.lines)
    other = "\n".join(shuffled.scribe.lines)
    compare(GOLDEN / f"{name}.log", f"{title}\n## in order\n{body}\n\n## in random order\n{other}\n")


@pytest.mark.parametrize("name", STORIES)
def test_every_order_ends_the_same(name: str) -> None:
    expected = played(name).ending()
    for seed in range(2, SHUFFLED):
        assert played(name, seed).ending() == expected, f"seed {seed}"


def test_no_log_without_a_story() -> None:
    assert {path.stem for path in GOLDEN.glob("*.log")} == set(STORIES)
