"""A Vault server, asked and told through hvac: its seal, its tokens, its snapshots. What it holds is in `contents`.

Anything that goes wrong comes out as KeeperError with a sentence, or NotYet where waiting may help. Bodies of requests
and answers never reach an exception's text: they may hold secrets.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import hvac
import hvac.exceptions
import requests

from taskservice_keeper.errors import KeeperError, NotYet
from taskservice_keeper.vault.keys import Keys
from taskservice_keeper.vault.plan import SealView

TIMEOUT_SECONDS = 15
SNAPSHOT_TIMEOUT_SECONDS = 600
T = TypeVar("T")
SNAPSHOT_PATH = "/v1/sys/storage/raft/snapshot"


@dataclass(frozen=True)
class SealStatus:
    """What a server says of itself to anybody."""

    initialized: bool
    sealed: bool
    opens_itself: bool
    version: str


class Server:
    """One Vault server by its address; `token` None until somebody logs in."""

    def __init__(self, address: str, ca_file: str | None = None) -> None:
        self.address = address.rstrip("/")
        self._session = requests.Session()
        self._session.verify = ca_file or True
        self._session.trust_env = False  # no proxy stands between a pod and Vault
        self.client = hvac.Client(
            url=self.address, verify=ca_file or True, timeout=TIMEOUT_SECONDS, session=self._session
        )

    def seal_status(self) -> SealStatus:
        """Raises NotYet when nothing answers."""
        with self.asked("its seal"):
            found: dict[str, Any] = self.client.sys.read_seal_status()
        return SealStatus(
            bool(found["initialized"]), bool(found["sealed"]), found.get("type") != "shamir", str(found["version"])
        )

    def seal_view(self, keys: Keys | None) -> SealView:
        """What `plan.opening` wants to know."""
        status = self.seal_status()
        return SealView(status.initialized, status.sealed, keys is not None, status.opens_itself)

    def initialize(self, shares: int, threshold: int, opens_itself: bool) -> Keys:
        """Make the keys of a new Vault; nobody can ask for them again. The root token is revoked at once."""
        arguments = (
            {"recovery_shares": shares, "recovery_threshold": threshold}
            if opens_itself
            else {"secret_shares": shares, "secret_threshold": threshold}
        )
        with self.asked("to initialize"):
            answer: dict[str, Any] = self.client.sys.initialize(**arguments)
        found = answer["recovery_keys_base64"] if opens_itself else answer["keys_base64"]
        return Keys(tuple(found[:threshold]), root_token=answer["root_token"])

    def unseal(self, keys: Keys) -> None:
        """Give the keys; returns when the Vault is open. Raises KeeperError when they are not its keys."""
        with self.asked("to unseal"):
            try:
                self.client.sys.submit_unseal_keys(list(keys.shares))
            except hvac.exceptions.InvalidRequest:
                self.client.sys.submit_unseal_key(reset=True)
        if self.seal_status().sealed:
            raise WrongKeys(f"The keys that are held do not open the Vault at {self.address}.")

    def wait_until_active(self, seconds: float = 60) -> None:
        """Wait for the server to lead: after unsealing, an election takes some seconds. Raises NotYet."""

        def active() -> None:
            with self.asked("whether it leads"):
                answer = self._session.get(self.address + "/v1/sys/health", timeout=TIMEOUT_SECONDS)
            if answer.status_code != 200:
                raise NotYet(f"The Vault at {self.address} does not lead yet (status {answer.status_code}).")

        patiently(active, seconds)

    def log_in_as_root(self, keys: Keys) -> None:
        """Make a root token out of the keys, for the time of a `with root(keys)`."""
        system, answer = self.client.sys, {}
        with self.asked("for a root token"):
            # One at a time: an attempt that was cut off would be in the way.
            system.cancel_root_generation()
            begun: dict[str, Any] = system.start_root_token_generation()
            try:
                for share in keys.shares:
                    answer: dict[str, Any] = system.generate_root(key=share, nonce=begun["nonce"])
            except hvac.exceptions.InvalidRequest:
                system.cancel_root_generation()
        if not answer.get("complete"):
            raise WrongKeys(f"The keys that are held make no root token at {self.address}.")
        self.client.token = decode_token(answer["encoded_token"], begun["otp"])

    @contextmanager
    def root(self, keys: Keys) -> Iterator[None]:
        """Hold a root token that is revoked on the way out, whatever happens inside."""
        if keys.root_token:
            self.client.token = keys.root_token
        else:
            self.log_in_as_root(keys)
        try:
            yield
        finally:
            self.log_out()

    def log_in(self, auth_mount: str, role: str, jwt: str) -> None:
        """Log in with a token of a ServiceAccount. Raises KeeperError when the role refuses it."""
        with self.asked(f"to log in as {role}"):
            self.client.auth.kubernetes.login(role=role, jwt=jwt, mount_point=auth_mount)

    def log_out(self) -> None:
        """Revoke the token that is held; quiet when the Vault has sealed itself meanwhile."""
        token, self.client.token = self.client.token, ""
        if token:
            try:
                self._session.post(
                    f"{self.address}/v1/auth/token/revoke-self",
                    headers={"X-Vault-Token": token, "X-Vault-Request": "true"},
                    timeout=TIMEOUT_SECONDS,
                )
            except requests.RequestException:
                return

    def save_snapshot(self, target: IO[bytes]) -> None:
        """Write a snapshot of all storage. Raises KeeperError, for other than raft storage too."""
        with self.asked("for a snapshot"):
            answer = self._session.get(
                self.address + SNAPSHOT_PATH, headers=self._headers(), stream=True, timeout=SNAPSHOT_TIMEOUT_SECONDS
            )
            if answer.status_code != 200:
                raise KeeperError(
                    f"Vault gave no snapshot (status {answer.status_code}): its storage must be raft, and the role must"
                    " have the policy of snapshots."
                )
            for chunk in answer.iter_content(1024 * 1024):
                target.write(chunk)

    def restore_snapshot(self, source: IO[bytes]) -> None:
        """Replace all storage by a snapshot, of another Vault too; it may be sealed afterwards."""
        with self.asked("to restore a snapshot"):
            answer = self._session.post(
                self.address + SNAPSHOT_PATH + "-force",
                headers=self._headers(),
                data=source,
                timeout=SNAPSHOT_TIMEOUT_SECONDS,
            )
            if answer.status_code not in (200, 204):
                raise KeeperError(f"Vault refused the snapshot (status {answer.status_code}): is the file a snapshot?")

    def _headers(self) -> dict[str, str]:
        return {"X-Vault-Token": str(self.client.token), "X-Vault-Request": "true"}

    @contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Turn what goes wrong while the server is asked into a sentence; `what` completes `was asked …`."""
        try:
            yield
        except requests.RequestException as error:
            raise NotYet(f"The Vault at {self.address} was asked {what}: {type(error).__name__}.") from None
        except (hvac.exceptions.VaultDown, hvac.exceptions.InternalServerError) as error:
            raise NotYet(f"The Vault at {self.address} was asked {what}: {_said(error)}.") from None
        except hvac.exceptions.VaultError as error:
            raise KeeperError(f"The Vault at {self.address} was asked {what} and refused: {_said(error)}.") from None


class WrongKeys(KeeperError):
    """The keys belong to another Vault."""


def decode_token(encoded: str, otp: str) -> str:
    """Return the token that Vault hid under a one-time password: base64 of both, combined bit by bit."""
    hidden = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(one ^ other for one, other in zip(hidden, otp.encode(), strict=True)).decode()


def patiently(call: Callable[[], T], seconds: float, pause: float = 0.25) -> T:
    """Call until it does not raise NotYet, and return its answer. Raises the last NotYet when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except NotYet:
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)


def _said(error: hvac.exceptions.VaultError) -> str:
    """Return Vault's own sentences: they name paths and permissions, never values."""
    sentences = [str(each).strip() for each in error.errors or []] or [type(error).__name__]
    return " ".join("; ".join(sentences).split())[:400]
