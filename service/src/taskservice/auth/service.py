"""What happens at registration and login. Knows neither HTTP nor MongoDB."""

from collections.abc import Callable
from datetime import datetime

from taskservice.auth.errors import BadCredentials
from taskservice.auth.passwords import Passwords
from taskservice.auth.repository import User, UserRepository
from taskservice.auth.schemas import AccessToken, KeySet, Login, Profile, Registration
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Issuer, Principal, Unauthenticated


class AuthService:
    """Accounts and access tokens."""

    def __init__(
        self, users: UserRepository, passwords: Passwords, issuer: Issuer, now: Callable[[], datetime]
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._issuer = issuer
        self._now = now

    async def register(self, request: Registration) -> Profile:
        """Raises EmailTaken, Overloaded, Unavailable. The unique index decides, not a look before."""
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

    async def login(self, request: Login) -> AccessToken:
        """Raises BadCredentials, Overloaded, Unavailable."""
        user = await self._users.by_email(request.email)
        right = await self._passwords.verify(request.password.get_secret_value(), user.password_hash if user else None)
        if user is None or not right:
            raise BadCredentials
        token = self._issuer.issue(user.id, new_id(), self._now())
        return AccessToken(access_token=token, expires_in=self._issuer.lifetime_seconds)

    async def profile(self, caller: Principal) -> Profile:
        """Raises Unauthenticated when the account is gone, Unavailable."""
        user = await self._users.by_id(caller.user_id)
        if user is None:
            raise Unauthenticated
        return _profile(user)

    def key_set(self) -> KeySet:
        return KeySet(keys=[self._issuer.key.jwk])


def _profile(user: User) -> Profile:
    return Profile(id=user.id, email=user.email, display_name=user.display_name, created_at=user.created_at)
