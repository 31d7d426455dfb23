"""What auth accepts and answers. Every string is bounded; unknown members are refused."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s.\x00-\x1f\x7f]+(\.[^@\s.\x00-\x1f\x7f]+)+")


def normalise_email(address: str) -> str:
    """The form that is unique: trimmed, composed, without case. Raises ValueError if it is no address."""
    normal = unicodedata.normalize("NFKC", address.strip()).casefold()
    if len(normal) > 254 or not ADDRESS.fullmatch(normal):
        raise ValueError("not an email address")
    return normal


def _plain(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("must not contain control characters")
    return text


def _encodable(secret: SecretStr) -> SecretStr:
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return secret


Email = Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]
NewPassword = Annotated[SecretStr, Field(min_length=8, max_length=256), AfterValidator(_encodable)]
AnyPassword = Annotated[SecretStr, Field(min_length=1, max_length=256), AfterValidator(_encodable)]
DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_plain)
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Registration(_Model):
    email: Email
    password: NewPassword
    display_name: DisplayName | None = None


class Login(_Model):
    email: Email
    password: AnyPassword


class Profile(_Model):
    id: str
    email: str
    display_name: str | None
    created_at: datetime


class ProfileChange(_Model):
    """A partial update: only the members that are present change; null removes the name."""

    display_name: DisplayName | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one of display_name")
        return self


class PasswordChange(_Model):
    current_password: AnyPassword
    new_password: NewPassword


class Refresh(_Model):
    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=128)]


class TokenPair(_Model):
    """Members named as in RFC 6749. The refresh token is good for one use, and then for a few seconds more."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a scheme name
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class KeySet(_Model):
    keys: list[dict[str, str]]
