"""Secrets that Vault holds: which ones a TaskService asks for, what became of asking, and what to do about a trouble.

Every sentence here can be shown to anybody who may see the TaskService: it names paths, roles and policies, never a
value or a token, and says the same as long as the cause is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskservice_operator.api.spec import ConfigSource, InvalidSpec, Spec, VaultSource, parse_spec
from taskservice_operator.core.model import Manifest, Note, Snapshot, VaultContent, VaultRequest, VaultTrouble

PENDING = VaultTrouble("VaultPending")
PASSING = frozenset({"VaultPending", "VaultSealed", "VaultUnreachable", "VaultTokenUnavailable"})
"""Causes that end without anybody's touching the TaskService, its role or its secret: to be waited for."""
KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
MOST_BYTES = 1_000_000
"""What one Kubernetes Secret may hold is 1 MiB, of which metadata take some."""

_CAUSES: Mapping[str, str] = {
    "VaultPending": "{name} ({request}) is being read from Vault",
    "VaultNotConfigured": (
        "{name} asks for {request} in Vault, but the operator knows of no Vault: set vault.address in the values of "
        "the operator's chart, or use secretRef"
    ),
    "VaultSealed": (
        "Vault is sealed, so {request} ({name}) cannot be read: unseal it (vault operator unseal); "
        "what runs goes on, and what waits goes on by itself"
    ),
    "VaultUnreachable": (
        "Vault does not answer{detail}, so {request} ({name}) cannot be read: check that it runs, the vault.address in "
        "the values of the operator's chart, and network policies; what runs goes on, and what waits goes on by itself"
    ),
    "VaultRoleMissing": (
        "Vault has no role {role!r} for Kubernetes authentication, needed for {request} ({name}): create it, bound to "
        "ServiceAccount {account!r} of namespace {namespace!r}, or correct vault.role"
    ),
    "VaultLoginRefused": (
        "Vault refuses ServiceAccount {account!r} of namespace {namespace!r} as role {role!r}{detail}, needed for "
        "{request} ({name}): check the role's bound_service_account_names, bound_service_account_namespaces and "
        "audience, and that Vault may review tokens"
    ),
    "VaultDenied": (
        "Vault denies role {role!r} to read {request} ({name}): give its policy read on {policy_path!r}, "
        "or correct vault.path"
    ),
    "VaultSecretMissing": (
        "Vault has no secret at {request} ({name}){detail}: write it (vault kv put -mount={mount} {path} KEY=VALUE), "
        "or correct vault.path"
    ),
    "VaultKeyMissing": "the secret at {request} ({name}) has no key {key!r}: write it, or correct vault.key",
    "VaultSecretUnusable": "the secret at {request} ({name}) cannot be used: {detail}",
    "VaultAccountMissing": (
        "ServiceAccount {account!r}, with which {request} ({name}) is read from Vault, does not exist in namespace "
        "{namespace!r}: create it, or correct spec.serviceAccountName"
    ),
    "VaultTokenRefused": (
        "the operator may not ask for a token of ServiceAccount {account!r} in namespace {namespace!r}, with which "
        "{request} ({name}) is read from Vault: it needs create on serviceaccounts/token there; "
        "its chart grants it where vault.address is set"
    ),
    "VaultTokenUnavailable": (
        "the API server gave no token of ServiceAccount {account!r} in namespace {namespace!r}, with which {request} "
        "({name}) is read from Vault: it is asked again"
    ),
}
CAUSES = frozenset(_CAUSES)


@dataclass(frozen=True)
class Reading:
    """How reading the Vault secrets of a TaskService stands.

    ``asked``: their number.  ``contents``: by entry name, of those that could be read.  ``troubles``: entry and reason
    of the others, in the order of the spec.
    """

    asked: int = 0
    contents: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    troubles: tuple[tuple[ConfigSource, Note], ...] = ()

    @property
    def worst(self) -> tuple[ConfigSource, Note] | None:
        """The trouble to tell of: one that is known, before one that is only not answered yet."""
        known = [trouble for trouble in self.troubles if trouble[1].reason != PENDING.cause]
        return next(iter(known or self.troubles), None)

    @property
    def is_pending(self) -> bool:
        """True while nothing is known to be wrong, but not everything is answered."""
        return self.worst is not None and self.worst[1].reason == PENDING.cause


NOTHING_ASKED = Reading()


def requests(taskservice: Manifest) -> frozenset[VaultRequest]:
    """What a TaskService asks of Vault; a spec that cannot be read asks for nothing."""
    try:
        spec = parse_spec(taskservice.get("spec") or {})
    except (InvalidSpec, KeyError, TypeError, ValueError, AttributeError):
        return frozenset()
    namespace = taskservice["metadata"]["namespace"]
    return frozenset(request_of(spec, source.vault, namespace) for source in spec.secrets if source.vault)


def request_of(spec: Spec, source: VaultSource, namespace: str) -> VaultRequest:
    """What is asked of Vault for one entry of ``spec.secrets``."""
    account = spec.service_account
    return VaultRequest(namespace, account, source.role or f"{namespace}-{account}", source.mount, source.path)


def read(spec: Spec, snapshot: Snapshot) -> Reading:
    """What is known of the Vault secrets that ``spec`` names."""
    contents: dict[str, Mapping[str, str]] = {}
    troubles: list[tuple[ConfigSource, Note]] = []
    namespace = snapshot.taskservice["metadata"]["namespace"]
    for source in spec.secrets:
        if source.vault is None:
            continue
        request = request_of(spec, source.vault, namespace)
        found = _usable(source.vault, snapshot.vault.get(request, PENDING))
        if isinstance(found, VaultTrouble):
            troubles.append((source, explain(source, request, found)))
        else:
            contents[source.name] = found
    return Reading(len(contents) + len(troubles), contents, tuple(troubles))


def explain(source: ConfigSource, request: VaultRequest, trouble: VaultTrouble) -> Note:
    """The sentence for a trouble."""
    joined = trouble.detail if trouble.cause == "VaultSecretUnusable" else f" ({trouble.detail})"
    message = _CAUSES[trouble.cause].format(
        name=f"spec.secrets {source.name}",
        request=f"{request.mount}/{request.path}",
        role=request.role,
        account=request.service_account,
        namespace=request.namespace,
        mount=request.mount,
        path=request.path,
        policy_path=f"{request.mount}/data/{request.path}",
        key=source.vault.key if source.vault else None,
        detail=joined if trouble.detail else "",
    )
    return Note(trouble.cause, message, warning=trouble != PENDING)


def _usable(source: VaultSource, answer: VaultContent | VaultTrouble) -> Mapping[str, str] | VaultTrouble:
    """The part of a secret that an entry asks for, if a Kubernetes Secret can hold it."""
    if isinstance(answer, VaultTrouble):
        return answer
    data = answer.data
    if source.key is not None:
        if source.key not in data:
            return VaultTrouble("VaultKeyMissing")
        data = {source.key: data[source.key]}
    if not data:
        return VaultTrouble("VaultSecretUnusable", "it has no keys; write at least one")
    if not all(KEY.fullmatch(key) for key in data):
        return VaultTrouble(
            "VaultSecretUnusable",
            "a Kubernetes Secret allows in keys only letters, digits, '-', '_' and '.'; rename them",
        )
    if sum(len(key) + len(value) * 3 // 4 for key, value in data.items()) > MOST_BYTES:
        return VaultTrouble(
            "VaultSecretUnusable", "it has more than 1 MB, which no Kubernetes Secret can hold; split it"
        )
    return data
