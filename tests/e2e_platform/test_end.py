"""The end: of one project, which leaves the others as they are, and of everything."""

from __future__ import annotations

import subprocess

import pytest

from taskservice_local.built import BuiltCluster


def test_a_project_that_is_taken_down_leaves_nothing_of_its_own_and_the_others_as_they_are(platform) -> None:
    before = {name: each for name, each in platform.generations().items() if name.startswith(("data/", "observab"))}
    told = platform.ok("down", "apps")
    assert "Gone: apps" in told
    definitions = [item["metadata"]["name"] for item in platform.items("customresourcedefinitions")]
    # Its chart keeps it: with the definition, the TaskServices of everybody in the cluster would go.
    assert definitions == ["taskservices.taskservice.dev"]
    assert platform.items("taskservices.taskservice.dev", "-A") == []
    for namespace in ("apps", "taskservice-system"):
        platform.until(
            f"nothing is left in {namespace}",
            lambda namespace=namespace: not platform.items("pods,services,secrets,deployments", "-n", namespace),
        )
    after = {name: each for name, each in platform.generations().items() if name.startswith(("data/", "observab"))}
    assert after == before


@pytest.mark.usefixtures("platform")
def test_down_leaves_nothing(untouched) -> None:
    """The last: it ends what the others stand on."""
    told = untouched.ok("down")
    assert "is gone" in told
    assert not BuiltCluster(untouched.paths).exists()
    assert not untouched.state.exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in processes.splitlines() if str(untouched.paths.state) in line]
