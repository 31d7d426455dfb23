"""The floors of `routes.py`: one FastAPI app without anything of ours around its routes.

GET  /v1/tasks         the bytes of the list that is compared
POST /v1/tasks         the same body, validated, and the same answer; nothing is stored
POST /stored           the same, and the documents that our create stores, in one transaction
POST /v1/auth/login    the same password hash verified in the same number of threads; nothing is issued
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI, Response
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel

from taskservice.auth.schemas import Login
from taskservice.kit.ids import new_id
from taskservice.tasks.documents import entry_document, task_document
from taskservice.tasks.listing import lists_of
from taskservice.tasks.model import Task
from taskservice.tasks.repository import ENTRIES, TASKS
from taskservice.tasks.schemas import NewTask, TaskView

LIST = os.environ["BENCH_LIST"].encode()
hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
HASH = hasher.hash(os.environ["BENCH_PASSWORD"])
threads = ThreadPoolExecutor(2)
client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
    os.environ["BENCH_MONGO_URL"], w="majority", maxPoolSize=50
)
database = client["bare"]
app = FastAPI(openapi_url=None)


class Told(BaseModel):
    """What a login answers."""

    access_token: str


def _task(new: NewTask) -> TaskView:
    now = datetime.now(UTC)
    return TaskView(id=new_id(), created_by="ann", created_at=now, updated_at=now, version=1, **new.model_dump())


@app.get("/v1/tasks")
async def tasks() -> Response:
    return Response(LIST, media_type="application/json")


@app.post("/v1/tasks", status_code=201)
async def create(new: NewTask) -> TaskView:
    return _task(new)


@app.post("/stored", status_code=201)
async def store(new: NewTask) -> TaskView:
    view = _task(new)
    values: dict[str, Any] = view.model_dump() | {"labels": tuple(view.labels)}
    task = Task(**values)
    document = task_document(task)
    async with await client.start_session() as session, session.start_transaction():
        await database[TASKS].insert_one(document, session=session)
        entries = [entry_document(task, name) for name in lists_of(task)]
        await database[ENTRIES].insert_many(entries, session=session)
        await database["outbox"].insert_one({"_id": new_id(), "pending": True, "body": document}, session=session)
    return view


@app.post("/v1/auth/login")
async def login(credentials: Login) -> Told:
    given = credentials.password.get_secret_value()
    await asyncio.get_running_loop().run_in_executor(threads, hasher.verify, HASH, given)
    return Told(access_token="x" * 400)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["TASKSERVICE_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
    )
