"""A real Vault on loopback with raft storage, for tests: new and sealed, one process in a folder that you give.

The other one, `vault_server`, is initialized and open.
"""

import contextlib
import http.client
import json
import shutil
import subprocess
import time
from pathlib import Path

from taskservice_local import builder
from taskservice_local.errors import LocalError
from testkit.mongod import PartUnavailable, free_port

CONFIGURATION = """
disable_mlock = true
api_addr      = "http://127.0.0.1:{port}"
cluster_addr  = "http://127.0.0.1:{cluster_port}"
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable     = true
}}
storage "raft" {{
  path    = "{data}"
  node_id = "vault-0"
  performance_multiplier = 1
}}
"""


class RaftVault:
    """A context manager: listening on entry, ended on exit. The binary is built when it is not in the cache."""

    def __init__(self, folder: Path) -> None:
        try:
            self._binary = builder.ensure_binary("vault")
        except LocalError as error:
            raise PartUnavailable(f"no vault: {error}") from None
        self._folder = folder
        self.port = free_port()
        self.log = folder / "vault.log"
        self.data = folder / "vault-data"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        text = CONFIGURATION.format(port=self.port, cluster_port=free_port(), data=self.data)
        (folder / "vault.hcl").write_text(text)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "RaftVault":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it, or starts it again on the same data: sealed, if it was initialized. Raises PartUnavailable."""
        self.data.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "server", f"-config={self._folder}/vault.hcl"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while self.health() is None:
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.kill()
                raise PartUnavailable(f"vault did not start: {self.log.read_text()[-500:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, as a pod's node would."""
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def lose_everything(self) -> None:
        """Its volume is gone, and a new one starts."""
        self.kill()
        shutil.rmtree(self.data)
        self.start()

    def health(self) -> dict[str, object] | None:
        """What it says to anybody, None when it does not answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/v1/sys/seal-status")
                return json.loads(connection.getresponse().read())
            except (OSError, http.client.HTTPException, ValueError):
                return None

    @property
    def sealed(self) -> bool:
        return bool((self.health() or {}).get("sealed", True))
