"""What is worked out about a server without asking one."""

from __future__ import annotations

import base64

import pytest

from taskservice_keeper.errors import KeeperError, NotYet
from taskservice_keeper.vault.server import decode_token, patiently


def test_a_token_is_found_under_its_one_time_password() -> None:
    token, otp = "hvs.abcdefghijklmnopqrstuvwx", "ABCDEFGHIJKLMNOPQRSTUVWXYZ01"
    hidden = base64.b64encode(bytes(a ^ b for a, b in zip(token.encode(), otp.encode(), strict=True)))
    assert decode_token(hidden.decode().rstrip("="), otp) == token


def test_patience_is_for_what_is_starting_only() -> None:
    calls = []

    def starts_slowly() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise NotYet("starting")

    patiently(starts_slowly, 10, pause=0)
    assert len(calls) == 3

    def refuses() -> None:
        calls.append(1)
        raise KeeperError("no")

    with pytest.raises(KeeperError, match="no"):
        patiently(refuses, 10, pause=0)
    assert len(calls) == 4


def test_patience_ends_with_the_last_reason() -> None:
    def never() -> None:
        raise NotYet("no leader yet")

    with pytest.raises(NotYet, match="no leader yet"):
        patiently(never, 0, pause=0)
