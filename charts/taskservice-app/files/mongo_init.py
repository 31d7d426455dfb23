"""Makes one replica set of the members, and the users. Runs to the end as often as you like.

``MONGO_USERS`` is a JSON list of ``{"name", "password", "roles"}``; without it there is the services' user alone, whose
password is ``MONGO_PASSWORD``.

Speaks as the members speak among themselves (the internal user, whose password is the key file), because a
new replica set has no other user yet and its localhost exception does not reach over the network.
"""

import json
import os
import sys
import time
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

ALREADY_INITIALIZED = 23
USER_EXISTS = 51003


def main() -> int:
    members = os.environ["MONGO_MEMBERS"].split(",")
    internal = {
        "username": "__system",
        "password": os.environ["MONGO_KEYFILE"].strip(),
        "authSource": "local",
        "authMechanism": "SCRAM-SHA-256",
    }
    deadline = time.monotonic() + float(os.environ.get("MONGO_INIT_SECONDS", "300"))
    while True:
        try:
            initiate(members, internal)
            for user in users():
                create_user(members, internal, user)
        except PyMongoError as error:
            if time.monotonic() > deadline:
                print(f"the replica set could not be prepared: {error}", file=sys.stderr)
                return 1
            print(f"waiting: {type(error).__name__}", flush=True)
            time.sleep(1)
        else:
            print("the replica set is ready")
            return 0


def initiate(members: list[str], internal: dict[str, Any]) -> None:
    """Initiates on the first member, once all of them answer."""
    for member in members:
        with direct(member, {}) as client:
            client.admin.command("ping")
    with direct(members[0], internal) as client:
        if client.admin.command("hello").get("setName"):
            return
        config = {"_id": "rs0", "members": [{"_id": n, "host": host} for n, host in enumerate(members)]}
        try:
            client.admin.command("replSetInitiate", config)
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise


def users() -> list[dict[str, Any]]:
    """The users that there are to be."""
    given = os.environ.get("MONGO_USERS")
    if given:
        return json.loads(given)
    roles = [{"role": "readWrite", "db": "taskservice"}]
    return [{"name": "taskservice", "password": os.environ["MONGO_PASSWORD"], "roles": roles}]


def create_user(members: list[str], internal: dict[str, Any], user: dict[str, Any]) -> None:
    """Creates a user on the primary; gives it the password of now only if it has another."""
    if works(members, user):
        return
    name, given = user["name"], {"pwd": user["password"], "roles": user["roles"]}
    with replica_set(members, internal) as client:
        try:
            client.admin.command("createUser", name, **given)
        except OperationFailure as error:
            if error.code != USER_EXISTS:
                raise
            client.admin.command("updateUser", name, **given)


def works(members: list[str], user: dict[str, Any]) -> bool:
    """Whether a user can log in."""
    credentials = {"username": user["name"], "password": user["password"], "authSource": "admin"}
    with replica_set(members, credentials) as client:
        try:
            client.admin.command("ping")
        except OperationFailure:
            return False
        return True


def replica_set(members: list[str], credentials: dict[str, Any]) -> MongoClient[dict[str, Any]]:
    return MongoClient(host=members, replicaSet="rs0", serverSelectionTimeoutMS=5000, timeoutMS=15_000, **credentials)


def direct(member: str, credentials: dict[str, Any]) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        host=member, directConnection=True, serverSelectionTimeoutMS=2000, timeoutMS=10_000, **credentials
    )


if __name__ == "__main__":
    sys.exit(main())
