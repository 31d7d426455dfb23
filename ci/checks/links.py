"""Every relative link in the documentation points at a file, and every anchor at a heading."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that a Markdown renderer gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def findings(root: Path, documents: list[Path]) -> list[str]:
    """One sentence per dead link."""
    found = []
    for document in documents:
        for target in LINK.findall(document.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, fragment = target.partition("#")
            place = (document.parent / path).resolve() if path else document
            if not place.exists():
                found.append(f"{document.relative_to(root)}: {target} does not exist")
            elif fragment and place.suffix == ".md":
                anchors = {anchor(text) for text in HEADING.findall(place.read_text(encoding="utf-8"))}
                if fragment not in anchors:
                    found.append(f"{document.relative_to(root)}: {target} has no such heading")
    return found


if __name__ == "__main__":
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = [ROOT / name for name in listed.stdout.split() if (ROOT / name).exists()]
    problems = findings(ROOT, files)
    print("\n".join(problems) or f"links: {len(files)} documents, no dead link")
    sys.exit(bool(problems))
