"""The one error a user sees.

    LocalError          something the user can act on: one sentence, with what to do
      CommandError      a program we ran ended badly; the sentence carries its last lines

Everything else that escapes is a bug and keeps its stack trace.
"""

from __future__ import annotations


class LocalError(Exception):
    """A failure to be told in one sentence, without a stack trace."""


class CommandError(LocalError):
    """A program ended with a status other than 0."""

    def __init__(self, argv: list[str], status: int, output: str) -> None:
        self.argv = argv
        self.status = status
        self.output = output
        last = "\n".join("    " + line for line in output.strip().splitlines()[-15:])
        super().__init__(f"`{' '.join(argv[:6])}` ended with status {status}" + (f":\n{last}" if last else "."))
