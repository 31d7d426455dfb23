"""The endpoint parameter that requires a verified caller: `caller: Caller`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from taskservice.kit.denylist import Denylist
from taskservice.kit.jwt import Principal, Unauthenticated, Verifier

CALLER = "taskservice.caller"
"""Where a request keeps its caller."""

_scheme = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="access token")


@dataclass(frozen=True)
class Authenticator:
    """Turns a bearer token into a caller whose session has not ended. Each app has one in `app.state`."""

    verifier: Verifier
    denylist: Denylist

    async def authenticate(self, token: str) -> Principal:
        """Raises Unauthenticated; Unavailable when keys or ended sessions cannot be known."""
        principal = await self.verifier.verify(token)
        if await self.denylist.refuses(principal.session_id):
            raise Unauthenticated
        return principal


async def caller_of(request: Request) -> Principal | None:
    """Who asks, found out before FastAPI looks at the parameters; None when no bearer token is shown.

    Raises what `Authenticator.authenticate` raises. The endpoint's `caller` is then the same, and is not asked again.
    """
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if not token or scheme.lower() != "bearer":
        return None
    authenticator: Authenticator = request.app.state.authenticator
    caller = request.scope[CALLER] = await authenticator.authenticate(token)
    return caller


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
