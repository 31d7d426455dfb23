"""No folder of ours may shadow a module that Python or Pulumi imports.

``operator``, ``platform`` and ``pulumi`` are importable names: an ``__init__.py`` or a loose module in a folder of
that name, found through the repository root, breaks imports far away (ADR 0003).  Tests carry no ``__init__.py``
for the same reason.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHADOWING = ("operator", "platform", "platform/pulumi", "platform/local")


def findings(root: Path) -> list[str]:
    """One sentence per offending file; an empty list is a pass."""
    found = [
        f"{path.relative_to(root)}: a module here shadows an importable name; move it under src/"
        for folder in SHADOWING
        for path in sorted((root / folder).glob("*.py"))
    ]
    found += [
        f"{path.relative_to(root)}: tests carry no __init__.py (see pyproject.toml, import-mode)"
        for path in sorted((root / "tests").rglob("__init__.py"))
        if "support" not in path.relative_to(root).parts
    ]
    return found


if __name__ == "__main__":
    problems = findings(ROOT)
    print("\n".join(problems) or "no_shadow: nothing shadows an importable name")
    sys.exit(bool(problems))
