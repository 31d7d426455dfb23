"""What can go wrong with the API server.  Each class is one way to go on; none of them is a bug.

::

    ClusterError
    ├── NotFound      404: the object, its namespace or its kind is not there
    ├── Conflict      409: somebody was faster; observe again
    ├── Invalid       422 and 400: the server will never take this manifest
    ├── Forbidden     403: not allowed, over quota, or the namespace is going
    ├── Transient     429, 5xx, time-outs, broken connections: the same request may succeed later
    ├── Collision     an object of that name belongs to somebody else
    └── LeaseLost     we are not the leader any more: nothing may be written
"""

from __future__ import annotations

from taskservice_operator.core.model import ObjectKey


class ClusterError(Exception):
    """The base of all; ``message`` is a sentence for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(ClusterError):
    """There is no such object."""


class Conflict(ClusterError):
    """The object is not the one, or not in the state, that the decision was made on."""


class Invalid(ClusterError):
    """The request is refused for what it says; repeating it is useless until it says something else."""


class Forbidden(ClusterError):
    """The request is refused by policy: permissions, quota, or a namespace that is being deleted."""


class Transient(ClusterError):
    """The request may have had an effect or not.  ``retry_after``: seconds the server asked for, if it did."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Collision(ClusterError):
    """``key`` is occupied by an object that our TaskService does not control."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(f"{key} exists and belongs to somebody else")
        self.key = key


class LeaseLost(ClusterError):
    """Another process may be the leader now."""
