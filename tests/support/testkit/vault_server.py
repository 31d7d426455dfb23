"""A real Vault on loopback, with TLS, and the hands of its administrator, for tests."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hvac
import hvac.exceptions
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from taskservice_local import builder
from testkit.mongod import free_port

START_SECONDS = 60.0
MOUNT, AUTH_MOUNT, AUDIENCE = "secret", "kubernetes", "vault"


class VaultServer:
    """A context manager: initialized, unsealed and with a key/value store on entry, ended on exit.

    What it stores is in a folder: it may be killed and started again, and is sealed then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._unseal_key = ""
        self._root = ""

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        return self._folder / "ca.crt"

    @property
    def log(self) -> str:
        return (self._folder / "vault.log").read_text(errors="replace")

    def __enter__(self) -> VaultServer:
        self._folder.mkdir(parents=True, exist_ok=True)
        _make_certificate(self._folder)
        configuration = {
            "storage": {"file": {"path": str(self._folder / "data")}},
            "listener": {
                "tcp": {
                    "address": f"127.0.0.1:{self._port}",
                    "tls_cert_file": str(self.ca_file),
                    "tls_key_file": str(self._folder / "key.pem"),
                }
            },
            "api_addr": self.address,
            "disable_mlock": True,
            "ui": False,
        }
        (self._folder / "vault.json").write_text(json.dumps(configuration))
        self.start()
        made = self.client().sys.initialize(secret_shares=1, secret_threshold=1)
        self._unseal_key, self._root = made["keys"][0], made["root_token"]
        self.unseal()
        self.client().sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        self._until(lambda: bool(self.client().secrets.kv.v2.read_configuration(MOUNT)), "the store is upgraded")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, or start it again after :meth:`kill`, on the same port."""
        program = builder.ensure_binary("vault")
        with (self._folder / "vault.log").open("ab") as log:
            command = [str(program), "server", f"-config={self._folder / 'vault.json'}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._until(lambda: self.client().sys.read_health_status() is not None, "it listens")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restore(self) -> None:
        """Have it running and unsealed, whatever was done to it."""
        if self._process is None:
            self.start()
        if self.client().sys.is_sealed():
            self.unseal()

    def client(self) -> hvac.Client:
        """Its administrator's."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca_file)
        return hvac.Client(self.address, token=self._root, verify=str(self.ca_file), timeout=10, session=session)

    # -- seals ---------------------------------------------------------------------------------------------------

    def seal(self) -> None:
        self.client().sys.seal()

    def unseal(self) -> None:
        self.client().sys.submit_unseal_key(self._unseal_key)
        self._until(lambda: self.client().sys.read_health_status().status_code == 200, "it is unsealed")

    # -- secrets -------------------------------------------------------------------------------------------------

    def write(self, path: str, values: Mapping[str, Any]) -> None:
        self.client().secrets.kv.v2.create_or_update_secret(path, secret=dict(values), mount_point=MOUNT)

    def delete_version(self, path: str) -> None:
        self.client().secrets.kv.v2.delete_latest_version_of_secret(path, mount_point=MOUNT)

    def forget(self, path: str) -> None:
        """As if a secret had never been written."""
        self.client().secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=MOUNT)

    # -- who may read what ---------------------------------------------------------------------------------------

    def trust_cluster(self, url: str, authorities: str, reviewer: str) -> None:
        """Have Kubernetes authentication ask this API server, as ``reviewer`` (a token), about tokens."""
        client = self.client()
        if f"{AUTH_MOUNT}/" not in client.sys.list_auth_methods()["data"]:
            client.sys.enable_auth_method("kubernetes", path=AUTH_MOUNT)
        client.auth.kubernetes.configure(
            url,
            kubernetes_ca_cert=authorities,
            token_reviewer_jwt=reviewer,
            disable_local_ca_jwt=True,
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

    def _until(self, check: Any, what: str) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if check():
                    return
            except (requests.exceptions.RequestException, hvac.exceptions.VaultError):
                pass
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(f"Vault: not so: {what}\n{self.log[-2000:]}")
            time.sleep(0.1)


def _make_certificate(folder: Path) -> None:
    """``ca.crt``, signed by itself for loopback, and its ``key.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").touch(mode=0o600)
    (folder / "key.pem").write_bytes(private)
