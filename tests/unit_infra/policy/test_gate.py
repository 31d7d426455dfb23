"""The rules as `make up` asks them: of every resource, before the engine registers it."""

from __future__ import annotations

import pulumi
import pytest

from infrakit.subjects import a_deployment, spoilt
from taskservice_infra.policy.gate import BrokenPolicy, known, refuse
from taskservice_infra.policy.model import UNKNOWN, Environment

CONTAINER = "spec.template.spec.containers.0"


def test_a_resource_that_breaks_a_rule_is_refused_with_the_rules_sentence() -> None:
    refuse(a_deployment(), Environment.LOCAL)
    with pytest.raises(BrokenPolicy, match="privileged"):
        refuse(spoilt(a_deployment(), f"{CONTAINER}.securityContext.privileged", True), Environment.LOCAL)


def test_what_is_secret_is_looked_at_and_what_is_not_known_yet_is_not_guessed() -> None:
    given = {"ports": [{"port": 80}], "later": pulumi.output.UNKNOWN, "text": "a"}
    assert known(given) == {"ports": [{"port": 80}], "later": UNKNOWN, "text": "a"}
