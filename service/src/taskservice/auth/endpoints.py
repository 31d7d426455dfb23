"""HTTP in and out for auth; decides nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from taskservice.auth.errors import BadCredentials, EmailTaken, Overloaded
from taskservice.auth.schemas import AccessToken, KeySet, Login, Profile, Registration
from taskservice.auth.service import AuthService
from taskservice.kit.bearer import Caller
from taskservice.kit.openapi import refusals

router = APIRouter(tags=["auth"])

KEY_SET_SECONDS = 60


async def _service(request: Request) -> AuthService:
    return request.app.state.auth


Service = Annotated[AuthService, Depends(_service)]


@router.post("/v1/auth/register", status_code=201, operation_id="register", responses=refusals(EmailTaken, Overloaded))
async def register(registration: Registration, service: Service) -> Profile:
    return await service.register(registration)


@router.post("/v1/auth/login", operation_id="login", responses=refusals(BadCredentials, Overloaded))
async def login(credentials: Login, service: Service) -> AccessToken:
    return await service.login(credentials)


@router.get("/v1/auth/me", operation_id="me")
async def me(caller: Caller, service: Service) -> Profile:
    return await service.profile(caller)


@router.get("/.well-known/jwks.json", operation_id="key_set")
async def key_set(service: Service, response: Response) -> KeySet:
    response.headers["Cache-Control"] = f"public, max-age={KEY_SET_SECONDS}"
    return service.key_set()
