"""A real redis-server on loopback, for tests. Keeps nothing: a restart begins empty."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from testkit.mongod import PartUnavailable, free_port


class RedisServer:
    """A context manager: answering on entry, ended on exit."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it, or starts it again after `kill`, on the same port. Raises PartUnavailable."""
        binary = shutil.which("redis-server")
        if binary is None:
            raise PartUnavailable("redis-server is not installed: apt-get install redis-server")
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    binary,
                    *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)),
                    *("--save", "", "--appendonly", "no", "--daemonize", "no"),
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            if time.monotonic() > deadline:
                self.kill()
                raise PartUnavailable("redis-server did not start")
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Stops it without closing anything: connections hang, as behind a broken network."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
