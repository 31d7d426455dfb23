"""What a Vault should hold, as the Pulumi program writes it into a ConfigMap. Names and recipes only, no value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from taskservice_keeper.errors import KeeperError

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
SecretPath = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$", max_length=200)]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,126}$")]
# ${path#field}: the value of another field of the KV store; ${secret:namespace/name#key}: that of a Kubernetes Secret.
REFERENCE = re.compile(r"\$\{((?:secret:)?[a-z0-9._/-]+)#([A-Za-z0-9_.-]+)\}")
OF_KUBERNETES = "secret:"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Password(_Model):
    """Letters and digits from the system's source of randomness."""

    kind: Literal["password"] = "password"
    length: Annotated[int, Field(ge=16, le=1024)] = 40


class SigningKey(_Model):
    """An Ed25519 private key in PEM (PKCS #8)."""

    kind: Literal["ed25519"] = "ed25519"


class Text(_Model):
    """A text into which other values are put: `mongodb://app:${secret:data/mongodb-admin#password}@…`.

    One that quotes a Kubernetes Secret follows it: when that changes, the text is written anew.
    """

    kind: Literal["text"] = "text"
    text: Annotated[str, Field(max_length=4000)]

    @property
    def references(self) -> list[tuple[str, str]]:
        """The (path, field) pairs that are put in, in order."""
        return REFERENCE.findall(self.text)

    @property
    def follows(self) -> bool:
        """Whether it quotes a Kubernetes Secret."""
        return any(place.startswith(OF_KUBERNETES) for place, _ in self.references)


Recipe = Annotated[Password | SigningKey | Text, Field(discriminator="kind")]


class Service(_Model):
    """One service: its ServiceAccount may read one path of the KV store."""

    namespace: Name
    service_account: Name

    @property
    def role(self) -> str:
        """The name of its role and of its policy."""
        return f"{self.namespace}-{self.service_account}"

    @property
    def path(self) -> str:
        """Where its secrets lie in the KV store."""
        return f"taskservices/{self.namespace}/{self.service_account}"


class Desired(_Model):
    """Everything that the bootstrap sees to."""

    kv_mount: Name = "secret"
    auth_mount: Name = "kubernetes"
    audience: Annotated[str, Field(min_length=1, max_length=200)] = "vault"
    kubernetes_host: Annotated[str, Field(pattern=r"^https://\S+$")] = "https://kubernetes.default.svc"
    # Where Vault has no ServiceAccount of the cluster: files with the certificate and with a token that may review.
    kubernetes_ca_file: Path | None = None
    reviewer_token_file: Path | None = None
    token_ttl_seconds: Annotated[int, Field(ge=60, le=86400)] = 1200
    # False where the server's own configuration names the device, as OpenBao demands.
    audit: bool = True
    snapshots: tuple[Name, Name] | None = None  # namespace and ServiceAccount that may take snapshots
    services: tuple[Service, ...] = ()
    secrets: dict[SecretPath, dict[FieldName, Recipe]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Desired:
        roles = [service.role for service in self.services]
        if twice := sorted({role for role in roles if roles.count(role) > 1}):
            raise ValueError(
                f"two services share the role {twice[0]}: namespace and ServiceAccount are joined by a dash, so rename"
                " one of them"
            )
        known = {(path, field) for path, fields in self.secrets.items() for field in fields}
        for path, fields in self.secrets.items():
            for field, recipe in fields.items():
                for reference in recipe.references if isinstance(recipe, Text) else []:
                    if reference[0].startswith(OF_KUBERNETES):
                        continue
                    if reference not in known:
                        raise ValueError(f"{path}#{field} refers to {'#'.join(reference)}, which nothing makes")
                    source = self.secrets[reference[0]][reference[1]]
                    if isinstance(source, Text):
                        raise ValueError(f"{path}#{field} refers to {'#'.join(reference)}, which is a text itself")
        return self


def load(file: Path) -> Desired:
    """Read the file. Raises KeeperError that names what is wrong in it."""
    try:
        return Desired.model_validate_json(file.read_bytes())
    except OSError as error:
        raise KeeperError(f"{file} cannot be read ({error.strerror}): mount the ConfigMap of the bootstrap.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "it"
        raise KeeperError(f"{file}: {place}: {first['msg'].removeprefix('Value error, ')}.") from None
