"""``python -m taskservice_demo.ahead``: the cluster and, where its parts must still be compiled, the rest beside it.

Images and the Python environment come mostly over the network, while compilers use the processors: made one after the
other, a first demonstration takes minutes longer.  What is made ahead is only that: if it fails, whoever needs it makes
it again and tells why.  Runs before there is an environment, so it imports nothing of one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from taskservice_local.parts import NEEDED_AFTERWARDS, NEEDED_FOR_A_NODE
from taskservice_local.paths import CHECKOUT
from taskservice_local.progress import say

Command = tuple[str, ...]
CLUSTER: Command = (sys.executable, "-m", "taskservice_local", "up")
ENVIRONMENT: Command = (sys.executable, str(CHECKOUT / "ci" / "scripts" / "environment.py"), "operator")


def image(name: str) -> Command:
    """The command that builds an image of the catalogue into the cache."""
    return (sys.executable, "-m", "taskservice_local", "image", name)


CHAINS: dict[str, tuple[Command, ...]] = {
    "the Python environment": (ENVIRONMENT,),
    "images of operator and service": (image("operator"), image("service")),
    "images of mongod and Redis": (image("mongod"), image("redis")),
}
"""What is made beside the cluster: chains run at once, the commands of a chain one after the other."""


def main() -> int:
    """The exit status of bringing the cluster up; nothing else counts."""
    parts = (*NEEDED_FOR_A_NODE, *NEEDED_AFTERWARDS)
    return run_beside(CLUSTER, {} if all(part.built for part in parts) else CHAINS)


def run_beside(first: Command, chains: dict[str, tuple[Command, ...]]) -> int:
    """Run a command with these chains beside it, wait for all, and return the exit status of the command.

    Only the command shows its own progress; of a chain a line says that it is ready, or that it is not.
    """
    with ThreadPoolExecutor(max(1, len(chains))) as pool:
        for title, commands in chains.items():
            pool.submit(_run_chain, title, commands)
        status = subprocess.run(first, check=False).returncode
        if status and chains:
            pool.shutdown(wait=False, cancel_futures=True)
    return status


def _run_chain(title: str, commands: Sequence[Command]) -> None:
    began = time.monotonic()
    for command in commands:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        if ended.returncode:
            say(f"  meanwhile: {title} could not be made; that is tried again when they are needed")
            return
    say(f"  meanwhile: {title} ready after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
