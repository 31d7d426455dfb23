"""The end: nothing is left."""

from __future__ import annotations

import subprocess

import pytest

from taskservice_local.built import BuiltCluster


@pytest.mark.usefixtures("platform")
def test_down_leaves_nothing(untouched) -> None:
    """The last: it ends what the others stand on."""
    told = untouched.ok("down")
    assert "is gone" in told
    assert not BuiltCluster(untouched.paths).exists()
    assert not untouched.state.exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in processes.splitlines() if str(untouched.paths.state) in line]
