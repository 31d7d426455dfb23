"""Clusters on one machine get ranges that clash neither with each other nor with the host's routes."""

from __future__ import annotations

import itertools
import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from taskservice_local import network
from taskservice_local.errors import LocalError
from taskservice_local.network import INDEXES, NetworkPlan


def test_no_two_indexes_share_an_address_and_all_ranges_are_private() -> None:
    ranges = [each for index in range(INDEXES) for each in NetworkPlan("x", index).ranges]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2))
    assert all(each.is_private for each in ranges)


def test_the_lowest_free_index_is_chosen() -> None:
    assert network.choose_index("x", [], []) == 0
    assert network.choose_index("x", [0, 2], []) == 1


def test_an_index_whose_ranges_the_host_routes_elsewhere_is_passed_over() -> None:
    assert network.choose_index("x", [], [NetworkPlan("x", 0).services, IPv4Network("10.241.4.0/24")]) == 2


def test_when_no_index_is_left_the_user_is_told_what_to_do() -> None:
    with pytest.raises(LocalError, match="take a cluster down"):
        network.choose_index("x", [], [IPv4Network("10.0.0.0/8")])


def test_default_routes_and_our_own_are_not_clashes() -> None:
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.241.0.0/22", "dev": "ts-own"},
        {"dst": "192.0.2.7", "dev": "eth0"},
    ]
    assert network.parse_routes(json.dumps(routes), "ts-own") == [IPv4Network("192.0.2.7/32")]
    assert network.parse_routes("", "ts-own") == []


def test_interface_names_fit_into_fifteen_characters_and_differ_by_cluster() -> None:
    names = {NetworkPlan(label, 0).host_link for label in ("taskservice", "taskservice-" + "x" * 32, "taskservice-b")}
    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)


def test_pods_are_routed_not_bridged_and_keep_their_address() -> None:
    plan = NetworkPlan("taskservice", 3)
    pods = json.loads(network.conflist(plan, Path("/data")))["plugins"][0]
    assert (pods["type"], pods["ipMasq"]) == ("ptp", False)
    assert pods["ipam"]["ranges"] == [[{"subnet": str(plan.pods)}]]
