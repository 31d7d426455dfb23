"""What ends a command of the keeper: one sentence for a person, saying what is wrong and what to do."""

from __future__ import annotations


class KeeperError(Exception):
    """A command cannot go on; the text is one or two sentences without any secret."""


class NotYet(KeeperError):
    """Something is still starting: trying again may help."""
