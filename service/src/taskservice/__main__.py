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
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    for name in COMMANDS:
        commands.add_parser(name).set_defaults(shard=False)
    commands.choices["migrate"].add_argument(
        "--shard", action="store_true", help="also spread the collections over the shards of a cluster"
    )
    options = parser.parse_args(arguments)
    command = options.command
    try:
        return run_migrate(shard=True) if options.shard else COMMANDS[command]()
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


def run_migrate(shard: bool = False) -> int:
    """Creates every index, and spreads the collections if asked to. Safe to run at any time, by several at once."""
    from taskservice.database import INDEXES, SHARD_KEYS

    settings = load(Settings)
    logging.configure(settings.log_level, service="migrate", revision=settings.revision)

    async def migrate() -> list[str]:
        database = mongo.connect(settings)
        try:
            done = [f"index {name}" for name in await database.ensure_indexes(INDEXES)]
            if shard:
                done += [f"sharded {name}" for name in await database.shard(SHARD_KEYS)]
            return done
        finally:
            await database.close()

    try:
        print("\n".join(asyncio.run(migrate())))
    except mongo.NotSharded as error:
        print(f"taskservice migrate cannot go on: {error}", file=sys.stderr)
        return 1
    return 0


def _begin(service: str, settings: Settings) -> Runtime:
    logging.configure(settings.log_level, service=service, version=settings.version, revision=settings.revision)
    tracing.configure(service, settings)
    return Runtime.of(service, settings)


COMMANDS = {"auth": run_auth, "tasks": run_tasks, "migrate": run_migrate}

if __name__ == "__main__":
    sys.exit(main())
