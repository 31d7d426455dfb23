"""What a database did for a piece of work: the operations that its profiler wrote down, and their plans."""

from typing import Any

from pymongo import MongoClient

Document = dict[str, Any]

OF_A_FIND = ("find", "filter", "sort", "limit", "hint", "projection", "singleBatch")
OF_A_CHANGE = ("query", "update", "remove", "sort", "new", "upsert")
OF_AN_UPDATE = ("q", "u", "multi", "upsert")


class Profile:
    """What the primary writes down about the operations on one database."""

    def __init__(self, client: MongoClient[Document], name: str) -> None:
        self._database = client[name]

    def begin(self) -> None:
        self._database.command("profile", 2)

    def end(self) -> list[Document]:
        """The operations on documents since `begin`."""
        self._database.command("profile", 0)
        found = list(self._database["system.profile"].find({"ns": {"$not": {"$regex": r"\.system\."}}}))
        assert found
        return [entry for entry in found if entry["op"] != "command" or kind(entry) in ("findAndModify", "aggregate")]

    def explain(self, entry: Document) -> Document:
        """The plan that the operation has now; not for an aggregation."""
        command = entry["command"]
        if entry["op"] == "update":
            asked = {"update": collection_of(entry), "updates": [_chosen(command, OF_AN_UPDATE)]}
        elif entry["op"] == "remove":
            asked = {"delete": collection_of(entry), "deletes": [_chosen(command, ("q", "limit"))]}
        elif kind(entry) == "findAndModify":
            asked = {"findAndModify": collection_of(entry), **_chosen(command, OF_A_CHANGE)}
        else:
            asked = _chosen(command, OF_A_FIND)
        return self._database.command("explain", asked, verbosity="executionStats")


def kind(entry: Document) -> str:
    """The name of the command."""
    return next(iter(entry["command"]))


def collection_of(entry: Document) -> str:
    """The collection it was about."""
    return entry["ns"].partition(".")[2]


def condition(entry: Document) -> Document:
    """What an operation looks for."""
    command = entry["command"]
    if "pipeline" in command:
        return command["pipeline"][0].get("$match", {})
    return command.get("filter") or command.get("q") or command.get("query") or {}


def stages(plan: Document) -> set[str]:
    """The names of all stages of a plan."""
    inner = plan.get("inputStages") or ([plan["inputStage"]] if "inputStage" in plan else [])
    return {plan["stage"]}.union(*(stages(child) for child in inner))


def _chosen(command: Document, names: tuple[str, ...]) -> Document:
    return {name: command[name] for name in names if name in command}
