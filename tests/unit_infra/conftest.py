"""Tests of platform/pulumi: programs run on an engine that records (``infrakit.engine``); nothing is made."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_infra.passwords import new_seed


@pytest.fixture
def stacks() -> dict[str, dict[str, Any]]:
    """What earlier projects published, by project."""
    return {"cluster": {"kubeconfig": "/state/kubeconfig", "context": "taskservice"}}


@pytest.fixture
def seed() -> str:
    """A seed that no other test has."""
    return new_seed()
