"""A real Vault as a process on loopback, with TLS, for tests."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from taskservice_local import builder
from testkit.mongod import free_port
from testkit.vault_hands import VaultHands, make_certificate


class VaultServer(VaultHands):
    """A context manager: initialized, unsealed and with a key/value store on entry, ended on exit.

    What it stores is in a folder: it may be killed and started again, and is sealed then.
    """

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        super().__init__(f"https://127.0.0.1:{self._port}", folder / "ca.crt")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self._folder / "vault.log").read_text(errors="replace")

    def __enter__(self) -> VaultServer:
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        certificate, key = make_certificate(self._folder, ["127.0.0.1"])
        cluster = f"127.0.0.1:{free_port()}"
        configuration = {
            "storage": {"raft": {"path": str(self._folder / "data"), "node_id": "one", "performance_multiplier": 1}},
            "listener": {
                "tcp": {
                    "address": f"127.0.0.1:{self._port}",
                    "cluster_address": cluster,
                    "tls_cert_file": str(certificate),
                    "tls_key_file": str(key),
                }
            },
            "api_addr": self.address,
            "cluster_addr": f"https://{cluster}",
            "disable_mlock": True,
            "ui": False,
        }
        (self._folder / "vault.json").write_text(json.dumps(configuration))
        try:
            self.start()
            self.initialize()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, or start it again after :meth:`kill`, on the same port."""
        program = builder.ensure_binary("vault")
        with (self._folder / "vault.log").open("ab") as log:
            command = [str(program), "server", f"-config={self._folder / 'vault.json'}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.until(lambda: self.client().sys.read_health_status() is not None, "it listens")

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

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None
