"""Weights by replica ratio: every size up to 40, every weight, with and without a pod to spare."""

from __future__ import annotations

import itertools
import random

import pytest

from taskservice_operator.core.weights import Limits, Split, limits, move, observed_weight, split

SIZES = range(41)
WEIGHTS = range(101)


@pytest.mark.parametrize(
    ("replicas", "weight", "alone", "with_surge"),
    [
        (10, 1, (1, 9), (1, 10)),
        (10, 25, (3, 7), (3, 8)),
        (4, 50, (2, 2), (2, 2)),
        (3, 50, (2, 1), (2, 2)),
        (1, 1, (0, 1), (1, 1)),
        (10, 10, (1, 9), (1, 9)),
        # the hole: the rule as published finds nothing here, and gives the candidate no pod
        (2, 75, (1, 1), (2, 1)),
        (5, 90, (4, 1), (5, 1)),
        (10, 95, (9, 1), (10, 1)),
        (25, 98, (24, 1), (25, 1)),
        (50, 99, (49, 1), (50, 1)),
    ],
)
def test_the_split_is_the_nearest_one(
    replicas: int, weight: int, alone: tuple[int, int], with_surge: tuple[int, int]
) -> None:
    assert split(replicas, weight, surge=0) == Split(*alone)
    assert split(replicas, weight, surge=1) == Split(*with_surge)


@pytest.mark.parametrize("surge", [0, 1, 5])
def test_more_weight_is_never_fewer_pods_of_the_candidate_nor_more_of_stable(surge: int) -> None:
    for replicas in SIZES:
        splits = [split(replicas, weight, surge) for weight in WEIGHTS]
        for lighter, heavier in itertools.pairwise(splits[1:100]):
            assert lighter.candidate <= heavier.candidate, (replicas, lighter, heavier)
            assert lighter.stable >= heavier.stable, (replicas, lighter, heavier)


@pytest.mark.parametrize("surge", [0, 1, 5])
def test_inside_neither_side_is_empty_and_at_the_ends_one_side_is_all(surge: int) -> None:
    for replicas in SIZES:
        assert split(replicas, 0, surge) == Split(0, replicas)
        assert split(replicas, 100, surge) == Split(replicas, 0)
        if replicas + min(surge, 1) >= 2:
            for weight in range(1, 100):
                found = split(replicas, weight, surge)
                assert found.candidate >= 1, (replicas, weight)
                assert found.stable >= 1, (replicas, weight)
                assert replicas <= found.total <= replicas + min(surge, 1)


def test_no_other_split_within_the_limits_is_nearer() -> None:
    for replicas in range(2, 40):
        for weight in range(1, 100):
            found = split(replicas, weight, surge=1)
            missed = abs(found.candidate / found.total - weight / 100)
            for total in (replicas, replicas + 1):
                for count in range(1, total):
                    assert missed <= abs(count / total - weight / 100) + 1e-9


def test_the_observed_weight_is_the_share_and_tells_an_empty_side_from_a_small_one() -> None:
    for candidate in range(300):
        for stable in range(0, 300, 7):
            weight = observed_weight(candidate, stable)
            assert abs(weight * (candidate + stable) - 100 * candidate) <= candidate + stable
            assert (weight == 0) == (candidate == 0)
            assert (weight == 100) == (candidate > 0 and stable == 0)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", Limits(3, 2)),
        (4, "25%", "25%", Limits(1, 1)),
        (1, "25%", "25%", Limits(1, 0)),
        (1, 0, 1, Limits(1, 1)),
        (10, 0, 0, Limits(0, 1)),
        (10, 2, 0, Limits(2, 0)),
        (2, 0, 9, Limits(0, 2)),
        (0, "25%", "25%", Limits(0, 1)),
    ],
)
def test_limits_are_read_as_deployments_read_them(
    replicas: int, surge: int | str, unavailable: int | str, expected: Limits
) -> None:
    assert limits(replicas, surge, unavailable) == expected


def test_every_way_from_one_weight_to_another_arrives_within_the_limits() -> None:
    """Pods become ready in any order and some get lost again; whatever is asked for in between keeps the limits."""
    chance = random.Random(1)
    for _ in range(3000):
        replicas = chance.randrange(1, 25)
        limit = limits(replicas, chance.randrange(4), chance.randrange(4))
        goal = split(replicas, chance.randrange(101), limit.surge)
        asked = split(replicas, chance.randrange(101), limit.surge)
        serving = asked
        for turn in range(400):
            following = move(goal, asked, serving, serving, replicas, limit)
            assert following.total <= max(asked.total, replicas + limit.surge)
            assert following.stable >= min(asked.stable, goal.stable), "stable fell below what its weight needs"
            left = Split(min(serving.candidate, following.candidate), min(serving.stable, following.stable))
            assert left.total >= min(serving.total, replicas - limit.unavailable)
            if following == goal and left == goal:
                break
            asked = following
            calm = turn > 100
            serving = Split(
                _next_serving(chance, left.candidate, asked.candidate, calm),
                _next_serving(chance, left.stable, asked.stable, calm),
            )
        else:
            raise AssertionError(f"never arrived at {goal}: {asked}, {serving}, {replicas}, {limit}")


def _next_serving(chance: random.Random, serving: int, asked: int, calm: bool) -> int:
    if not calm and serving and chance.random() < 0.1:
        return serving - 1
    return min(asked, serving + chance.randrange(2))


def test_stable_grows_before_the_candidate() -> None:
    assert move(Split(5, 5), Split(2, 2), Split(2, 2), Split(2, 2), 8, Limits(1, 1)) == Split(4, 5)


def test_a_candidate_that_does_not_serve_costs_stable_nothing_beyond_the_limit() -> None:
    asked, serving = Split(4, 9), Split(1, 9)
    assert move(Split(5, 5), asked, serving, serving, 10, Limits(3, 0)) == Split(4, 9)
    assert move(Split(5, 5), asked, serving, serving, 10, Limits(3, 2)) == Split(4, 7)


def test_pods_that_may_serve_although_nobody_said_so_yet_are_not_taken_for_idle() -> None:
    known_to_serve, might = Split(5, 0), Split(5, 5)
    assert move(Split(10, 0), Split(8, 5), known_to_serve, might, 10, Limits(3, 2)) == Split(8, 5)
