"""An engine that records what a program declares, and makes nothing.

    played = play(lambda: program(FakeMachine()), project="data", config={"data:mongodb": {"provider": "dev"}})
    played.one("StatefulSet").inputs["spec"]["replicas"]
    played.outputs["mongodb_url"]

Charts are one opaque resource here: look at their ``values``; what they render to is tested with Helm.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc, stack
from pulumi.runtime.proto import resource_pb2

READ: dict[str, dict[str, Any]] = {"kubernetes:core/v1:Secret": {"data": {"ca.crt": "QVVUSE9SSVRZ"}}}
"""What is there before a program runs, by type: a Secret with the certificate AUTHORITY."""


@dataclass(frozen=True)
class Made:
    """A resource as it was declared; ``secrets``: the names of inputs that hold something secret."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    dependencies: tuple[str, ...]
    provider: str
    ignored: tuple[str, ...]
    secrets: frozenset[str]
    urn: str

    @property
    def kind(self) -> str:
        """``StatefulSet`` of ``kubernetes:apps/v1:StatefulSet``."""
        return self.type.rpartition(":")[2]


@dataclass
class Played:
    """What a program declared, in order, and what it published."""

    made: list[Made] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)

    def all(self, kind: str) -> list[Made]:
        """Every resource of a kind, given as it ends (``Secret``, ``MongoDbDev``)."""
        return [made for made in self.made if made.kind == kind]

    def one(self, kind: str, name: str | None = None) -> Made:
        """The only resource of a kind, or the one of that name."""
        found = [made for made in self.all(kind) if name is None or made.name == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}: {[made.name for made in self.all(kind)]}"
        return found[0]

    def children(self, parent: Made) -> list[Made]:
        """Those whose parent is this one."""
        return [made for made in self.made if made.parent == parent.urn]


class _Answers(mocks.Mocks):
    """Resources have what they were given as outputs; other stacks have what the test says."""

    def __init__(
        self,
        stacks: Mapping[str, Mapping[str, Any]],
        calls: Mapping[str, Mapping[str, Any]],
        computed: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.stacks = stacks
        self.calls = calls
        self.computed = computed

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            name = args.inputs["name"]
            return name, {"name": name, "outputs": dict(self.stacks.get(name, {})), "secretOutputNames": []}
        if args.resource_id:  # something that is there already, and only read
            return args.resource_id, dict(READ.get(args.typ, {}))
        return f"{args.name}_id", {**args.inputs, **self.computed.get(args.typ, {})}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return dict(self.calls.get(args.token, {})), []


class _Monitor(mocks.MockMonitor):
    def __init__(self, answers: mocks.Mocks, played: Played) -> None:
        super().__init__(answers)
        self.played = played

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802 - its name
        answer = super().RegisterResource(request)
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        secrets = frozenset(name for name, value in inputs.items() if _has_secret(value))
        if request.type != "pulumi:pulumi:Stack":
            self.played.made.append(
                Made(
                    type=request.type,
                    name=request.name,
                    inputs={name: _plain(value) for name, value in inputs.items()},
                    parent=request.parent,
                    dependencies=tuple(request.dependencies),
                    provider=request.provider or "".join(request.providers.values()),
                    ignored=tuple(request.ignoreChanges),
                    secrets=secrets,
                    urn=answer.urn,
                )
            )
        return answer


def play(
    program: Callable[[], None],
    *,
    project: str,
    config: Mapping[str, Any] | None = None,
    stacks: Mapping[str, Mapping[str, Any]] | None = None,
    stack_name: str = "test",
    preview: bool = False,
    calls: Mapping[str, Mapping[str, Any]] | None = None,
    computed: Mapping[str, Mapping[str, Any]] | None = None,
) -> Played:
    """Run a program to its end on an engine that records.

    ``config``: settings by ``project:key``; ``stacks``: outputs of other projects, by project.
    ``calls``: what functions of a provider answer, by token; ``computed``: what a provider adds to a resource, by type.
    Raises what the program raises.
    """
    known = {f"organization/{name}/{stack_name}": outputs for name, outputs in (stacks or {}).items()}
    settings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()}

    loops: list[asyncio.AbstractEventLoop] = []

    def begin_thread() -> None:
        # The monitor makes a loop in each thread that it is called in, and leaves it open.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    async def run() -> Played:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, initializer=begin_thread))
        played, answers = Played(), _Answers(known, calls or {}, computed or {})
        pulumi.runtime.set_mocks(answers, project, stack_name, preview, monitor=_Monitor(answers, played))
        pulumi.runtime.set_all_config(settings)
        await stack.run_pulumi_func(program)
        root = pulumi.runtime.get_root_resource()
        assert isinstance(root, stack.Stack)
        for name, value in root.outputs.items():
            output = pulumi.Output.from_input(value)
            played.outputs[name] = await output.future()
            if await output.is_secret():
                played.secret_outputs.add(name)
        return played

    # A context of its own: the runtime keeps its settings, and the stack, in context variables.
    try:
        return contextvars.Context().run(asyncio.run, run())
    finally:
        for loop in loops:
            loop.close()


def _has_secret(value: Any) -> bool:
    if rpc.is_rpc_secret(value):
        return True
    if isinstance(value, Mapping):
        return any(_has_secret(each) for each in value.values())
    return isinstance(value, list) and any(_has_secret(each) for each in value)


def _plain(value: Any) -> Any:
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
