"""The model check: random stories, every action judged, every row of the table taken, every run comes to rest.

``MODEL_RUNS`` sets the number of stories, ``MODEL_SEED`` plays a single one again.
"""

from __future__ import annotations

import os

import pytest

from taskservice_operator.core import rollout
from taskservice_operator.render import deployment as renderer
from testkit.chaos import Story
from testkit.invariants import watched_table

RUNS = int(os.environ.get("MODEL_RUNS", "500"))
ONE = os.environ.get("MODEL_SEED")
BATCHES = 10
TICKS = 200

taken: dict[tuple[str, str], int] = {}


@pytest.mark.parametrize("batch", range(1 if ONE else BATCHES))
def test_no_story_breaks_an_invariant(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "TABLE", watched_table(taken))

    def upgrade(version: int) -> None:
        monkeypatch.setattr(renderer, "__version__", f"{version}.0.0")
        monkeypatch.setattr(renderer, "PRE_STOP_SLEEP_SECONDS", version)

    for seed in [int(ONE)] if ONE else range(batch, RUNS, BATCHES):
        story = Story(seed, upgrade)
        try:
            story.play(TICKS)
            story.settle()
        except Exception as error:
            at = (story.world.now - story.world.now.replace(hour=12, minute=0, second=0)).total_seconds()
            error.add_note(f"play it again with MODEL_SEED={seed} (t={at:.0f} s, {story.world.status.get('step')})")
            raise


@pytest.mark.skipif(bool(ONE) or RUNS < 500, reason="one story does not take every row")
def test_every_row_of_the_table_was_taken() -> None:
    missing = [
        f"{index:02} {row.reason}"
        for index, row in enumerate(rollout.TABLE)
        if (f"{index:02}", row.reason) not in taken
    ]
    assert not missing, f"never taken: {missing}"
