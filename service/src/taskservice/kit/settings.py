"""Settings from the environment, checked once, at start.

Every variable is `TASKSERVICE_<NAME>`. Durations are seconds, sizes bytes. A missing or invalid setting
ends in `SettingsError`, whose text is one sentence for a person and never contains a value.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import limits
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "TASKSERVICE_"

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _rate(text: str) -> str:
    try:
        limits.parse(text)
    except ValueError:
        raise ValueError("write how often like 20/minute") from None
    return text


RateLimit = Annotated[str, Field(max_length=40), AfterValidator(_rate)]


class SettingsError(Exception):
    """The process cannot start as it is configured; the text says which setting to change."""


class Settings(BaseSettings):
    """What both services read."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    version: str = Field(default="0.0.0-dev", max_length=64)
    revision: str = Field(default="dev", max_length=64)
    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached by its address
    port: Port = 8000
    management_port: Port = 9090
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    access_log: bool = True
    docs: bool = False
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 64 * 1024

    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = 75
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 3.0
    graceful_seconds: Annotated[int, Field(ge=1, le=300)] = 25

    mongo_url: SecretStr
    mongo_database: str = Field(default="taskservice", pattern=r"^[A-Za-z0-9_-]{1,38}$")
    mongo_driver: Literal["motor", "pymongo"] = "motor"
    mongo_timeout_seconds: Seconds = 8.0
    mongo_pool: Annotated[int, Field(ge=1, le=1000)] = 50

    # One Redis for all services, or none for any: without it nothing is cached or limited, and MongoDB is asked
    # at each request whether the caller's session has ended.
    redis_url: SecretStr | None = None
    redis_timeout_seconds: Seconds = 0.25
    redis_retry_seconds: Seconds = 1.0
    # Spans go to <endpoint>/v1/traces; without it nothing is traced.
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://\S+$", max_length=1000)
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 0.05

    # Between services; without it auth serves no user directory and tasks asks none.
    directory_token: Annotated[SecretStr, Field(min_length=32, max_length=512)] | None = None

    # Networks (CIDR, separated by commas) whose X-Forwarded-For is believed: the gateway's proxies.
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)] = ()

    jwt_issuer: str = Field(default="taskservice-auth", min_length=1, max_length=200)
    jwt_audience: str = Field(default="taskservice", min_length=1, max_length=200)

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port == self.management_port:
            raise ValueError("TASKSERVICE_PORT and TASKSERVICE_MANAGEMENT_PORT must differ")
        return self


class AuthSettings(Settings):
    """What only auth reads. The signing key is given as a file or as the value itself, never generated."""

    jwt_private_key_file: Path | None = None
    jwt_private_key: SecretStr | None = None
    jwt_lifetime_seconds: Annotated[int, Field(ge=30, le=3600)] = 600

    # Public or private keys in PEM that are published besides the signing key: the next one, and the one before.
    jwt_published_keys_file: Path | None = None
    jwt_published_keys: SecretStr | None = None

    session_lifetime_seconds: Annotated[int, Field(ge=60, le=400 * 86400)] = 30 * 86400
    session_idle_seconds: Annotated[int, Field(ge=60, le=400 * 86400)] = 7 * 86400
    # How long a refresh token that was used may be used again, by another tab or after a lost answer.
    refresh_grace_seconds: Annotated[float, Field(ge=0, le=60)] = 10.0
    sessions_per_user: Annotated[int, Field(ge=1, le=1000)] = 50

    # Failed logins of one address: so many are free, then each one doubles the wait, from base to cap.
    lockout_free_failures: Annotated[int, Field(ge=1, le=100)] = 5
    lockout_base_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    lockout_cap_seconds: Annotated[float, Field(gt=0, le=86400)] = 900.0

    # How often, as in 20/minute: per client address, and per account.
    limit_register_per_address: RateLimit = "60/minute"
    limit_login_per_address: RateLimit = "120/minute"
    limit_login_per_account: RateLimit = "20/minute"
    limit_refresh_per_address: RateLimit = "600/minute"
    limit_password_per_account: RateLimit = "10/minute"  # noqa: S105 - a rate

    argon2_memory_kib: Annotated[int, Field(ge=8, le=1024 * 1024)] = 19456
    argon2_time_cost: Annotated[int, Field(ge=1, le=20)] = 2
    argon2_parallelism: Annotated[int, Field(ge=1, le=16)] = 1
    password_workers: Annotated[int, Field(ge=1, le=64)] = 2
    password_queue: Annotated[int, Field(ge=1, le=10_000)] = 128

    # Accepted too while the token is being replaced, so that services need not change at the same moment.
    directory_token_previous: Annotated[SecretStr, Field(min_length=32, max_length=512)] | None = None
    grpc_port: Port = 9091
    grpc_connection_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    grpc_reflection: bool = False

    @model_validator(mode="after")
    def _grpc_port_differs(self) -> Self:
        if self.grpc_port in (self.port, self.management_port):
            raise ValueError("TASKSERVICE_GRPC_PORT must differ from TASKSERVICE_PORT and TASKSERVICE_MANAGEMENT_PORT")
        return self

    @model_validator(mode="after")
    def _key_given(self) -> Self:
        if self.jwt_private_key_file is None and self.jwt_private_key is None:
            raise ValueError(
                "set TASKSERVICE_JWT_PRIVATE_KEY_FILE or TASKSERVICE_JWT_PRIVATE_KEY to an Ed25519 key in PEM"
            )
        return self

    def signing_key_pem(self) -> bytes:
        """The signing key as PEM. Raises SettingsError when the file cannot be read."""
        return _secret(self.jwt_private_key_file, self.jwt_private_key, "TASKSERVICE_JWT_PRIVATE_KEY_FILE")

    def published_keys_pem(self) -> bytes:
        """Further keys to publish, as PEM. Raises SettingsError when the file cannot be read."""
        return _secret(self.jwt_published_keys_file, self.jwt_published_keys, "TASKSERVICE_JWT_PUBLISHED_KEYS_FILE")


class TasksSettings(Settings):
    """What only tasks reads."""

    jwks_url: str = Field(pattern=r"^https?://\S+$")
    jwks_timeout_seconds: Seconds = 2.0
    jwks_max_age_seconds: Seconds = 300.0
    jwks_cooldown_seconds: Seconds = 5.0

    cache_ttl_seconds: Annotated[int, Field(ge=1, le=3600)] = 30

    cursor_key: SecretStr | None = Field(default=None, min_length=16)

    directory_grpc: str | None = Field(default=None, pattern=r"^\S+$", max_length=1000)
    directory_http_url: str | None = Field(default=None, pattern=r"^https?://\S+$", max_length=1000)
    directory_cache_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    directory_timeout_seconds: Annotated[float, Field(ge=0.05, le=30)] = 1.5
    directory_attempt_seconds: Annotated[float, Field(ge=0.02, le=30)] = 0.5
    directory_breaker_failures: Annotated[int, Field(ge=1, le=100)] = 5
    directory_breaker_seconds: Annotated[float, Field(ge=0.1, le=300)] = 5.0

    @model_validator(mode="after")
    def _directory_has_token(self) -> Self:
        if (self.directory_grpc or self.directory_http_url) and self.directory_token is None:
            raise ValueError(
                "set TASKSERVICE_DIRECTORY_TOKEN, as auth has it, or leave TASKSERVICE_DIRECTORY_GRPC and"
                " TASKSERVICE_DIRECTORY_HTTP_URL out"
            )
        return self

    def cursor_signing_key(self) -> bytes:
        """What cursors are signed with, the same in every replica.

        Without a key of its own it is derived from the database's address, which holds a password: cursors then
        become invalid when that changes, and a client begins with the first page again.
        """
        given = self.cursor_key or self.mongo_url
        return hashlib.sha256(b"cursor\x00" + given.get_secret_value().encode()).digest()


class BusSettings(Settings):
    """How the broker is reached. Partitions are laid down when the first worker starts: changing them later
    means draining the queues first, because the order is kept within a partition."""

    bus_url: SecretStr
    bus_partitions: Annotated[int, Field(ge=1, le=256)] = 8
    bus_replicas: Annotated[int, Field(ge=1, le=9)] = 1  # of Kafka's topics; RabbitMQ's quorum follows its nodes
    bus_workers: Annotated[int, Field(ge=1, le=32)] = 4  # consumers of one process; RabbitMQ has one per partition
    bus_timeout_seconds: Seconds = 5.0
    bus_graceful_seconds: Seconds = 10.0


class WorkerSettings(BusSettings):
    """What only the worker reads."""

    lease_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    relay_batch: Annotated[int, Field(ge=1, le=1000)] = 200
    relay_poll_seconds: Seconds = 0.25
    handle_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    handle_pause_seconds: Seconds = 0.2  # before the second attempt; doubles with each
    reminder_poll_seconds: Seconds = 5.0
    reminder_batch: Annotated[int, Field(ge=1, le=1000)] = 100


def _secret(file: Path | None, value: SecretStr | None, name: str) -> bytes:
    """What the file holds, or else the value. Raises SettingsError, which names the file's setting."""
    if file is None:
        return value.get_secret_value().encode() if value else b""
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{name} cannot be read ({error.strerror}): mount the Secret that holds the keys, or correct the path."
        ) from None


S = TypeVar("S", bound=Settings)


def load(kind: type[S]) -> S:
    """Reads the environment. Raises SettingsError, whose text names each setting to change."""
    try:
        return kind()  # pyright: ignore[reportCallIssue] - filled from the environment
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = PREFIX + str(item["loc"][0]).upper() if item["loc"] else ""
        if item["type"] == "missing":
            problems.append(f"{name} is not set")
        elif name:
            problems.append(f"{name} is not valid ({item['msg']})")
        else:
            problems.append(item["msg"].removeprefix("Value error, "))
    return "; ".join(problems) + "."
