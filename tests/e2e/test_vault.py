"""A secret of Vault on the cluster: rotated under load, rolled back, and out of reach while Vault is sealed."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from taskservice_demo.load import Target
from taskservice_demo.stage import OPERATOR_NAMESPACE
from testkit.live import Live, an_echo
from testkit.vault_hands import VaultHands
from testkit.vault_pod import vault_in

FIRST, SECOND = "hunter-one-7f3a", "hunter-two-91bc"
PATH = "taskservices/e2e-vault/web"
ASKERS = 4


class Asking:
    """Requests over fresh connections, one after the other from each of some threads; nothing is tried again."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(ASKERS)]
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        while not self._stop.is_set():
            connection = self._target.connection()
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                self.answers[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            finally:
                connection.close()
            time.sleep(0.02)


@pytest.fixture(scope="module")
def vault(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultHands]:
    with vault_in(live, tmp_path_factory.mktemp("vault")) as hands:
        yield hands


def test_a_rotated_secret_is_released_without_a_dropped_request_and_a_rollback_brings_the_old_one_back(
    live: Live, vault: VaultHands
) -> None:
    vault.make_role(f"{live.namespace}-web", live.namespace, "web", PATH)
    vault.write(PATH, {"ECHO_KEY": FIRST})
    live.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}},
        an_echo(
            live.stage,
            "web",
            serviceAccountName="web",
            secrets=[{"name": "key", "vault": {"path": PATH}}],
            rollout={"blueGreen": {"scaleDownDelaySeconds": 5}},
        ),
    )
    live.wait_ready("web")
    first = live.active("web")
    assert live.answers("web", ECHO_KEY=FIRST)

    with Asking(live.stage.target(live.namespace, "web")) as asking:
        vault.write(PATH, {"ECHO_KEY": SECOND})
        live.wait("web", "released anew", lambda f: f["status"]["revisions"]["active"] != first)
        live.wait_ready("web")
        assert live.answers("web", ECHO_KEY=SECOND)
        time.sleep(12)  # past the scale-down of the side before: its pods leave under load as well
    assert asking.failures == []
    assert set(asking.answers) == {200}
    assert asking.answers[200] > 500

    live.plugin("rollback", "web")
    live.wait("web", "rolled back", lambda f: f["status"]["revisions"]["active"] == first)
    assert live.answers("web", ECHO_KEY=FIRST)


def test_a_sealed_vault_is_told_and_the_pods_serve_on(live: Live, vault: VaultHands) -> None:
    serving = live.pod_uids("web", live.active("web"))
    vault.seal()
    told = live.wait("web", "told of the seal", lambda f: secrets_ready(f) == ("False", "VaultSealed"))
    assert "unseal" in next(c["message"] for c in told["status"]["conditions"] if c["type"] == "SecretsReady")
    assert live.answers("web", ECHO_KEY=FIRST)
    assert live.pod_uids("web", live.active("web")) == serving
    vault.unseal()
    live.wait("web", "told of the end", lambda f: secrets_ready(f) == ("True", "SecretsRead"))
    assert live.pod_uids("web", live.active("web")) == serving


def test_no_value_is_in_what_the_operator_logs_and_reports(live: Live, vault: VaultHands) -> None:
    label = "app.kubernetes.io/name=taskservice-operator"
    logs = live.stage.kubectl("logs", "-n", OPERATOR_NAMESPACE, "-l", label, "--tail=-1", "--prefix")
    seen = logs + str(live.tsvc("web")) + str(live.list("events"))
    assert "vault_secret_read" in logs
    assert not [value for value in (FIRST, SECOND, "hvs.") if value in seen]


def secrets_ready(taskservice: dict[str, dict]) -> tuple[str, str]:
    found = next((c for c in taskservice["status"]["conditions"] if c["type"] == "SecretsReady"), {})
    return found.get("status", ""), found.get("reason", "")
