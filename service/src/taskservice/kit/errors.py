"""The one exception family a caller is told about. Pure: services and repositories raise these.

Status, code and title belong to the class, so that a code means the same thing wherever it appears.
"""

from collections.abc import Mapping


class Problem(Exception):
    """Base of every error a caller is told about. Subclasses set status, code and title."""

    status = 500
    code = "internal"
    title = "Something failed on our side"

    def __init__(self, detail: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})


class NotFound(Problem):
    status, code, title = 404, "not-found", "There is no such resource"


class Unavailable(Problem):
    """A dependency did not answer in time; the same request may succeed shortly."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class PayloadTooLarge(Problem):
    status, code, title = 413, "payload-too-large", "The request body is too large"
