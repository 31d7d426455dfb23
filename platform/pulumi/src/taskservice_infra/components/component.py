"""The base of every component's Args, checked by pydantic before a resource exists."""

from __future__ import annotations

import pulumi
from pydantic import BaseModel, ConfigDict


class Args(BaseModel):
    """What a component is given.  Fields may be Outputs; everything else is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def child_of(component: pulumi.ComponentResource, **options: object) -> pulumi.ResourceOptions:
    """The options of a child; ``options`` as of ResourceOptions.

    What a component depends on is not waited for by its children: give it to them as ``depends_on``.
    """
    return pulumi.ResourceOptions(parent=component, **options)  # type: ignore[arg-type]
