"""`python -m taskservice auth|tasks|migrate`: reads the settings, then runs one command.

A configuration that cannot work ends here, with one sentence on standard error and exit status 1.
"""

import argparse
import asyncio
import sys

from taskservice.kit import logging, mongo, server, tracing
from taskservice.kit.app import Runtime
from taskservice.kit.health import create_management_app
from taskservice.kit.settings import AuthSettings, Settings, SettingsError, TasksSettings, load


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="taskservice", description="The task backend.")
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args(arguments).command
    try:
        return COMMANDS[command]()
    except SettingsError as error:
        print(f"taskservice {command} cannot start: {error}", file=sys.stderr)
        return 1


def run_auth() -> int:
    from taskservice.auth.app import create_app
    from taskservice.auth.directory import internal_routes

    settings = load(AuthSettings)
    runtime = _begin("auth", settings)
    app = create_app(settings, runtime)
    management = create_management_app(runtime.health, runtime.metrics, internal_routes(app, settings, runtime))
    return server.run(app, management, runtime.health, settings)


def run_tasks() -> int:
    from taskservice.tasks.app import create_app

    settings = load(TasksSettings)
    runtime = _begin("tasks", settings)
    app = create_app(settings, runtime)
    return server.run(app, create_management_app(runtime.health, runtime.metrics), runtime.health, settings)


def run_migrate() -> int:
    """Creates every index. Safe to run at any time, by several at once."""
    from taskservice.auth.repository import INDEXES as USER_INDEXES
    from taskservice.kit.outbox import INDEXES as OUTBOX_INDEXES
    from taskservice.tasks.repository import INDEXES as TASK_INDEXES

    settings = load(Settings)
    logging.configure(settings.log_level, service="migrate", revision=settings.revision)

    async def migrate() -> list[str]:
        database = mongo.connect(settings)
        try:
            return await database.ensure_indexes(USER_INDEXES | TASK_INDEXES | OUTBOX_INDEXES)
        finally:
            await database.close()

    for name in asyncio.run(migrate()):
        print(f"index {name}")
    return 0


def _begin(service: str, settings: Settings) -> Runtime:
    logging.configure(settings.log_level, service=service, version=settings.version, revision=settings.revision)
    tracing.configure(service, settings)
    return Runtime.of(service, settings)


COMMANDS = {"auth": run_auth, "tasks": run_tasks, "migrate": run_migrate}

if __name__ == "__main__":
    sys.exit(main())
