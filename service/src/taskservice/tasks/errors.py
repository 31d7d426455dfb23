"""What tasks refuses, beyond what every service refuses."""

from taskservice.kit.errors import Problem


class BadCursor(Problem):
    status, code, title = 400, "bad-cursor", "The cursor does not belong to this list; begin with the first page"


class Forbidden(Problem):
    """Only for a caller who may read the task: to others it does not exist."""

    status, code, title = 403, "forbidden", "Only the owner of the task or an administrator may do this"


class PreconditionFailed(Problem):
    status, code, title = 412, "precondition-failed", "The task has changed: read it again, then decide anew"


class TooManyComments(Problem):
    status, code, title = 409, "too-many-comments", "The task has as many comments as it can have"


class UnknownAssignee(Problem):
    status, code, title = 422, "unknown-assignee", "There is no such user to assign the task to"
