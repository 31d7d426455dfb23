"""``python -m taskservice_demo.install``: the operator on the cluster that is up, and kubectl with its plugin.

Progress goes to stderr; stdout carries what a shell needs afterwards, for ``eval "$(make -s operator)"``.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from taskservice_demo.stage import Stage, prepare
from taskservice_local import builder
from taskservice_local.errors import LocalError
from taskservice_local.paths import CHECKOUT
from taskservice_local.progress import say

PROGRAMS = CHECKOUT / "build" / "bin"


def main() -> int:
    """0 when the operator is available."""
    try:
        stage = prepare(("operator",))
        programs = put_programs(stage, PROGRAMS)
    except LocalError as problem:
        say(f"The operator could not be installed: {problem}")
        return 1
    say("The operator runs. To use it from this shell:")
    print(f"export KUBECONFIG={shlex.quote(str(stage.kubeconfig))}")
    print(f'export PATH={shlex.quote(str(programs))}:"$PATH"')
    return 0


def put_programs(stage: Stage, folder: Path) -> Path:
    """Fill a folder for the PATH with kubectl, helm and the plugin of this checkout; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in (("kubectl", stage.kubectl.base[0]), ("helm", builder.ensure_binary("helm"))):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    plugin = folder / "kubectl-taskservice"
    source, python = shlex.quote(str(CHECKOUT / "operator" / "src")), shlex.quote(sys.executable)
    plugin.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {python} -m taskservice_operator.cli "$@"\n')
    plugin.chmod(0o755)
    return folder


if __name__ == "__main__":
    sys.exit(main())
