"""A real Kafka broker (KRaft, one node) on loopback, for tests, in a folder that you give.

The jars come from Maven Central by the committed pom, are compared with the committed checksums, and are kept under
`${TASKSERVICE_CACHE:-~/.cache/taskservice}/parts/kafka`. A restart keeps what was acknowledged.
"""

import base64
import fcntl
import hashlib
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from testkit.mongod import PartUnavailable, cache_root, free_port

PART = Path(__file__).resolve().parents[3] / "platform" / "local" / "parts" / "kafka"
# Small and quick to start: a few thousand messages are no load.
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


def kafka_jars() -> Path:
    """The folder with the pinned jars, fetched on first use. Raises PartUnavailable."""
    checksums = (PART / "checksums.txt").read_text()
    key = hashlib.sha256(checksums.encode()).hexdigest()[:12]
    folder = cache_root() / "parts" / "kafka" / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder, checksums)
    return folder


def _fetch(folder: Path, checksums: str) -> None:
    """Puts the folder in place in one rename, so that a half-filled one is never seen."""
    maven = shutil.which("mvn")
    if maven is None:
        raise PartUnavailable("Maven is not installed: apt-get install maven")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "jars"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        done = subprocess.run(
            [maven, "-q", "-B", "-f", str(PART / "pom.xml"), *goal], capture_output=True, text=True, timeout=900
        )
        if done.returncode:
            last = (done.stdout.strip().splitlines() or ["mvn failed"])[-1]
            raise PartUnavailable(f"Kafka could not be fetched: {last}")
        wanted = {name: digest for digest, name in map(str.split, checksums.splitlines())}
        found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in fresh.iterdir()}
        if found != wanted:
            raise PartUnavailable("the jars of Kafka are not the pinned ones")
        fresh.rename(folder)


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
        self._java.append(f"{kafka_jars()}/*")
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
