"""Project ``secrets``: Vault by the provider that the stack file names, made what it should be, kept open, saved."""

from __future__ import annotations

import pulumi

from taskservice_infra import images
from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.components.secrets.authority import Authority, AuthorityArgs
from taskservice_infra.components.secrets.bootstrap import Bootstrap, BootstrapArgs
from taskservice_infra.components.secrets.desired import AUDIENCE, NAMESPACE, desired
from taskservice_infra.components.secrets.keeper import BOOTSTRAP
from taskservice_infra.components.secrets.snapshots import NAME as SNAPSHOTS
from taskservice_infra.components.secrets.snapshots import Snapshots, SnapshotsArgs
from taskservice_infra.components.secrets.unsealer import Unsealer, UnsealerArgs
from taskservice_infra.components.secrets.vault_chart import VaultChart, VaultChartArgs
from taskservice_infra.components.secrets.vault_dev import VaultDev, VaultDevArgs
from taskservice_infra.config.secrets import OpenBao, SecretsSettings
from taskservice_infra.config.secrets import VaultDev as DevSettings
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.exchange import publish, read
from taskservice_infra.contracts.secrets import SecretsOutputs
from taskservice_infra.local_machine import LocalMachine, ThisMachine

MONGODB_RECORD = ("data", "mongodb-backup")
"""Where project ``data`` leaves the record of its backups."""
OPERATOR = "taskservice-system"
"""The namespace in which project ``apps`` runs the operator."""


def program(machine: LocalMachine | None = None) -> None:
    """Declare the resources.  Raises PlatformError before the first of them when settings or images cannot be had."""
    settings = from_engine(SecretsSettings, "secrets")
    machine = machine or ThisMachine()
    keeper = images.resolve(settings.keeper_image, machine)
    vault_image = images.resolve(settings.vault.image, machine) if isinstance(settings.vault, DevSettings) else ""
    options = on(cluster_provider(read(ClusterOutputs)))
    vault = _vault(settings, vault_image, options)
    accounts = tuple((service.namespace, service.service_account) for service in settings.services)
    unsealer = Unsealer(
        "unsealer",
        UnsealerArgs(
            namespace=NAMESPACE,
            image=keeper,
            endpoint=vault.endpoint,
            records={"vault": (NAMESPACE, SNAPSHOTS), "mongodb": MONGODB_RECORD},
        ),
        options,
    )
    bootstrap = Bootstrap(
        "bootstrap",
        BootstrapArgs(
            namespace=NAMESPACE,
            name=BOOTSTRAP,
            image=keeper,
            endpoint=vault.endpoint,
            desired=desired(accounts, audit=not _audits_itself(settings)),
            shares=settings.key_shares,
            threshold=settings.key_threshold,
            after=[vault, unsealer],
        ),
        options,
    )
    Snapshots(
        "snapshots",
        SnapshotsArgs(
            namespace=NAMESPACE,
            settings=settings.snapshots,
            image=keeper,
            endpoint=vault.endpoint,
            audience=AUDIENCE,
        ),
        pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[bootstrap])),
    )
    # Whoever reads the address may rely on what is behind it.
    address = bootstrap.done.id.apply(lambda _: vault.endpoint.address)
    publish(
        SecretsOutputs(
            vault_address=address,
            ca_secret=pulumi.Output.from_input(vault.endpoint.ca_secret),
            ca_config_map=_authority(vault.endpoint.ca_secret, options),
            keeper_image=pulumi.Output.from_input(keeper),
            services=pulumi.Output.from_input([list(account) for account in accounts]),
        )
    )


def _vault(settings: SecretsSettings, image: str, options: pulumi.ResourceOptions) -> VaultDev | VaultChart:
    match settings.vault:
        case DevSettings() as dev:
            return VaultDev("vault", VaultDevArgs(namespace=NAMESPACE, settings=dev, image=image), options)
        case chosen:
            return VaultChart("vault", VaultChartArgs(namespace=NAMESPACE, settings=chosen), options)


def _authority(secret: str | None, options: pulumi.ResourceOptions) -> pulumi.Output[str | None]:
    if secret is None:
        return pulumi.Output.from_input(None)
    args = AuthorityArgs(namespace=NAMESPACE, secret=secret, reader_namespace=OPERATOR)
    return Authority("authority", args, options).config_map.apply(lambda name: name)


def _audits_itself(settings: SecretsSettings) -> bool:
    vault = settings.vault
    return isinstance(vault, OpenBao) or (isinstance(vault, DevSettings) and vault.program == "bao")
