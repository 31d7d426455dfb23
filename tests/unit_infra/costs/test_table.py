"""The documentation's table says what the stack files say, and its sums are sums."""

from __future__ import annotations

import pytest

from taskservice_infra.costs.estimate import Use, estimate, prices_of, total
from taskservice_infra.costs.table import PAGE, STACKS, cluster_in, files, page

CLUSTERS = {f"{cloud}-{stack}": (stack, cluster_in(file)) for cloud, stack, file in files()}


def test_the_page_is_as_the_stack_files_have_it() -> None:
    written = PAGE.read_text()
    assert page(written) == written, "python -m taskservice_infra.costs --write"


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_size_has_a_price_and_the_largest_costs_no_less_than_the_smallest(name: str) -> None:
    stack, cluster = CLUSTERS[name]
    items = estimate(cluster, STACKS[stack])
    assert all(item.least <= item.most for item in items)
    assert total(items).least == pytest.approx(sum(item.least for item in items))
    assert total(items).least > 0


def test_nodes_cost_their_hours_and_spot_ones_a_share() -> None:
    _, cluster = CLUSTERS["eks-production"]
    steady, spot = cluster.node_pools
    nodes = next(item for item in estimate(cluster, Use(0, 0, 0)) if item.what == "nodes")
    price = prices_of(cluster).sizes[steady.size]
    assert nodes.least == pytest.approx(steady.minimum * price * 730)
    assert nodes.most - steady.maximum * price * 730 == pytest.approx(spot.maximum * price * 730 * 0.35)


def test_one_way_out_per_zone_is_paid_for_where_nothing_may_fail() -> None:
    ways = {
        name: next(item.least for item in estimate(cluster, Use(0, 0, 0)) if item.what == "way out")
        for name, (_, cluster) in CLUSTERS.items()
    }
    assert ways["eks-production"] == pytest.approx(3 * ways["eks-staging"])


def test_traffic_is_paid_for_by_the_gib() -> None:
    _, cluster = CLUSTERS["gke-staging"]
    quiet, busy = (total(estimate(cluster, Use(leaving, 0, 0))).least for leaving in (0, 100))
    assert busy - quiet == pytest.approx(100 * prices_of(cluster).way_out_gib)
