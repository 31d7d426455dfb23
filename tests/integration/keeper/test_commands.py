"""The keeper's commands as processes, with keys in a Secret of a real API server."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api

from taskservice_keeper import cluster
from taskservice_keeper.backup.record import Record
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.vault.desired import Desired
from taskservice_keeper.vault.keys import Keys
from taskservice_local.controlplane import ControlPlane
from testkit.mongod import free_port
from testkit.raft_vault import RaftVault

NAMESPACE = "secrets"


def until(fulfilled: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def keys_name(kubernetes: CoreV1Api, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"keys-{abs(hash(request.node.name))}"
    yield name
    if cluster.read_secret(kubernetes, NAMESPACE, name) is not None:
        kubernetes.delete_namespaced_secret(name, NAMESPACE)


@pytest.fixture
def words(vault: RaftVault, control_plane: ControlPlane, keys_name: str) -> list[str]:
    """What every command of Vault is told."""
    return [
        f"--address={vault.address}",
        f"--keys={NAMESPACE}/{keys_name}",
        f"--kubeconfig={control_plane.kubeconfig}",
    ]


def keeper(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "taskservice_keeper", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_bootstrap_keeps_the_keys_in_a_secret_and_says_none_of_them(
    words: list[str], desired: Desired, kubernetes: CoreV1Api, keys_name: str, tmp_path: Path
) -> None:
    file = tmp_path / "desired.json"
    file.write_text(desired.model_dump_json())

    first = keeper("vault", "bootstrap", *words, f"--desired={file}", "--shares=3", "--threshold=2")
    assert first.returncode == 0, first.stderr
    kept = cluster.read_secret(kubernetes, NAMESPACE, keys_name)
    assert kept is not None
    shares = kept["shares"].split()
    assert len(shares) == 2
    assert not any(share in first.stdout + first.stderr for share in shares)

    second = keeper("vault", "bootstrap", *words, f"--desired={file}")
    assert (second.returncode, second.stdout) == (0, "nothing was missing\n")


def test_a_vault_that_is_killed_is_open_again_without_anybody_and_metrics_tell(
    words: list[str], vault: RaftVault, desired: Desired, kubernetes: CoreV1Api, tmp_path: Path
) -> None:
    file = tmp_path / "desired.json"
    file.write_text(desired.model_dump_json())
    assert keeper("vault", "bootstrap", *words, f"--desired={file}").returncode == 0
    record = Record(size_bytes=4711)
    cluster.write_record(kubernetes, NAMESPACE, "vault-snapshots", record)
    port = free_port()
    command = [sys.executable, "-m", "taskservice_keeper", "vault", "unseal", *words, f"--port={port}"]
    command.append(f"--record=vault={NAMESPACE}/vault-snapshots")

    def metrics() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    with (tmp_path / "unsealer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for times in (1, 2):
            vault.restart()
            # Not "until it is open": a Vault killed while it says so is opened once more, and counted only then.
            until(lambda: f'keeper_vault_unseals_total{{server="{vault.address}"}} {times}.0' in metrics())  # noqa: B023
            assert not vault.sealed
        assert f'keeper_vault_sealed{{server="{vault.address}"}} 0.0' in metrics()
        assert 'keeper_backup_last_size_bytes{target="vault"} 4711.0' in metrics()
    finally:
        process.terminate()
        assert process.wait(30) == 0
    said = (tmp_path / "unsealer.log").read_text()
    assert said.count("unsealed") == 2
    assert "Traceback" not in said


def test_keys_in_a_secret_are_never_overwritten_by_others(kubernetes: CoreV1Api, keys_name: str) -> None:
    store = cluster.SecretKeyStore(kubernetes, NAMESPACE, keys_name)
    assert store.load() is None
    store.prepare()
    store.prepare()
    assert store.load() is None
    store.save(Keys(("a", "b")))
    store.save(Keys(("a", "b")))
    with pytest.raises(KeeperError, match="holds other keys; they are not overwritten"):
        store.save(Keys(("c",)))
    assert store.load() == Keys(("a", "b"))
    store.save_passing(Keys(("p",)))
    assert store.load_passing() == Keys(("p",))
    store.save_passing(None)
    assert store.load_passing() is None
    found: Any = kubernetes.read_namespaced_secret(keys_name, NAMESPACE)
    assert base64.b64decode(found.data["shares"]) == b"a\nb"


def test_a_record_is_written_and_read_and_absent_ones_are_of_nothing(kubernetes: CoreV1Api) -> None:
    assert cluster.read_record(kubernetes, NAMESPACE, "never-written") == Record()
    for size in (1, 2):
        cluster.write_record(kubernetes, NAMESPACE, "written", Record(size_bytes=size))
        assert cluster.read_record(kubernetes, NAMESPACE, "written").size_bytes == size
