"""Sessions as they begin, go on and end, and the tokens they hand out. Knows neither HTTP nor MongoDB."""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from taskservice.auth.errors import BadRefreshToken
from taskservice.auth.refresh import PART_BYTES, RefreshToken, Refused, Repeat, Reused, Rotation, Session, judge
from taskservice.auth.repository import User, UserRepository
from taskservice.auth.schemas import TokenPair
from taskservice.auth.sessions import SessionRepository
from taskservice.kit.denylist import Denylist
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Issuer
from taskservice.kit.logging import event
from taskservice.kit.settings import AuthSettings

log = logging.getLogger(__name__)

ATTEMPTS = 5


class Tokens:
    """Every method raises Unavailable when a store does not answer."""

    def __init__(
        self,
        users: UserRepository,
        sessions: SessionRepository,
        denylist: Denylist,
        issuer: Issuer,
        settings: AuthSettings,
        now: Callable[[], datetime],
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._denylist = denylist
        self._issuer = issuer
        self._lifetime = timedelta(seconds=settings.session_lifetime_seconds)
        self._idle = timedelta(seconds=settings.session_idle_seconds)
        self._grace = timedelta(seconds=settings.refresh_grace_seconds)
        self._most = settings.sessions_per_user
        self._now = now

    async def begin(self, user: User) -> TokenPair:
        """A new session. The oldest ones end when the user has more than are allowed."""
        token, now = RefreshToken.fresh(), self._moment()
        ends_at = now + self._lifetime
        await self._sessions.add(
            Session(
                id=token.session_id,
                user_id=user.id,
                current=token.hash,
                rotations=(),
                created_at=now,
                ends_at=ends_at,
                idle_until=min(ends_at, now + self._idle),
            )
        )
        newest = await self._sessions.newest(user.id, 2 * self._most)
        for session in newest[self._most :]:
            await self.end(session.id)
        return self._pair(user, token, ends_at)

    async def refresh(self, text: str) -> TokenPair:
        """The successor of a token. Raises BadRefreshToken; a token that was used before ends its session."""
        token = RefreshToken.parse(text)
        for _ in range(ATTEMPTS):
            session = await self._sessions.get(token.session_id)
            verdict = judge(session, token, self._moment(), self._grace)
            if session is None or isinstance(verdict, Refused):
                raise BadRefreshToken
            if isinstance(verdict, Reused):
                event(log, "refresh_reused", logging.WARNING, session=session.id, user=session.user_id)
                await self.end(session.id)
                raise BadRefreshToken
            current = verdict.current if isinstance(verdict, Repeat) else await self._rotate(session, token)
            if current is None:
                continue  # somebody else used it at this moment: look again
            user = await self._users.by_id(session.user_id)
            if user is None:
                raise BadRefreshToken
            return self._pair(user, current, session.ends_at)
        raise BadRefreshToken

    async def _rotate(self, session: Session, token: RefreshToken) -> RefreshToken | None:
        now, nonce = self._moment(), secrets.token_bytes(PART_BYTES)
        following = token.next(nonce)
        rotation = Rotation(used=token.hash, nonce=nonce, at=now)
        rotated = await self._sessions.rotate(session, following.hash, rotation, min(session.ends_at, now + self._idle))
        return following if rotated else None

    async def end(self, session_id: str) -> None:
        """Ends one session. When it returns, every process refuses its tokens."""
        await self._sessions.end(session_id, self._moment())
        await self._denylist.add([session_id], self._moment())

    async def end_all(self, user_id: str) -> None:
        """Ends every session of a user. When it returns, every process refuses their tokens.

        Sessions that were ended before are on the list once more: whoever ended them may have failed half-way.
        """
        ended = await self._sessions.end_all(user_id, self._moment())
        await self._denylist.add(ended, self._moment())

    def _pair(self, user: User, refresh: RefreshToken, ends_at: datetime) -> TokenPair:
        now = self._moment()
        return TokenPair(
            access_token=self._issuer.issue(user.id, new_id(), now, user.roles, refresh.session_id),
            expires_in=self._issuer.lifetime_seconds,
            refresh_token=str(refresh),
            refresh_expires_in=max(0, int((ends_at - now).total_seconds())),
        )

    def _moment(self) -> datetime:
        """Now, in the milliseconds that the database keeps."""
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
