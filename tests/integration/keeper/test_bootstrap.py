"""A real Vault is made what it should be, from whatever it is."""

from __future__ import annotations

from dataclasses import replace

import hvac
import hvac.exceptions
import pytest
from kubernetes.client import CoreV1Api

from taskservice_keeper.errors import KeeperError
from taskservice_keeper.vault import bootstrap as bootstrapping
from taskservice_keeper.vault.bootstrap import bootstrap
from taskservice_keeper.vault.contents import Contents
from taskservice_keeper.vault.desired import Desired, Service
from taskservice_keeper.vault.keys import Keys
from taskservice_keeper.vault.plan import Step
from taskservice_keeper.vault.server import Server
from taskservice_keeper.vault.values import Entropy
from testkit.account_tokens import token
from testkit.key_store import MemoryKeyStore
from testkit.raft_vault import RaftVault

AUTH, TASKS = "taskservices/apps/auth", "taskservices/apps/tasks"


@pytest.fixture
def said() -> list[str]:
    return []


def look_into(vault: RaftVault, keys: MemoryKeyStore, desired: Desired, path: str) -> dict[str, str]:
    """What a KV path holds, read with a root token."""
    assert keys.keys
    server = Server(vault.address)
    with server.root(keys.keys):
        return Contents(server, desired, lambda *_: None).secret(path) or {}


def logged_in(vault: RaftVault, role: str, jwt: str) -> hvac.Client:
    client = hvac.Client(url=vault.address)
    client.auth.kubernetes.login(role=role, jwt=jwt)
    return client


def read(client: hvac.Client, path: str) -> dict[str, str]:
    return client.secrets.kv.v2.read_secret_version(path, raise_on_deleted_version=True)["data"]["data"]


def test_the_first_run_makes_everything_and_the_second_changes_nothing(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str]
) -> None:
    assert bootstrap(Server(vault.address), keys, desired, said.append) == len(said) - 1  # unsealing is no change
    assert said[0] == "initialized: 1 of 1 key shares are kept"
    assert not vault.sealed
    before = {path: look_into(vault, keys, desired, path) for path in desired.secrets}
    assert before[AUTH]["TASKSERVICE_JWT_PRIVATE_KEY"].startswith("-----BEGIN PRIVATE KEY-----")
    assert before[AUTH]["TASKSERVICE_DIRECTORY_TOKEN"] == before["platform/directory"]["token"]
    assert before[TASKS] == {"TASKSERVICE_DIRECTORY_TOKEN": before["platform/directory"]["token"]}

    said.clear()
    assert bootstrap(Server(vault.address), keys, desired, said.append) == 0
    assert said == []
    assert {path: look_into(vault, keys, desired, path) for path in desired.secrets} == before


def test_no_root_token_outlives_a_run_and_none_is_kept(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str]
) -> None:
    server = Server(vault.address)
    held: list[str] = []
    bootstrap(server, keys, desired, lambda line: held.append(server.client.token or "") or said.append(line))
    bootstrap(server, keys, desired.model_copy(update={"services": desired.services[:1]}),
              lambda line: held.append(server.client.token or "") or said.append(line))  # fmt: skip
    assert keys.keys is not None
    assert keys.keys.root_token is None
    tokens = {each for each in held if each}
    assert len(tokens) == 2  # the first one, and one made of the keys
    for each in tokens:
        with pytest.raises(hvac.exceptions.Forbidden):
            hvac.Client(url=vault.address, token=each).auth.token.lookup_self()


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.mark.parametrize("survives", [0, 1, 4, 9])
def test_a_run_that_is_killed_half_way_is_finished_by_the_next(
    vault: RaftVault,
    keys: MemoryKeyStore,
    desired: Desired,
    said: list[str],
    survives: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[Step] = []
    real = Contents.apply

    def apply(self: Contents, step: Step, entropy: Entropy) -> None:
        if len(done) == survives:
            raise Killed
        real(self, step, entropy)
        done.append(step)

    monkeypatch.setattr(Contents, "apply", apply)
    # A process that is killed revokes no token either.
    monkeypatch.setattr(Server, "log_out", lambda _: None)
    with pytest.raises(Killed):
        bootstrap(Server(vault.address), keys, desired, said.append)
    monkeypatch.undo()

    vault.restart()  # sealed, as after the death of its pod
    bootstrap(Server(vault.address), keys, desired, said.append)

    assert bootstrap(Server(vault.address), keys, desired, said.append) == 0
    assert set(look_into(vault, keys, desired, AUTH)) == {"TASKSERVICE_JWT_PRIVATE_KEY", "TASKSERVICE_DIRECTORY_TOKEN"}


def test_a_sealed_vault_is_opened_and_a_role_removed_by_hand_comes_back(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str], kubernetes: CoreV1Api
) -> None:
    bootstrap(Server(vault.address), keys, desired, said.append)
    assert keys.keys
    server = Server(vault.address)
    with server.root(keys.keys):
        server.client.auth.kubernetes.delete_role("apps-auth")
    jwt = token(kubernetes, "apps", "auth", "vault")
    with pytest.raises(hvac.exceptions.VaultError):
        logged_in(vault, "apps-auth", jwt)
    vault.restart()
    assert vault.sealed

    said.clear()
    bootstrap(Server(vault.address), keys, desired, said.append)

    assert said == ["unsealed", "write role apps-auth"]
    assert set(read(logged_in(vault, "apps-auth", jwt), AUTH)) >= {"TASKSERVICE_JWT_PRIVATE_KEY"}


def test_a_service_reads_its_own_path_and_nothing_else(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str], kubernetes: CoreV1Api
) -> None:
    bootstrap(Server(vault.address), keys, desired, said.append)
    tasks = logged_in(vault, "apps-tasks", token(kubernetes, "apps", "tasks", "vault"))
    assert set(read(tasks, TASKS)) == {"TASKSERVICE_DIRECTORY_TOKEN"}
    for denied in (AUTH, "platform/directory"):
        with pytest.raises(hvac.exceptions.Forbidden):
            read(tasks, denied)
    with pytest.raises(hvac.exceptions.Forbidden):
        tasks.secrets.kv.v2.create_or_update_secret(TASKS, {"a": "b"})
    with pytest.raises(hvac.exceptions.Forbidden):
        tasks.sys.list_auth_methods()


def test_another_account_or_another_audience_is_not_let_in(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str], kubernetes: CoreV1Api
) -> None:
    bootstrap(Server(vault.address), keys, desired, said.append)
    for jwt in (token(kubernetes, "apps", "auth", "vault"), token(kubernetes, "apps", "tasks")):
        with pytest.raises((hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest)):
            logged_in(vault, "apps-tasks", jwt)


def test_a_service_that_is_gone_loses_its_role_and_its_policy(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str], kubernetes: CoreV1Api
) -> None:
    bootstrap(Server(vault.address), keys, desired, said.append)
    fewer = desired.model_copy(update={"services": (Service(namespace="apps", service_account="auth"),)})
    said.clear()
    assert bootstrap(Server(vault.address), keys, fewer, said.append) == 2
    assert said == ["remove role apps-tasks", "remove policy apps-tasks"]
    with pytest.raises(hvac.exceptions.VaultError):
        logged_in(vault, "apps-tasks", token(kubernetes, "apps", "tasks", "vault"))


def test_a_text_follows_the_secret_of_kubernetes_that_it_quotes(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str]
) -> None:
    url = {"kind": "text", "text": "mongodb://u:${secret:data/mongodb-admin#password}@m/"}
    secrets = {**desired.model_dump(mode="json")["secrets"], "taskservices/apps/worker": {"URL": url}}
    wanted = Desired.model_validate({**desired.model_dump(mode="json"), "secrets": secrets})
    password = {"password": "first"}
    bootstrap(Server(vault.address), keys, wanted, said.append, kubernetes=lambda *_: password)
    assert look_into(vault, keys, wanted, "taskservices/apps/worker") == {"URL": "mongodb://u:first@m/"}
    password["password"] = "second"
    said.clear()
    bootstrap(Server(vault.address), keys, wanted, said.append, kubernetes=lambda *_: password)
    assert said == ["write secret taskservices/apps/worker"]
    assert look_into(vault, keys, wanted, "taskservices/apps/worker") == {"URL": "mongodb://u:second@m/"}


def test_what_was_asked_is_on_record_without_a_value(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str]
) -> None:
    bootstrap(Server(vault.address), keys, desired, said.append)
    log = vault.log.read_text()
    assert '"path":"secret/data/taskservices/apps/auth"' in log
    assert "-----BEGIN PRIVATE KEY-----" not in log
    assert look_into(vault, keys, desired, "platform/directory")["token"] not in log


def test_keys_that_are_lost_or_of_another_vault_end_in_a_sentence_and_change_nothing(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str]
) -> None:
    bootstrap(Server(vault.address), keys, desired, said.append)
    right = keys.keys
    assert right
    vault.restart()
    keys.keys = None
    with pytest.raises(KeeperError, match="sealed and its keys are not held here"):
        bootstrap(Server(vault.address), keys, desired, said.append)
    keys.keys = replace(right, shares=("AAAA" + right.shares[0][4:],))
    with pytest.raises(KeeperError, match="do not open the Vault"):
        bootstrap(Server(vault.address), keys, desired, said.append)
    keys.keys = right
    assert bootstrap(Server(vault.address), keys, desired, said.append) == 0


def test_an_empty_vault_gets_no_new_keys_while_those_of_an_earlier_one_are_held(
    vault: RaftVault, keys: MemoryKeyStore, desired: Desired, said: list[str]
) -> None:
    keys.keys = Keys(("of another Vault",))
    with pytest.raises(KeeperError, match=r"restore a snapshot \(`vault restore latest`\)"):
        bootstrap(Server(vault.address), keys, desired, said.append)
    assert vault.health() is not None
    assert (vault.health() or {})["initialized"] is False


def test_a_vault_that_does_not_answer_is_waited_for_and_then_named(
    keys: MemoryKeyStore, desired: Desired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrapping, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(KeeperError, match=r"The Vault at http://127\.0\.0\.1:1 was asked its seal: ConnectionError"):
        bootstrap(Server("http://127.0.0.1:1"), keys, desired, print)
