"""What a caller sees of tasks and comments. Pure."""

from dataclasses import dataclass

from taskservice.activity.entries import Entry
from taskservice.kit.idempotency import Answer
from taskservice.tasks.model import Comment, Task
from taskservice.tasks.schemas import ActivityView, CommentView, Priority, Status, TaskView


@dataclass(frozen=True)
class Page:
    """A page as JSON, and the cursor of the following one."""

    body: bytes
    next: str | None

    def packed(self) -> bytes:
        """As one value, for a cache."""
        return (self.next or "").encode() + b"\n" + self.body

    @classmethod
    def unpacked(cls, value: bytes) -> "Page":
        following, _, body = value.partition(b"\n")
        return cls(body, following.decode() or None)


def task(task: Task) -> TaskView:
    return TaskView(
        id=task.id,
        title=task.title,
        description=task.description,
        status=Status(task.status),
        priority=Priority(task.priority),
        labels=list(task.labels),
        due_at=task.due_at,
        assignee=task.assignee,
        created_by=task.created_by,
        created_at=task.created_at,
        updated_at=task.updated_at,
        version=task.version,
    )


def comment(comment: Comment) -> CommentView:
    return CommentView(id=comment.id, author=comment.author, text=comment.text, created_at=comment.created_at)


def activity(entry: Entry) -> ActivityView:
    return ActivityView(
        id=entry.id,
        type=entry.type,
        task=entry.task,
        title=entry.title,
        actor=entry.actor,
        at=entry.at,
        details=dict(entry.details),
    )


def entity_tag(version: int) -> str:
    """The strong entity tag (RFC 9110) of a version of a task."""
    return f'"{version}"'


def created(new: Task) -> Answer:
    headers = {"Location": f"/v1/tasks/{new.id}", "ETag": entity_tag(new.version)}
    return Answer(201, task(new).model_dump_json().encode(), headers)


def commented(new: Comment) -> Answer:
    return Answer(201, comment(new).model_dump_json().encode())
