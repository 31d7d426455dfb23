"""`python -m taskservice auth|tasks|worker|migrate|replay`: reads the settings, then runs one command.

A configuration that cannot work ends here, with one sentence on standard error and exit status 1.
"""

import argparse
import asyncio
import sys

from taskservice.kit import logging, mongo, server, tracing
from taskservice.kit.app import Runtime
from taskservice.kit.health import create_management_app
from taskservice.kit.settings import AuthSettings, Settings, SettingsError, TasksSettings, WorkerSettings, load


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="taskservice", description="The task backend.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    for name in COMMANDS:
        commands.add_parser(name)
    migrating = commands.choices["migrate"]
    migrating.add_argument(
        "--shard", action="store_true", help="also spread the collections over the shards of a cluster"
    )
    migrating.add_argument(
        "--again", action="store_true", help="look at all that earlier versions stored, not only at what is new"
    )
    replaying = commands.choices["replay"]
    replaying.add_argument("--limit", type=_limit, default=100, metavar="N", help="at most; 1 to 10000")
    replaying.add_argument("--dry-run", action="store_true", help="say what would be put back, and change nothing")
    options = vars(parser.parse_args(arguments))
    command = options.pop("command")
    try:
        return COMMANDS[command](**options)
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


def run_worker() -> int:
    from taskservice.worker.app import work

    settings = load(WorkerSettings)
    runtime = _begin("worker", settings)
    management = create_management_app(runtime.health, runtime.metrics)
    return server.run_background(lambda: work(settings, runtime), management, runtime.health, settings)


def run_replay(limit: int = 100, dry_run: bool = False) -> int:
    """Puts dead letters back onto the bus, oldest first, and prints one line for each."""
    from taskservice.kit.bus import BusAway
    from taskservice.worker.app import replay

    settings = load(WorkerSettings)
    logging.configure("ERROR", service="replay", revision=settings.revision)
    try:
        letters = asyncio.run(replay(settings, limit, dry_run=dry_run))
    except BusAway:
        print("taskservice replay stopped: the broker did not answer in time; run it again.", file=sys.stderr)
        return 1
    for letter in letters:
        print(f"{letter.key or '-'}\t{letter.reason}")
    print(f"{len(letters)} {'would be put back' if dry_run else 'put back'}", file=sys.stderr)
    return 0


def run_migrate(shard: bool = False, again: bool = False) -> int:
    """Makes the database what this version expects, a line on standard output for each thing done."""
    from taskservice.kit.errors import Unavailable
    from taskservice.migration import migrate

    settings = load(Settings)
    logging.configure(settings.log_level, service="migrate", revision=settings.revision)
    try:
        asyncio.run(migrate(settings, lambda line: print(line, flush=True), shard=shard, again=again))
    except mongo.NotSharded as error:
        print(f"taskservice migrate cannot go on: {error}", file=sys.stderr)
        return 1
    except Unavailable:
        print("taskservice migrate stopped: the database did not answer in time; run it again.", file=sys.stderr)
        return 1
    return 0


def _begin(service: str, settings: Settings) -> Runtime:
    logging.configure(settings.log_level, service=service, version=settings.version, revision=settings.revision)
    tracing.configure(service, settings)
    return Runtime.of(service, settings)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 10_000:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 10000")
    return int(text)


COMMANDS = {"auth": run_auth, "tasks": run_tasks, "worker": run_worker, "migrate": run_migrate, "replay": run_replay}

if __name__ == "__main__":
    sys.exit(main())
