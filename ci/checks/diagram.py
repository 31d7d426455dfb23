"""Fails when the rollout diagram in docs/architecture.md is not what ``core/rollout.TABLE`` says; --write mends it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "operator" / "src"))

from taskservice_operator.api.status import Phase  # noqa: E402 — found only through the line above
from taskservice_operator.core.rollout import TABLE, Row  # noqa: E402

PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rollout:begin -->", "<!-- rollout:end -->"


def diagram(table: tuple[Row, ...]) -> str:
    """A Mermaid state diagram with one arrow per pair of phases, and the rows in the order in which they are tried."""
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for row in table:
        for phase in _ordered(row):
            reasons = arrows.setdefault((phase, row.next), [])
            if row.reason not in reasons:
                reasons.append(row.reason)
    drawn = [f"    {start} --> {end}: {', '.join(reasons)}" for (start, end), reasons in arrows.items()]
    rows = [
        f"| {number} | {', '.join(_ordered(row))} | {_condition(row)} | {row.next} | {row.reason} |"
        for number, row in enumerate(table, start=1)
    ]
    return "\n".join(
        [
            "Drawn from the table in `core/rollout.py` by `ci/checks/diagram.py`.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            "    [*] --> Stable",
            *drawn,
            "```",
            "",
            "The first row whose phase and condition match decides; rows are tried again until none matches.",
            "",
            "| | in phase | when | to | reason |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def page_with(text: str, drawn: str) -> str:
    """``text`` with ``drawn`` between the markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.relative_to(ROOT)} has no lines {BEGIN} and {END}: put them where the diagram belongs")
    return f"{before}{BEGIN}\n{drawn}\n{END}{after}"


def _ordered(row: Row) -> list[Phase]:
    return [phase for phase in Phase if phase in row.phases]


def _condition(row: Row) -> str:
    return (row.when.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def main(arguments: list[str]) -> int:
    """0 when the page is right (or was just written)."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = page_with(text, diagram(TABLE))
    if text == wanted:
        return 0
    if "--write" in arguments:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    print(f"{PAGE.relative_to(ROOT)} does not show the rollout table as it is: run ci/checks/diagram.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
