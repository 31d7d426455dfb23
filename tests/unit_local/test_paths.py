"""Cache and state lie where the environment says, and a cluster's name is fit for all that is named after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_local.built import label_of
from taskservice_local.errors import LocalError
from taskservice_local.paths import ClusterPaths, cache_root, state_root


def test_our_own_variable_wins_over_the_desktops_and_that_over_the_home() -> None:
    assert cache_root({"TASKSERVICE_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert cache_root({"XDG_CACHE_HOME": "/b"}) == Path("/b/taskservice")
    assert state_root({}) == Path.home() / ".local/state/taskservice"


def test_two_clusters_share_no_path() -> None:
    one = ClusterPaths.of({"TASKSERVICE_CLUSTER": "one"})
    two = ClusterPaths.of({"TASKSERVICE_CLUSTER": "two"})
    assert one.state != two.state
    assert one.run != two.run
    assert label_of(one.name) != label_of(two.name)


@pytest.mark.parametrize("name", ["Upper", "a/b", "-a", "a-", "x" * 33, "..", "a b"])
def test_a_name_that_cannot_name_an_interface_or_a_cgroup_is_refused(name: str) -> None:
    with pytest.raises(LocalError, match="cannot name a cluster"):
        ClusterPaths.of({"TASKSERVICE_CLUSTER": name})


def test_the_longest_name_still_leaves_room_for_a_sockets_path() -> None:
    paths = ClusterPaths.of({"TASKSERVICE_CLUSTER": "x" * 32})
    assert len(str(paths.containerd_socket) + ".ttrpc") < 108
