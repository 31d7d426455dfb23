"""A page as a browser lays it out: headless Chromium, where there is one."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testkit.mongod import PartUnavailable

WIDTH, HEIGHT = 1600, 1200
MEASURE = """
<script>
const root = document.documentElement;
const boxes = [...document.querySelectorAll('.panel')].map(panel => {
  const outer = panel.getBoundingClientRect();
  const drawn = [...panel.querySelectorAll('svg, .number, .none, ul, ol')].map(each => each.getBoundingClientRect());
  return {
    title: panel.querySelector('h4').textContent, width: outer.width, height: outer.height,
    drawn: drawn.filter(box => box.width > 0 && box.height > 0).length,
    outside: drawn.filter(box => box.right > outer.right + 1 || box.bottom > outer.bottom + 1).length,
  };
});
const broken = [...document.querySelectorAll('nav a')].filter(a => !document.querySelector(a.getAttribute('href')));
const found = {panels: boxes, high: root.scrollHeight, sideways: root.scrollWidth - root.clientWidth,
               brokenLinks: broken.length, lines: document.querySelectorAll('svg path').length};
const out = document.createElement('pre'); out.id = 'measured'; out.textContent = JSON.stringify(found);
document.body.append(out);
</script>
"""


@dataclass(frozen=True)
class Panel:
    """``drawn``: things in it that can be seen; ``outside``: those of them that stick out of it.  Pixels."""

    title: str
    width: float
    height: float
    drawn: int
    outside: int


@dataclass(frozen=True)
class Measured:
    """``sideways``: how many pixels it has to be scrolled sideways; ``lines``: of all graphs."""

    panels: tuple[Panel, ...]
    sideways: int
    broken_links: int
    lines: int


def laid_out(page: str, folder: Path, picture: Path) -> Measured:
    """What the browser made of a page, and a picture of all of it.  Raises PartUnavailable without Chromium."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        raise PartUnavailable("no Chromium: apt-get install chromium")
    file = folder / "measured.html"
    file.write_text(page.replace("</html>", f"{MEASURE}</html>"))
    dumped = _run(binary, folder, HEIGHT, "--dump-dom", file.as_uri())
    found = re.search(r'<pre id="measured">(.*?)</pre>', dumped, re.DOTALL)
    assert found, dumped[-2000:]
    measured = json.loads(html.unescape(found[1]))
    file.write_text(page)
    _run(binary, folder, measured["high"], f"--screenshot={picture}", file.as_uri())
    return Measured(
        tuple(Panel(**each) for each in measured["panels"]),
        measured["sideways"],
        measured["brokenLinks"],
        measured["lines"],
    )


def _run(binary: str, folder: Path, height: int, *words: str) -> str:
    # As root Chromium has no sandbox, and without these it asks servers of its maker at every start.
    silent = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
              "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")  # fmt: skip
    own = (f"--user-data-dir={folder / 'chromium'}", f"--window-size={WIDTH},{height}")
    command = [binary, "--headless", *silent, *own, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
