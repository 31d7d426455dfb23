"""What a replica set holds, in figures that are equal exactly when the data is: per collection the number of documents,
a digest over all of them in the order of their ids, indexes and options.

Each collection is read once, in batches; nobody should be writing meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from bson import json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

# `local` is each member's own; `config` holds the sessions of now.
NOT_OURS = frozenset({"local", "config"})
# Made by the server itself at every start of a restored set.
SERVER_MADE = frozenset({("admin", "system.version"), ("admin", "system.keys")})


@dataclass(frozen=True)
class Collection:
    """One collection's figures."""

    documents: int
    digest: str
    indexes: str
    options: str

    @property
    def shape(self) -> str:
        """A digest of indexes and options."""
        return hashlib.sha256(f"{self.indexes}\n{self.options}".encode()).hexdigest()[:16]


def contents(client: MongoClient[dict[str, Any]], databases: frozenset[str] | None = None) -> dict[str, Collection]:
    """Return the figures of every collection by `database.collection`, of all databases or of some."""
    found: dict[str, Collection] = {}
    for database in sorted(set(client.list_database_names()) - NOT_OURS):
        if databases is not None and database not in databases:
            continue
        for info in client[database].list_collections():
            name = info["name"]
            if info.get("type") != "view" and (database, name) not in SERVER_MADE:
                found[f"{database}.{name}"] = _collection(client, database, name, info.get("options", {}))
    return found


def differences(before: dict[str, Collection], after: dict[str, Collection]) -> list[str]:
    """Return a line for each collection that is not the same; none when all are."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            lines.append(f"{name} is {'new' if one is None else 'missing'}")
        elif one.documents != other.documents:
            lines.append(f"{name} has {other.documents} documents, not {one.documents}")
        else:
            lines += [f"{name}: its {part} differ" for part in ("digest", "indexes", "options")
                      if getattr(one, part) != getattr(other, part)]  # fmt: skip
    return lines


def _collection(client: MongoClient[dict[str, Any]], database: str, name: str, options: Any) -> Collection:
    raw: Any = client[database].get_collection(name, codec_options=CodecOptions(document_class=RawBSONDocument))
    digest, count = hashlib.sha256(), 0
    for document in raw.find({}, batch_size=1000).sort("_id", 1):
        digest.update(document.raw)
        count += 1
    indexes = sorted(_canonical(index) for index in client[database][name].list_indexes())
    return Collection(count, digest.hexdigest(), "\n".join(indexes), _canonical(options))


def _canonical(value: Any) -> str:
    # The order of an index's keys counts, that of its options does not.
    if isinstance(value, dict) and "key" in value:
        value = {**value, "key": [list(pair) for pair in value["key"].items()]}
    return json.dumps(json.loads(json_util.dumps(value)), sort_keys=True)
