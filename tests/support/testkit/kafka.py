"""A real Kafka broker (KRaft, one node) on loopback, for tests, in a folder that you give.

The jars are those of the local cluster's image. A restart keeps what was acknowledged.
"""

import base64
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

from taskservice_local import jars
from taskservice_local.errors import LocalError
from taskservice_local.paths import PARTS_SOURCE
from testkit.mongod import PartUnavailable, free_port

PART = PARTS_SOURCE / "kafka"
# Small and quick to start: a few thousand messages are no load.
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


class KafkaServer:
    """A context manager: accepting connections on entry, ended on exit."""

    def __init__(self, folder: Path) -> None:
        self.port, self._controller_port = free_port(), free_port()
        self.log = folder / "kafka.log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"kafka://127.0.0.1:{self.port}"

    def __enter__(self) -> "KafkaServer":
        java = shutil.which("java")
        if java is None:
            raise PartUnavailable("Java is not installed: apt-get install openjdk-17-jre-headless")
        self._java = [java, *JVM, f"-Dlog4j2.configurationFile={PART / 'log4j2.properties'}", "-cp"]
        try:
            self._java.append(f"{jars.ensure(PART)}/*")
        except LocalError as reason:
            raise PartUnavailable(str(reason)) from None
        self._folder.mkdir(exist_ok=True)
        self._settings = self._folder / "server.properties"
        self._settings.write_text(self._properties())
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        storage = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)]
        done = subprocess.run([*self._java, *storage], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise PartUnavailable(f"Kafka's storage could not be made: {done.stderr[-500:]}")
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, seconds: float = 120) -> None:
        """Starts it, or starts it again after `kill`, on the same port and data."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + seconds
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self.log.read_text(errors="replace").splitlines()[-5:]
                raise PartUnavailable("Kafka did not start: " + " | ".join(tail))
            time.sleep(0.1)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def _properties(self) -> str:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "num.partitions": "1",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A consumer that was killed is noticed after this long.
            "group.min.session.timeout.ms": "1000",
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())
