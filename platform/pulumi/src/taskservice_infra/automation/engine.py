"""The engine: the Pulumi CLI and the Kubernetes provider that ``platform/local`` builds, on one stack's state."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from pulumi import automation

from taskservice_infra.automation.projects import Project
from taskservice_infra.automation.workspace import LOCAL, Place, put_stack_file
from taskservice_infra.errors import PlatformError
from taskservice_infra.local_machine import LocalMachine
from taskservice_infra.passwords import new_seed
from taskservice_infra.policy.gate import enforce

PROVIDER = ("kubernetes", "4.25.0")
"""The plugin, in the version of the Python package ``pulumi-kubernetes``."""

PLUGIN = "pulumi-resource-kubernetes"


class Engine:
    """What runs programs for one stack."""

    def __init__(self, place: Place, machine: LocalMachine) -> None:
        self.place = place
        self.machine = machine

    @cached_property
    def command(self) -> automation.PulumiCommand:
        """The CLI; it and its plugin are built when absent.  Raises PlatformError when that fails."""
        program = Path(self.machine.program("pulumi"))
        shutil.rmtree(self.home / "logs", ignore_errors=True)  # of earlier runs: the CLI keeps each
        self._install_provider(program)
        # The folder above bin/.
        return automation.PulumiCommand(root=str(program.parent.parent))

    @property
    def home(self) -> Path:
        """Where the CLI keeps its plugins: one for all stacks, another one for another build of the plugin."""
        build = hashlib.sha256(self.machine.program(PLUGIN).encode()).hexdigest()[:12]
        return self.machine.cache() / "pulumi" / f"home-{build}"

    @property
    def environment(self) -> dict[str, str]:
        """What the CLI is told by its environment."""
        return {
            "PULUMI_BACKEND_URL": self.place.backend,
            "PULUMI_CONFIG_PASSPHRASE": self.place.passphrase(),
            "PULUMI_HOME": str(self.home),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            # What somebody changed by hand is ours again after the next run.
            "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",
        }

    def stack(self, project: Project) -> automation.Stack:
        """The project's stack, made if absent, with its seed if it needs one."""
        self.place.prepare()
        work = put_stack_file(self.place, project)
        stack = automation.create_or_select_stack(
            self.place.stack,
            project_name=project.name,
            program=lambda: self._run(project),
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(work),
                env_vars=self.environment,
                pulumi_command=self.command,
                pulumi_home=str(self.home),
                secrets_provider="passphrase",
            ),
        )
        if project.seeded and self.place.stack == LOCAL and f"{project.name}:seed" not in stack.get_all_config():
            stack.set_config(f"{project.name}:seed", automation.ConfigValue(new_seed(), secret=True))
        return stack

    def _run(self, project: Project) -> None:
        enforce(self.place.stack)
        project.program(self.machine)

    def _install_provider(self, pulumi: Path) -> None:
        name, version = PROVIDER
        if (self.home / "plugins" / f"resource-{name}-v{version}" / PLUGIN).exists():
            return
        file = self.machine.program(PLUGIN)
        done = subprocess.run(
            [str(pulumi), "plugin", "install", "resource", name, version, "--file", file],
            env={**self.environment, "PATH": "/usr/bin:/bin", "HOME": str(self.home)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise PlatformError(f"The provider for Kubernetes could not be installed: {done.stderr.strip()[-500:]}")
