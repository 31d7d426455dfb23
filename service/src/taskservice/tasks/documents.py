"""How tasks, list entries and comments are written as documents. Pure."""

from taskservice.kit.mongo import Document
from taskservice.tasks.listing import label_line, positions
from taskservice.tasks.model import Comment, Task

SINCE = {"priority": "normal", "labels": [], "dueAt": None, "assignee": None, "sequence": 0, "comments": 0}
"""What a task of the first version lacks, and what it is without it."""


def task_document(task: Task) -> Document:
    """All of a task. `deletedAt` is there only once it is deleted: the index that purges has nothing else in it."""
    document = {"_id": task.id, **_shown(task), "sequence": task.sequence, "comments": task.comments}
    if task.deleted_at is not None:
        document["deletedAt"] = task.deleted_at
    return document


def entry_document(task: Task, name: str) -> Document:
    """The entry of a task in a list: what the list shows, and where it stands in every order."""
    known = {"_id": f"{name}/{task.id}", "list": name, "task": task.id, "labelLine": label_line(task.labels)}
    return {**known, **positions(task), **_shown(task)}


def comment_document(comment: Comment) -> Document:
    return {
        "_id": comment.id,
        "task": comment.task,
        "author": comment.author,
        "text": comment.text,
        "createdAt": comment.created_at,
    }


def task_of(document: Document) -> Task:
    """The task of a task's document."""
    return _task(document, document["_id"])


def task_of_entry(document: Document) -> Task:
    """The task as its list shows it."""
    return _task(document, document["task"])


def comment_of(document: Document) -> Comment:
    return Comment(
        id=document["_id"],
        task=document["task"],
        author=document["author"],
        text=document["text"],
        created_at=document["createdAt"],
    )


def _shown(task: Task) -> Document:
    return {
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "priority": task.priority,
        "labels": list(task.labels),
        "dueAt": task.due_at,
        "assignee": task.assignee,
        "createdBy": task.created_by,
        "createdAt": task.created_at,
        "updatedAt": task.updated_at,
        "version": task.version,
    }


def _task(document: Document, task_id: str) -> Task:
    document = {**SINCE, **document}
    return Task(
        id=task_id,
        title=document["title"],
        description=document["description"],
        status=document["status"],
        priority=document["priority"],
        labels=tuple(document["labels"]),
        due_at=document["dueAt"],
        assignee=document["assignee"],
        created_by=document["createdBy"],
        created_at=document["createdAt"],
        updated_at=document["updatedAt"],
        deleted_at=document.get("deletedAt"),
        version=document["version"],
        sequence=document["sequence"],
        comments=document["comments"],
    )
