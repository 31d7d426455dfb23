"""Which image: a stack file names one by its full reference, or as ``local:<name>``, one that this machine builds."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from taskservice_infra.local_machine import LocalMachine

LOCAL = "local:"

ImageReference = Annotated[
    str, StringConstraints(pattern=r"^(local:[a-z0-9-]+|[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?)$")
]
"""A setting that names an image."""


def resolve(reference: str, machine: LocalMachine) -> str:
    """The full reference; one of this machine is built and loaded first.  Raises PlatformError when that fails."""
    return machine.image(reference.removeprefix(LOCAL)) if reference.startswith(LOCAL) else reference
