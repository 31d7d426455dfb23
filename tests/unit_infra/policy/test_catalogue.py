"""Which rules are in force where, who is exempt, and that an exemption is seen to be needed."""

from __future__ import annotations

import pytest

from infrakit.subjects import a_deployment, a_resource, a_service, spoilt
from taskservice_infra.policy.catalogue import EXEMPTIONS, RULES, check, unused
from taskservice_infra.policy.model import Environment, Exemption

BY_TAG = spoilt(a_deployment(), "spec.template.spec.containers.0.image", "web:1")


@pytest.mark.parametrize(
    ("stack", "environment"),
    [
        ("local", Environment.LOCAL),
        ("local-mine", Environment.LOCAL),
        ("localities", Environment.STAGING),
        ("staging", Environment.STAGING),
        ("anything", Environment.STAGING),
        ("production", Environment.PRODUCTION),
        ("production-gke", Environment.PRODUCTION),
    ],
)
def test_a_stacks_name_says_how_strict_to_be(stack: str, environment: Environment) -> None:
    assert Environment.of_stack(stack) is environment


def test_an_image_by_tag_may_run_on_the_local_cluster_only() -> None:
    assert check([BY_TAG], Environment.LOCAL) == []
    for environment in (Environment.STAGING, Environment.PRODUCTION):
        (found,) = check([BY_TAG], environment)
        assert found.rule == "images-by-digest"
        assert str(found).startswith("kubernetes:apps/v1:Deployment 'subject': container web runs web:1")


def test_a_load_balancer_for_all_may_stand_before_staging_only() -> None:
    balancer = a_service(ranges=())
    assert check([balancer], Environment.STAGING) == []
    assert [found.rule for found in check([balancer], Environment.PRODUCTION)] == ["load-balancer-sources"]


def test_a_public_database_is_refused_everywhere() -> None:
    public = a_resource("aws:rds/instance:Instance", publiclyAccessible=True, storageEncrypted=True)
    for environment in Environment:
        assert [found.rule for found in check([public], environment)] == ["no-public-database"]


def test_an_exemption_lets_one_resource_break_one_rule() -> None:
    exemption = Exemption("images-by-digest", "kubernetes:apps/v1:Deployment::sub*", "built on the spot")
    assert check([BY_TAG], Environment.STAGING, exemptions=[exemption]) == []
    other = Exemption("pods-restricted", exemption.resource, exemption.reason)
    assert check([BY_TAG], Environment.STAGING, exemptions=[other]) != []


def test_an_exemption_that_nothing_needs_is_found() -> None:
    exemption = Exemption("images-by-digest", "*::subject", "built on the spot")
    assert list(unused([BY_TAG], [exemption])) == []
    assert list(unused([a_deployment()], [exemption])) == [exemption]


def test_names_of_rules_are_distinct_and_exemptions_name_one_and_say_why() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    for exemption in EXEMPTIONS:
        assert exemption.rule in names
        assert len(exemption.reason) > 20
