"""Weights without a gateway: how many pods of two revisions behind one Service make a share of its traffic.

A Service spreads connections evenly over its ready endpoints, so a weight is a ratio of pods.  The rule for the split
is that of argo-rollouts without a traffic router: the candidate's count is floor or ceiling of ``n·weight/100`` out of
``n`` pods and, where one more pod is allowed, out of ``n+1``; the nearest share wins.  There, a split that left a side
without pods was thrown away, and for some (2 at 75 %, 10 at 95 %) none was left, which then counted as no candidate
at all; here a side that would be empty gets one pod.  Weights are whole percents from 0 to 100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

WHOLE = 100


@dataclass(frozen=True)
class Split:
    """Pods of the two sides."""

    candidate: int
    stable: int

    @property
    def total(self) -> int:
        return self.candidate + self.stable


@dataclass(frozen=True)
class Limits:
    """``surge``: pods beyond the replicas asked for; ``unavailable``: of them, how many may not serve."""

    surge: int
    unavailable: int


def limits(replicas: int, max_surge: int | str, max_unavailable: int | str) -> Limits:
    """The limits in pods, as Deployments read them: percents of surge round up, of unavailability down; not both 0.

    One replica needs a second pod beside it, else one of two sides had none.
    """
    surge = _pods(max_surge, replicas, up=True)
    unavailable = min(_pods(max_unavailable, replicas, up=False), replicas)
    if replicas == 1:
        surge = max(surge, 1)
    return Limits(surge, 1 if surge == unavailable == 0 else unavailable)


def split(replicas: int, weight: int, surge: int) -> Split:
    """The pods that come nearest to giving the candidate ``weight`` percent of what ``replicas`` pods carry.

    Both counts are monotone in ``weight``, and inside (0, 100) neither is 0, provided that there are two pods to split.
    """
    if weight <= 0:
        return Split(0, replicas)
    if weight >= WHOLE:
        return Split(replicas, 0)
    found: Split | None = None
    for total in (replicas, replicas + 1) if surge > 0 else (replicas,):
        share = total * weight
        counts = (share // WHOLE, math.ceil(share / WHOLE))
        for count in counts[1:] if share % WHOLE == WHOLE // 2 else counts:
            inside = min(max(count, 1), total - 1)
            if total < 2:
                continue
            option = Split(inside, total - inside)
            if found is None or _error(option, weight) < _error(found, weight):
                found = option
    return found or Split(0, replicas)


def _error(option: Split, weight: int) -> Fraction:
    return abs(Fraction(option.candidate, option.total) - Fraction(weight, WHOLE))


def move(goal: Split, asked: Split, serving: Split, ready: Split, replicas: int, limit: Limits) -> Split:
    """The next counts on the way from ``asked`` to ``goal``.

    ``serving``: pods that certainly take traffic, and will; ``ready``: those that might.  Stable grows before the
    candidate; never more than ``replicas + surge`` pods are asked for, and no pod that might serve goes while fewer
    than ``replicas - unavailable`` certain ones would be left.  Pods that are not ready may go freely.
    """
    room = max(replicas + limit.surge - asked.total, 0)
    stable_up = min(max(goal.stable - asked.stable, 0), room)
    candidate_up = min(max(goal.candidate - asked.candidate, 0), room - stable_up)
    spare = max(serving.total - max(replicas - limit.unavailable, 0), 0)
    stable_idle, candidate_idle = max(asked.stable - ready.stable, 0), max(asked.candidate - ready.candidate, 0)
    stable_down = min(max(asked.stable - goal.stable, 0), stable_idle + spare)
    spare -= max(stable_down - stable_idle, 0)
    candidate_down = min(max(asked.candidate - goal.candidate, 0), candidate_idle + spare)
    return Split(asked.candidate + candidate_up - candidate_down, asked.stable + stable_up - stable_down)


def observed_weight(candidate: int, stable: int) -> int:
    """The candidate's share of so many serving pods, in whole percents; 0 and 100 only where a side has none."""
    total = candidate + stable
    if candidate == 0 or total == 0:
        return 0
    if stable == 0:
        return WHOLE
    return min(max(round(candidate * WHOLE / total), 1), WHOLE - 1)


def _pods(amount: int | str, replicas: int, *, up: bool) -> int:
    """An amount of pods, or a percentage like ``"25%"`` of ``replicas``."""
    if isinstance(amount, int):
        return amount
    share = int(amount.removesuffix("%")) * replicas
    return -(-share // WHOLE) if up else share // WHOLE
