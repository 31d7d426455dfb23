"""What happens to accounts: registration, login, the profile, the password. Knows neither HTTP nor MongoDB."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from taskservice.auth.errors import BadCredentials, WrongPassword
from taskservice.auth.lockout import Lockout
from taskservice.auth.passwords import Passwords
from taskservice.auth.refresh import RefreshToken
from taskservice.auth.repository import User, UserRepository
from taskservice.auth.schemas import Login, PasswordChange, Profile, ProfileChange, Registration, TokenPair
from taskservice.auth.tokens import Tokens
from taskservice.directory.cache import CardCache
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Principal, Unauthenticated


class AuthService:
    """Every method raises Unavailable when a store does not answer."""

    def __init__(
        self,
        users: UserRepository,
        passwords: Passwords,
        tokens: Tokens,
        lockout: Lockout,
        cards: CardCache,
        now: Callable[[], datetime],
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._tokens = tokens
        self._lockout = lockout
        self._cards = cards
        self._now = now

    async def register(self, request: Registration) -> Profile:
        """Raises EmailTaken, Overloaded. The unique index decides, not a look before."""
        now = self._now()
        user = User(
            id=new_id(),
            email=request.email,
            display_name=request.display_name,
            password_hash=await self._passwords.hash(request.password.get_secret_value()),
            created_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        )
        await self._users.add(user)
        return _profile(user)

    async def login(self, request: Login) -> TokenPair:
        """Raises BadCredentials, TooManyFailures, Overloaded."""
        await self._lockout.check(request.email)
        user = await self._users.by_email(request.email)
        password = request.password.get_secret_value()
        right, improved = await self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not right:
            await self._lockout.failed(request.email)
            raise BadCredentials
        await self._lockout.succeeded(request.email)
        if improved is not None:
            await self._users.improve_hash(user.id, user.password_hash, improved)
        pair = await self._tokens.begin(user)
        # A password that was changed meanwhile has ended the sessions that were there; this one may have come after.
        latest = await self._users.by_id(user.id)
        if latest is None or latest.password_version != user.password_version:
            await self._tokens.end(RefreshToken.parse(pair.refresh_token).session_id)
            raise BadCredentials
        return pair

    async def profile(self, caller: Principal) -> Profile:
        """Raises Unauthenticated when the account is gone."""
        return _profile(await self._user(caller))

    async def change_profile(self, caller: Principal, change: ProfileChange) -> Profile:
        """Raises Unauthenticated when the account is gone."""
        changes: Mapping[str, Any] = change.model_dump(exclude_unset=True)
        try:
            user = await self._users.change(caller.user_id, changes)
        finally:
            # Also after a failed write: one that timed out may have happened.
            await self._cards.forget(caller.user_id)
        if user is None:
            raise Unauthenticated
        return _profile(user)

    async def change_password(self, caller: Principal, change: PasswordChange) -> TokenPair:
        """Ends every session and begins one for the caller. Raises WrongPassword, TooManyFailures, Overloaded."""
        user = await self._user(caller)
        await self._lockout.check(user.email)
        right, _ = await self._passwords.verify(change.current_password.get_secret_value(), user.password_hash)
        if not right:
            await self._lockout.failed(user.email)
            raise WrongPassword
        hashed = await self._passwords.hash(change.new_password.get_secret_value())
        changed = await self._users.set_password(user.id, user.password_version, hashed)
        if changed is None:
            raise WrongPassword  # somebody else changed it at this moment
        await self._tokens.end_all(user.id)
        return await self._tokens.begin(changed)

    async def refresh(self, token: str) -> TokenPair:
        """Raises BadRefreshToken."""
        return await self._tokens.refresh(token)

    async def logout(self, caller: Principal) -> None:
        """Ends the caller's session: when it returns, no process accepts its tokens."""
        await self._tokens.end(caller.session_id)

    async def logout_everywhere(self, caller: Principal) -> None:
        """Ends every session of the caller's account."""
        await self._tokens.end_all(caller.user_id)

    async def _user(self, caller: Principal) -> User:
        user = await self._users.by_id(caller.user_id)
        if user is None:
            raise Unauthenticated
        return user


def _profile(user: User) -> Profile:
    return Profile(id=user.id, email=user.email, display_name=user.display_name, created_at=user.created_at)
