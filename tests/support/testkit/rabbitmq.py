"""A real RabbitMQ node on loopback, for tests, in a folder that you give. A restart keeps what was confirmed.

The Debian package's programs are run directly: its service is neither used nor started. The node gets a port
mapper (epmd) of its own, which ends with it, so that nothing of Erlang is left on the machine.
"""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from testkit.mongod import PartUnavailable, free_port

PROGRAMS = Path("/usr/lib/rabbitmq/bin")


class RabbitServer:
    """A context manager: accepting connections on entry, ended on exit.  ``metrics``: with its Prometheus plugin."""

    def __init__(self, folder: Path, *, metrics: bool = False) -> None:
        self.port = free_port()
        self.metrics_port = free_port()
        self._plugins = "[rabbitmq_prometheus]." if metrics else "[]."
        self.log = folder / "rabbitmq.log"
        self._folder = folder
        self._mapper_port = free_port()
        self._dist_port = free_port()
        self._mapper: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def __enter__(self) -> "RabbitServer":
        if not (PROGRAMS / "rabbitmq-server").exists():
            raise PartUnavailable("rabbitmq-server is not installed: apt-get install rabbitmq-server")
        self._folder.mkdir(exist_ok=True)
        (self._folder / "enabled_plugins").write_text(f"{self._plugins}\n")
        # A write to disk is what a confirm promises; its sync to the platters is nothing that a kill can show.
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users = none\n"
            + (
                f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.metrics_port}\n"
                if "prom" in self._plugins
                else ""
            )
        )
        self._mapper = subprocess.Popen(
            ["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._mapper:
            self._mapper.terminate()
            self._mapper.wait(10)
            self._mapper = None

    def start(self, seconds: float = 120) -> None:
        """Starts it, or starts it again after `kill`, on the same port and data."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAMS / "rabbitmq-server")],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the program is a script: a signal must reach what it starts
            )
        deadline = time.monotonic() + seconds
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self.log.read_text(errors="replace").splitlines()[-5:]
                raise PartUnavailable("RabbitMQ did not start: " + " | ".join(tail))
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def control(self, *words: str) -> str:
        """Runs rabbitmqctl; returns what it prints."""
        command = [str(PROGRAMS / "rabbitmqctl"), "--quiet", *words]
        return subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=60, check=True
        ).stdout

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # of the cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"rabbit{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            # No spinning while idle: other processes need the processors.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
        }

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(8))
        except OSError:
            return False
