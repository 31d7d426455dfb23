"""The maths of error budgets, after the SRE Workbook."""

import pytest

from taskservice_observability import slo

MONTH = 30 * 24 * 3600


@pytest.mark.parametrize(
    ("burn", "share"), [(slo.BURNS[0], 0.02), (slo.BURNS[1], 0.05), (slo.BURNS[2], 0.1), (slo.BURNS[3], 0.1)]
)
def test_each_pair_of_windows_tells_when_its_share_of_the_budget_is_gone(burn: slo.Burn, share: float) -> None:
    assert burn.factor * slo.WINDOWS[burn.long] / MONTH == pytest.approx(share)


def test_the_short_window_is_a_twelfth_of_the_long_one() -> None:
    for burn in slo.BURNS:
        assert slo.WINDOWS[burn.long] == 12 * slo.WINDOWS[burn.short]


def test_a_promise_so_low_that_an_alert_could_not_fire_is_not_to_be_had() -> None:
    """The resource's schema asks for 95 % or more: even then the fastest burn is less than every request bad."""
    assert max(burn.factor for burn in slo.BURNS) * (1 - 0.95) < 1


@pytest.mark.parametrize("name", ["availability", "latency"])
def test_every_window_that_an_alert_reads_is_recorded(name: str) -> None:
    recorded = {rule["record"] for rule in slo.recordings(name)}
    for burn in slo.BURNS:
        assert {slo.errors_ratio(burn.long), slo.errors_ratio(burn.short)} <= recorded


def test_only_a_latency_can_be_unmeasurable() -> None:
    named = {name: [rule["alert"] for rule in slo.alerts(name)] for name in ("availability", "latency")}
    assert slo.UNMEASURABLE in named["latency"]
    assert slo.UNMEASURABLE not in named["availability"]
