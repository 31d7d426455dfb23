"""The endpoint parameter that requires a verified caller: `caller: Caller`."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from taskservice.kit.jwt import Principal, Unauthenticated, Verifier

_scheme = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="access token")


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> Principal:
    if credentials is None:
        raise Unauthenticated
    verifier: Verifier = request.app.state.verifier
    return await verifier.verify(credentials.credentials)


Caller = Annotated[Principal, Depends(_caller)]
