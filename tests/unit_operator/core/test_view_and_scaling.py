"""Questions a view answers: where a rollback goes, how many pods each side has, what a change of replicas means."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api.status import Floor, HistoryEntry, Phase, Retiring, Rollout, Size
from taskservice_operator.core.scaling import Scale, expire_floor, scale_of, take_in_size
from taskservice_operator.core.traffic import live_target
from testkit.builders import a_snapshot, a_taskservice, at

ONE, TWO, THREE = (a_taskservice().image(f"app:{n}").replicas(2) for n in (1, 2, 3))
R1, R2, R3 = ONE.revision(), TWO.revision(), THREE.revision()
STABLE: dict[str, Any] = {"stable": R1, "active": R1, "wanted": R1, "size": Size(2, 2)}
STAGED: dict[str, Any] = {
    "stable": R1,
    "active": R1,
    "candidate": R2,
    "wanted": R2,
    "phase": Phase.STAGING,
    "rollout": Rollout(at(0)),
    "size": Size(2, 2),
}


def history(*steps: str) -> tuple[HistoryEntry, ...]:
    """``"+1"`` promoted, ``"-1"`` rolled back to, ``"x1"`` aborted: by number of the revision."""
    results = {"+": "Promoted", "-": "RolledBack", "x": "Aborted"}
    revisions = {"1": R1, "2": R2, "3": R3}
    return tuple(HistoryEntry(revisions[s[1]], results[s[0]], "", at(n), at(n)) for n, s in enumerate(steps))


@pytest.mark.parametrize(
    ("steps", "active", "expected"),
    [
        ((), R1, None),
        (("+1",), R1, None),
        (("+1", "+2"), R2, R1),
        (("+1", "x3", "+2"), R2, R1),
        (("+1", "+2", "+3"), R3, R2),
        (("+1", "+2", "-1"), R1, None),
        (("+1", "+2", "-1", "+3"), R3, R1),
        (("+1", "+2", "+1"), R1, R2),
        (("+3", "+1", "+2", "-1"), R1, R3),
    ],
)
def test_rollbacks_undo_promotions_one_by_one(steps: tuple[str, ...], active: str, expected: str | None) -> None:
    snapshot = a_snapshot(ONE).blue(ONE).green(TWO).side(THREE, "blue", 3)
    assert snapshot.view(history=history(*steps), active=active, stable=active).previous() == expected


def test_a_rollback_does_not_go_where_there_is_no_record() -> None:
    assert a_snapshot(TWO).green(TWO).view(history=history("+1", "+2"), active=R2, stable=R2).previous() is None


# -- sizes ---------------------------------------------------------------------------------------------------------


def test_the_candidate_needs_what_an_autoscaler_has_made_of_the_live_side() -> None:
    old, new = ONE.autoscaled(2, 10), TWO.autoscaled(2, 10)
    status = {**STAGED, "stable": old.revision(), "active": old.revision(), "candidate": new.revision()}
    assert a_snapshot(new).blue(old, ready=7).view(**status).full_size() == 7


@pytest.mark.parametrize(("low", "high", "expected"), [(2, 10, 7), (9, 10, 9), (2, 5, 5)])
def test_within_the_candidates_own_bounds(low: int, high: int, expected: int) -> None:
    old, new = ONE.autoscaled(2, 10), TWO.autoscaled(low, high)
    status = {**STAGED, "stable": old.revision(), "active": old.revision(), "candidate": new.revision()}
    assert a_snapshot(new).blue(old, ready=7).view(**status).full_size() == expected


def test_without_autoscaling_any_more_the_candidate_still_carries_the_load() -> None:
    old = ONE.autoscaled(2, 10)
    status = {**STAGED, "stable": old.revision(), "active": old.revision()}
    assert a_snapshot(TWO).blue(old, ready=7).view(**status).full_size() == 7


def test_the_preview_may_be_smaller() -> None:
    spec = TWO.replicas(4).blue_green(previewReplicas=1)
    v = a_snapshot(spec).blue(ONE, ready=2).view(**STAGED)
    assert (v.staging_size(), v.full_size()) == (1, 4)


def test_after_the_switch_the_next_revisions_replicas_are_not_for_this_one() -> None:
    spec = THREE.replicas(9)
    status = {**STAGED, "phase": Phase.PROVING, "active": R2, "floor": Floor(R2, 2)}
    v = a_snapshot(spec).blue(ONE, ready=2).green(TWO, ready=2).live(TWO).view(**status)
    assert scale_of(v, R2) == Scale(2)


def test_replicas_that_come_with_an_image_are_for_the_new_revision_alone() -> None:
    v = a_snapshot(TWO.replicas(5)).blue(ONE, ready=2).view(**STABLE)
    assert take_in_size(v).size == Size(2, 5)


def test_replicas_that_change_alone_are_for_the_live_side_even_in_mid_rollout() -> None:
    v = a_snapshot(TWO.replicas(5)).blue(ONE, ready=2).green(TWO, ready=2).view(**STAGED)
    assert take_in_size(v).size == Size(5, 5)


def test_replicas_that_change_alone_are_for_the_live_side_while_a_new_image_is_paused() -> None:
    v = a_snapshot(TWO.paused().replicas(5)).blue(ONE, ready=2).view(**{**STABLE, "wanted": R2})
    assert take_in_size(v).size == Size(5, 5)


def test_scaling_waits_while_nobody_can_say_what_is_wanted() -> None:
    live = ONE.config_from("settings").replicas(5)
    v = a_snapshot(live).source("ConfigMap", "settings", None).view(**{**STABLE, "phase": Phase.FAILED})
    assert take_in_size(v).size == Size(2, 5)


def test_scaling_works_at_rest_while_a_source_is_missing() -> None:
    live = ONE.config_from("settings").replicas(5)
    v = a_snapshot(live).blue(ONE, ready=2).source("ConfigMap", "settings", None).view(**STABLE)
    assert take_in_size(v).size == Size(5, 5)


def test_replicas_that_come_with_an_image_wait_even_while_a_source_is_missing() -> None:
    live = TWO.config_from("settings").replicas(1)
    v = a_snapshot(live).blue(ONE, ready=2).source("ConfigMap", "settings", None).view(**STABLE)
    assert take_in_size(v).size == Size(2, 1)


def test_a_kept_revision_keeps_its_size_until_its_time() -> None:
    kept = {**STABLE, "active": R2, "stable": R2, "retiring": (Retiring(R1, at(300), 2),)}
    snapshot = a_snapshot(TWO).blue(ONE, ready=2).green(TWO, ready=2).live(TWO)
    assert scale_of(snapshot.view(299, **kept), R1) == Scale(2)
    assert scale_of(snapshot.view(300, **kept), R1) == Scale(0)


def test_what_the_live_service_selects_is_never_scaled_down_under_it() -> None:
    v = a_snapshot(TWO).blue(ONE, ready=2).green(TWO, ready=2).live(ONE).view(**{**STABLE, "active": R2, "stable": R2})
    assert scale_of(v, R1) == Scale(2)


def test_a_floor_ends_with_its_time() -> None:
    v = a_snapshot(ONE).view(600, **STABLE, floor=Floor(R1, 7, at(600)))
    assert expire_floor(v).floor is None


# -- traffic -------------------------------------------------------------------------------------------------------


def test_traffic_is_not_moved_from_somebody_to_nobody() -> None:
    status = {**STAGED, "phase": Phase.RETURNING, "active": R2}
    held = a_snapshot(TWO).blue(ONE, ready=0, replicas=2).green(TWO, ready=1).live(TWO).view(**status)
    free = a_snapshot(TWO).blue(ONE, ready=0, replicas=2).green(TWO, ready=0, replicas=2).live(TWO).view(**status)
    assert (live_target(held), live_target(free)) == (R2, R1)


def test_zero_replicas_by_request_are_not_nobody() -> None:
    spec = TWO.replicas(0)
    status = {**STAGED, "phase": Phase.PROMOTING, "floor": Floor(R2, 0)}
    v = a_snapshot(spec).blue(ONE, ready=2).green(TWO, ready=0).live(ONE).view(**status)
    assert live_target(v) == R2
