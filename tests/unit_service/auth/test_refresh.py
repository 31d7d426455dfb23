"""What a refresh token deserves: one use, a short grace, and the end of its family after that. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from taskservice.auth import refresh
from taskservice.auth.errors import BadRefreshToken
from taskservice.auth.refresh import (
    TOKEN_CHARACTERS,
    RefreshToken,
    Refused,
    Repeat,
    Reused,
    Rotate,
    Rotation,
    Session,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GRACE = timedelta(seconds=10)
MOMENT = timedelta(milliseconds=1)


def judge(session: Session | None, token: RefreshToken, now: datetime) -> refresh.Verdict:
    return refresh.judge(session, token, now, GRACE)


def begun(token: RefreshToken) -> Session:
    return Session(
        id=token.session_id,
        user_id="ann",
        current=token.hash,
        rotations=(),
        created_at=NOW,
        ends_at=NOW + timedelta(days=30),
        idle_until=NOW + timedelta(days=7),
    )


def used(session: Session, token: RefreshToken, at: datetime) -> tuple[Session, RefreshToken]:
    """The session after a use of its current token, and the token that followed."""
    assert isinstance(judge(session, token, at), Rotate)
    nonce = bytes([len(session.rotations)]) * 32
    following = token.next(nonce)
    rotation = Rotation(token.hash, nonce, at)
    return replace(session, current=following.hash, rotations=(*session.rotations, rotation)), following


def test_a_token_survives_the_wire() -> None:
    token = RefreshToken.fresh()
    assert len(str(token)) == TOKEN_CHARACTERS
    assert RefreshToken.parse(str(token)) == token
    assert str(token) not in repr(token)


@pytest.mark.parametrize(
    "text", ["", "x", "x" * 85, "x" * 87, "x" * 86 + "==", "é" * 86, "x" * 85 + "!", "x" * 85 + "="]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRefreshToken):
        RefreshToken.parse(text)


def test_the_stored_values_hold_no_token() -> None:
    token = RefreshToken.fresh()
    session, following = used(begun(token), token, NOW)
    stored = session.id.encode() + session.current + b"".join(r.used + r.nonce for r in session.rotations)
    for held in (token, following):
        assert held.secret not in stored
        assert held.family not in stored


def test_a_token_used_again_within_the_grace_leads_to_the_same_successor() -> None:
    token = RefreshToken.fresh()
    session, following = used(begun(token), token, NOW)
    for later in (timedelta(0), GRACE):
        verdict = judge(session, token, NOW + later)
        assert isinstance(verdict, Repeat)
        assert verdict.current == following


def test_within_the_grace_a_token_leads_over_several_uses() -> None:
    first = RefreshToken.fresh()
    session, second = used(begun(first), first, NOW)
    session, third = used(session, second, NOW + timedelta(seconds=3))
    session, fourth = used(session, third, NOW + timedelta(seconds=6))
    for token in (first, second, third):
        verdict = judge(session, token, NOW + timedelta(seconds=7))
        assert isinstance(verdict, Repeat)
        assert verdict.current == fourth
    assert isinstance(judge(session, first, NOW + timedelta(seconds=11)), Reused)
    assert isinstance(judge(session, second, NOW + timedelta(seconds=11)), Repeat)


def test_after_the_grace_it_is_reuse_however_old_it_is() -> None:
    token = RefreshToken.fresh()
    session, current, held = begun(token), token, [token]
    for use in range(50):
        session, current = used(session, current, NOW + timedelta(minutes=use))
        session = replace(session, rotations=session.rotations[-8:])
        held.append(current)
    late = NOW + timedelta(minutes=60)
    assert isinstance(judge(session, held.pop(), late), Rotate)
    assert all(isinstance(judge(session, old, late), Reused) for old in held)


def test_a_forged_value_under_a_familys_name_counts_as_reuse() -> None:
    token = RefreshToken.fresh()
    forged = RefreshToken(token.family, b"x" * 32)
    assert isinstance(judge(begun(token), forged, NOW), Reused)


def test_a_stranger_cannot_end_a_session_by_its_id() -> None:
    """The id is in every access token; the family's name, of which it is the hash, is in none."""
    token = RefreshToken.fresh()
    guess = RefreshToken(bytes.fromhex(token.session_id).ljust(32, b"\0"), token.secret)
    assert guess.session_id != token.session_id


@pytest.mark.parametrize("left", ["ends_at", "idle_until"])
def test_a_session_is_over_by_itself(left: str) -> None:
    token = RefreshToken.fresh()
    session = replace(begun(token), **{left: NOW + timedelta(hours=1)})
    assert isinstance(judge(session, token, NOW + timedelta(hours=1) - MOMENT), Rotate)
    assert isinstance(judge(session, token, NOW + timedelta(hours=1)), Refused)


def test_no_session_and_an_ended_one_are_refused() -> None:
    token = RefreshToken.fresh()
    assert isinstance(judge(None, token, NOW), Refused)
    assert isinstance(judge(replace(begun(token), ended_at=NOW), token, NOW), Refused)
