"""What a Vault's administrator does, for tests: init, seal and unseal, secrets, policies and roles."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hvac
import hvac.exceptions
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

WAIT_SECONDS = 60.0
MOUNT, AUTH_MOUNT, AUDIENCE = "secret", "kubernetes", "vault"


class VaultHands:
    """Hands on a Vault at ``address``, whose certificate ``ca_file`` signs."""

    def __init__(self, address: str, ca_file: Path) -> None:
        self.address = address
        self.ca_file = ca_file
        self._unseal_key = ""
        self._root = ""

    def client(self) -> hvac.Client:
        """Its administrator's."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca_file)
        return hvac.Client(self.address, token=self._root, verify=str(self.ca_file), timeout=10, session=session)

    def initialize(self) -> None:
        """Make a Vault that has nothing yet one with a key/value store, unsealed."""
        self.until(lambda: self.client().sys.read_health_status() is not None, "it listens")
        made = self.client().sys.initialize(secret_shares=1, secret_threshold=1)
        self._unseal_key, self._root = made["keys"][0], made["root_token"]
        self.unseal()
        self.client().sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        self.until(lambda: bool(self.client().secrets.kv.v2.read_configuration(MOUNT)), "the store is upgraded")

    # -- seals ---------------------------------------------------------------------------------------------------

    def seal(self) -> None:
        self.client().sys.seal()

    def unseal(self) -> None:
        self.client().sys.submit_unseal_key(self._unseal_key)
        self.until(lambda: self.client().sys.read_health_status().status_code == 200, "it is unsealed")

    # -- secrets -------------------------------------------------------------------------------------------------

    def write(self, path: str, values: Mapping[str, Any]) -> None:
        self.client().secrets.kv.v2.create_or_update_secret(path, secret=dict(values), mount_point=MOUNT)

    def delete_version(self, path: str) -> None:
        self.client().secrets.kv.v2.delete_latest_version_of_secret(path, mount_point=MOUNT)

    def forget(self, path: str) -> None:
        """As if a secret had never been written."""
        self.client().secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=MOUNT)

    # -- who may read what ---------------------------------------------------------------------------------------

    def trust_cluster(self, url: str, authorities: str = "", reviewer: str = "") -> None:
        """Have Kubernetes authentication ask this API server about tokens.

        As ``reviewer`` (a token), believing ``authorities``; in a pod, without them, as its own ServiceAccount.
        """
        client = self.client()
        if f"{AUTH_MOUNT}/" not in client.sys.list_auth_methods()["data"]:
            client.sys.enable_auth_method("kubernetes", path=AUTH_MOUNT)
        client.auth.kubernetes.configure(
            url,
            kubernetes_ca_cert=authorities or None,
            token_reviewer_jwt=reviewer or None,
            disable_local_ca_jwt=bool(reviewer),
            mount_point=AUTH_MOUNT,
        )

    def make_role(
        self, role: str, namespace: str, account: str, path: str, *, ttl: str = "10m", audience: str = AUDIENCE
    ) -> None:
        """A role for one ServiceAccount, and a policy of the same name that reads one path."""
        self.set_policy(role, path)
        self.client().auth.kubernetes.create_role(
            role,
            bound_service_account_names=[account],
            bound_service_account_namespaces=[namespace],
            audience=audience,
            policies=[role],
            ttl=ttl,
            mount_point=AUTH_MOUNT,
        )

    def delete_role(self, role: str) -> None:
        self.client().auth.kubernetes.delete_role(role, mount_point=AUTH_MOUNT)

    def set_policy(self, name: str, path: str | None) -> None:
        """Let a policy read one path, or nothing."""
        rules = f'path "{MOUNT}/data/{path}" {{ capabilities = ["read"] }}' if path else ""
        self.client().sys.create_or_update_policy(name, rules or 'path "none" { capabilities = ["deny"] }')

    def revoke_logins(self) -> None:
        """End every token that a login has given."""
        self.client().sys.revoke_prefix(f"auth/{AUTH_MOUNT}/login")

    def until(self, check: Callable[[], bool], what: str) -> None:
        """Wait for something that may fail for a while.  Raises AssertionError with ``what``."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                if check():
                    return
            except (requests.exceptions.RequestException, hvac.exceptions.VaultError):
                pass
            if time.monotonic() > end or not self.is_alive():
                raise AssertionError(f"Vault: not so: {what}\n{self.log[-2000:]}")
            time.sleep(0.1)

    def is_alive(self) -> bool:
        """False when waiting for it is of no use."""
        return True

    @property
    def log(self) -> str:
        return ""


def make_certificate(folder: Path, addresses: Iterable[str], names: Iterable[str] = ()) -> tuple[Path, Path]:
    """``ca.crt``, signed by itself for these addresses and names, and its ``key.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault")])
    now = datetime.now(UTC)
    alternatives = [
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
        *(x509.DNSName(each) for each in names),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public_file, private_file = folder / "ca.crt", folder / "key.pem"
    public_file.write_bytes(certificate.public_bytes(pem))
    private_file.touch(mode=0o600)
    private_file.write_bytes(private)
    return public_file, private_file
