"""What tasks refuses, beyond what every service refuses."""

from taskservice.kit.errors import Problem


class BadCursor(Problem):
    status, code, title = 400, "bad-cursor", "The cursor is not one of ours"
