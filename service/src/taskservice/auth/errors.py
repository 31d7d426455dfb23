"""What auth refuses, beyond what every service refuses."""

from taskservice.kit.errors import Problem


class EmailTaken(Problem):
    status, code, title = 409, "email-taken", "An account with this email address exists"


class BadCredentials(Problem):
    """One answer for an unknown address and a wrong password."""

    status, code, title = 401, "bad-credentials", "The email address or the password is wrong"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class Overloaded(Problem):
    """More password checks are waiting than can be answered in reasonable time."""

    status, code, title = 503, "overloaded", "Too many logins at the moment"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})
