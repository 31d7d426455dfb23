"""HTTP in and out for auth; decides nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from taskservice.auth.errors import (
    BadCredentials,
    BadRefreshToken,
    EmailTaken,
    Overloaded,
    TooManyFailures,
    WrongPassword,
)
from taskservice.auth.gate import Gate
from taskservice.auth.keys import KeyRing
from taskservice.auth.schemas import (
    KeySet,
    Login,
    PasswordChange,
    Profile,
    ProfileChange,
    Refresh,
    Registration,
    TokenPair,
)
from taskservice.auth.service import AuthService
from taskservice.kit.bearer import Caller
from taskservice.kit.limits import RateLimited
from taskservice.kit.openapi import refusals

router = APIRouter(tags=["auth"])

KEY_SET_SECONDS = 60


async def _service(request: Request) -> AuthService:
    return request.app.state.auth


async def _keys(request: Request) -> KeyRing:
    return request.app.state.keys


async def _gate(request: Request) -> Gate:
    return request.app.state.gate


async def _address(request: Request) -> str:
    peer = request.client.host if request.client else None
    return request.app.state.gate.addresses.find(peer, request.headers.getlist("x-forwarded-for"))


Service = Annotated[AuthService, Depends(_service)]
Keys = Annotated[KeyRing, Depends(_keys)]
Limited = Annotated[Gate, Depends(_gate)]
ClientAddress = Annotated[str, Depends(_address)]


@router.post(
    "/v1/auth/register",
    status_code=201,
    operation_id="register",
    responses=refusals(EmailTaken, RateLimited, Overloaded),
)
async def register(
    registration: Registration, service: Service, gate: Limited, address: ClientAddress, response: Response
) -> Profile:
    async with gate.registration(response.headers, address):
        return await service.register(registration)


@router.post(
    "/v1/auth/login",
    operation_id="login",
    responses=refusals(BadCredentials, TooManyFailures, RateLimited, Overloaded),
)
async def login(
    credentials: Login, service: Service, gate: Limited, address: ClientAddress, response: Response
) -> TokenPair:
    async with gate.login(response.headers, address, credentials.email):
        return await service.login(credentials)


@router.post("/v1/auth/refresh", operation_id="refresh", responses=refusals(BadRefreshToken, RateLimited))
async def refresh(
    presented: Refresh, service: Service, gate: Limited, address: ClientAddress, response: Response
) -> TokenPair:
    async with gate.refresh(response.headers, address):
        return await service.refresh(presented.refresh_token.get_secret_value())


@router.post("/v1/auth/logout", status_code=204, operation_id="logout")
async def logout(caller: Caller, service: Service) -> None:
    await service.logout(caller)


@router.post("/v1/auth/logout-everywhere", status_code=204, operation_id="logout_everywhere")
async def logout_everywhere(caller: Caller, service: Service) -> None:
    await service.logout_everywhere(caller)


@router.post(
    "/v1/auth/password",
    operation_id="change_password",
    responses=refusals(WrongPassword, TooManyFailures, RateLimited, Overloaded),
)
async def change_password(
    change: PasswordChange, caller: Caller, service: Service, gate: Limited, response: Response
) -> TokenPair:
    async with gate.password(response.headers, caller.user_id):
        return await service.change_password(caller, change)


@router.get("/v1/auth/me", operation_id="me")
async def me(caller: Caller, service: Service) -> Profile:
    return await service.profile(caller)


@router.patch("/v1/auth/me", operation_id="change_me")
async def change_me(change: ProfileChange, caller: Caller, service: Service) -> Profile:
    return await service.change_profile(caller, change)


@router.get("/.well-known/jwks.json", operation_id="key_set")
async def key_set(keys: Keys, response: Response) -> KeySet:
    response.headers["Cache-Control"] = f"public, max-age={KEY_SET_SECONDS}"
    return KeySet(keys=keys.jwks)
