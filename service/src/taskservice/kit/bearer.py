"""The endpoint parameter that requires a verified caller: `caller: Caller`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import Scope

from taskservice.kit.denylist import Denylist
from taskservice.kit.jwt import Principal, Unauthenticated, Verifier

CALLER = "taskservice.caller"
"""Where the scope of a request keeps a caller who was authenticated before FastAPI looked at it."""

_scheme = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="access token")


@dataclass(frozen=True)
class Authenticator:
    """Turns a bearer token into a caller whose session has not ended. Each app has one in `app.state`."""

    verifier: Verifier
    denylist: Denylist

    async def authenticate(self, token: str) -> Principal:
        """Raises Unauthenticated; Unavailable when keys or ended sessions cannot be known."""
        principal = await self.verifier.verify(token)
        await self.admit(principal)
        return principal

    async def admit(self, principal: Principal) -> None:
        """The second half, for whoever has something else to ask at the same time. Raises as `authenticate`."""
        if await self.denylist.refuses(principal.session_id):
            raise Unauthenticated


def shown_token(scope: Scope) -> str | None:
    """The bearer token of a request that FastAPI has not looked at yet; None when there is not exactly one."""
    shown = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(shown) != 1:
        return None
    scheme, token = get_authorization_scheme_param(shown[0].decode("latin-1"))
    return token if token and scheme.lower() == "bearer" else None


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> Principal:
    if credentials is None:
        raise Unauthenticated
    if (known := request.scope.get(CALLER)) is not None:
        return known
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.authenticate(credentials.credentials)


Caller = Annotated[Principal, Depends(_caller)]
