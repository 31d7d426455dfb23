"""A key in Cloud KMS, and who may encrypt and decrypt with it."""

from __future__ import annotations

import pulumi
from pulumi_gcp import kms

from taskservice_infra.components.component import Args, child_of

QUARTER = f"{90 * 24 * 3600}s"
"""A key is replaced every ninety days; what older versions encrypted can still be read."""
USE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


class GkeKeyArgs(Args):
    """``users``: members (``serviceAccount:…``) by a short name of each; ``labels``: of the key."""

    ring: pulumi.Output[str]
    users: dict[str, str | pulumi.Output[str]]
    labels: dict[str, str]


class GkeKey(pulumi.ComponentResource):
    """``key_id``: its full name; ``grants``: must exist before what uses the key."""

    key_id: pulumi.Output[str]
    grants: list[pulumi.Resource]

    def __init__(self, name: str, args: GkeKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:GkeKey", name, None, opts)
        key = kms.CryptoKey(
            name,
            name=name,
            key_ring=args.ring,
            rotation_period=QUARTER,
            labels=args.labels,
            # A key that is gone takes with it all that it encrypted; Google never lets go of a ring or key's name.
            opts=child_of(self, protect=True),
        )
        self.key_id = key.id
        self.grants = [
            kms.CryptoKeyIAMMember(f"{name}-{user}", crypto_key_id=key.id, member=member, role=USE, opts=child_of(self))
            for user, member in args.users.items()
        ]
        self.register_outputs({"key_id": self.key_id})
