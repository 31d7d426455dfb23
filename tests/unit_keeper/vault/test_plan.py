"""What is done to a Vault next, from what can be seen of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice_keeper.vault import plan, policies
from taskservice_keeper.vault.desired import Desired
from taskservice_keeper.vault.plan import CannotBe, Observed, Opening, SealView, Step, missing, opening

DESIRED = Desired.model_validate(
    {
        "snapshots": ["secrets", "vault-snapshots"],
        "services": [
            {"namespace": "apps", "service_account": "auth"},
            {"namespace": "apps", "service_account": "tasks"},
        ],
        "secrets": {
            "taskservices/apps/auth": {
                "TASKSERVICE_JWT_PRIVATE_KEY": {"kind": "ed25519"},
                "TASKSERVICE_MONGO_URL": {"kind": "text", "text": "mongodb://u:${secret:data/mongodb#password}@m/"},
            },
            "taskservices/apps/tasks": {"TASKSERVICE_DIRECTORY_TOKEN": {"kind": "password", "length": 48}},
        },
    }
)


def after(observed: Observed, step: Step) -> Observed:
    """The Vault once a step was done."""
    kind, name, settings = step.kind, step.name, dict(step.settings)
    changes: dict[str, Any] = {
        plan.ENABLE_AUDIT: lambda: {"audit_devices": observed.audit_devices | {name}},
        plan.ENABLE_ENGINE: lambda: {"engines": {**observed.engines, name: "kv2"}},
        plan.ENABLE_AUTH: lambda: {"auth_methods": {**observed.auth_methods, name: "kubernetes"}},
        plan.CONFIGURE_KUBERNETES: lambda: {"kubernetes_host": settings["kubernetes_host"]},
        plan.WRITE_POLICY: lambda: {"policies": {**observed.policies, name: settings["policy"]}},
        plan.WRITE_ROLE: lambda: {"roles": {**observed.roles, name: {**settings, "token_type": "default"}}},
        plan.WRITE_SECRET: lambda: {
            "fields": {**observed.fields, name: observed.fields.get(name, frozenset()) | set(settings)},
            "stale": observed.stale - {(name, field) for field in settings},
        },
        plan.REMOVE_ROLE: lambda: {"roles": {key: role for key, role in observed.roles.items() if key != name}},
        plan.REMOVE_POLICY: lambda: {"policies": {key: text for key, text in observed.policies.items() if key != name}},
    }[kind]()
    return replace(observed, **changes)


def complete() -> Observed:
    observed = Observed(policies={"default": "# of Vault itself"})
    for step in missing(DESIRED, observed):
        observed = after(observed, step)
    return observed


@pytest.mark.parametrize(
    ("initialized", "sealed", "keys_held", "opens_itself", "expected"),
    [
        (False, True, False, False, Opening.INITIALIZE),
        (False, True, True, False, Opening.DATA_LOST),
        (True, True, True, False, Opening.UNSEAL),
        (True, True, False, False, Opening.KEYS_LOST),
        (True, True, True, True, Opening.WAIT),
        (True, False, True, False, Opening.NOTHING),
    ],
)
def test_a_vault_is_initialized_only_when_new_and_keys_that_are_held_are_never_given_up(
    initialized: bool, sealed: bool, keys_held: bool, opens_itself: bool, expected: Opening
) -> None:
    assert opening(SealView(initialized, sealed, keys_held, opens_itself)) is expected


def test_a_new_vault_lacks_everything_and_what_is_needed_by_another_part_comes_first() -> None:
    lines = [str(step) for step in missing(DESIRED, Observed())]
    assert lines == [
        "enable audit device stdout",
        "enable secrets engine secret",
        "enable auth method kubernetes",
        "configure auth method kubernetes",
        "write policy apps-auth",
        "write policy apps-tasks",
        "write policy keeper-snapshots",
        "write role apps-auth",
        "write role apps-tasks",
        "write role keeper-snapshots",
        "write secret taskservices/apps/auth",
        "write secret taskservices/apps/tasks",
        "write secret taskservices/apps/auth",
    ]


def test_a_complete_vault_lacks_nothing() -> None:
    assert missing(DESIRED, complete()) == ()


@given(st.integers(min_value=0, max_value=13))
def test_a_bootstrap_killed_after_any_step_is_finished_by_the_next(done: int) -> None:
    observed = Observed()
    for step in missing(DESIRED, observed)[:done]:
        observed = after(observed, step)
    for step in missing(DESIRED, observed):
        observed = after(observed, step)
    assert missing(DESIRED, observed) == ()


def test_a_role_removed_by_hand_comes_back_and_nothing_else_is_touched() -> None:
    whole = complete()
    observed = replace(whole, roles={name: role for name, role in whole.roles.items() if name != "apps-auth"})
    assert [str(step) for step in missing(DESIRED, observed)] == ["write role apps-auth"]


def test_a_role_or_policy_changed_by_hand_is_put_right() -> None:
    whole = complete()
    wider = {**whole.roles["apps-auth"], "bound_service_account_namespaces": ["*"]}
    observed = replace(whole, roles={**whole.roles, "apps-auth": wider}, policies={**whole.policies, "apps-tasks": ""})
    assert [str(step) for step in missing(DESIRED, observed)] == ["write policy apps-tasks", "write role apps-auth"]


def test_a_value_that_is_there_is_never_made_anew_and_one_that_is_absent_is_added_alone() -> None:
    whole = complete()
    observed = replace(whole, fields={**whole.fields, "taskservices/apps/auth": frozenset({"TASKSERVICE_MONGO_URL"})})
    (step,) = missing(DESIRED, observed)
    assert set(step.settings) == {"TASKSERVICE_JWT_PRIVATE_KEY"}


def test_a_text_that_no_longer_says_what_it_quotes_is_written_anew() -> None:
    observed = replace(complete(), stale=frozenset({("taskservices/apps/auth", "TASKSERVICE_MONGO_URL")}))
    (step,) = missing(DESIRED, observed)
    assert set(step.settings) == {"TASKSERVICE_MONGO_URL"}


def test_a_service_that_is_gone_loses_its_access_and_what_others_wrote_stays() -> None:
    whole = complete()
    observed = replace(
        whole,
        policies={**whole.policies, "apps-old": policies.MARK + "…", "by-hand": "path…"},
        roles={**whole.roles, "apps-old": {}, "by-hand": {}},
    )
    assert [str(step) for step in missing(DESIRED, observed)] == ["remove role apps-old", "remove policy apps-old"]


def test_a_mount_of_another_type_is_refused_not_replaced() -> None:
    observed = replace(complete(), engines={"secret": "kv1"})
    with pytest.raises(CannotBe, match="secret/ is of type kv1, not kv2"):
        missing(DESIRED, observed)


def test_no_step_says_a_value() -> None:
    for step in missing(DESIRED, Observed()):
        assert "mongodb://" not in str(step)
