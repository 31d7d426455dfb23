"""What a user may have to act on; each is told as sentences, without a stack trace.

    PlatformError           something is wrong outside this program: what, where, what to do
      BadConfiguration      a stack file says something that cannot be; one sentence per setting

Everything else that escapes is a bug and keeps its stack trace.
"""

from __future__ import annotations

from collections.abc import Sequence


class PlatformError(Exception):
    """A failure to be told in sentences."""


class BadConfiguration(PlatformError):
    """Settings that were refused.  ``findings``: ``<stack file>: <project>:<key>: <sentence>``, one for each."""

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(self.findings))
