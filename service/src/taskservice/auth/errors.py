"""What auth refuses, beyond what every service refuses."""

import math
from datetime import timedelta

from taskservice.kit.errors import Problem


class EmailTaken(Problem):
    status, code, title = 409, "email-taken", "An account with this email address exists"


class BadCredentials(Problem):
    """One answer for an unknown address and a wrong password."""

    status, code, title = 401, "bad-credentials", "The email address or the password is wrong"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class WrongPassword(Problem):
    """The caller is known, and not believed to be the one who may change the password."""

    status, code, title = 403, "wrong-password", "The current password is wrong"


class BadRefreshToken(Problem):
    """One answer for every cause: unknown, used before, expired, or its session ended."""

    status, code, title = 401, "bad-refresh-token", "The refresh token is not valid: log in again"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class TooManyFailures(Problem):
    """Also for an address that no account has."""

    status, code, title = 429, "too-many-failures", "Too many failed logins for this address"

    def __init__(self, wait: timedelta = timedelta(seconds=1)) -> None:
        seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(f"Try again in {seconds} s.", headers={"Retry-After": str(seconds)})


class Overloaded(Problem):
    """More password checks are waiting than can be answered in reasonable time."""

    status, code, title = 503, "overloaded", "Too many logins at the moment"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})
