"""What is stored is encrypted, by a key of ours where the provider lets us choose one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from taskservice_infra.policy.model import UNKNOWN, Resource, entries


def unencrypted(resource: Resource) -> Iterator[str]:
    """Refuse stores, disks, logs and cluster databases without encryption."""
    check = CHECKS.get(resource.type)
    if check is not None:
        yield from check(resource)


def _absent(resource: Resource, path: str) -> bool:
    return resource.at(path) in (None, "", False)


def _required(*requirements: tuple[str, str]) -> Callable[[Resource], Iterator[str]]:
    """Each property must be present and true; the sentence says why."""

    def check(resource: Resource) -> Iterator[str]:
        for path, sentence in requirements:
            if _absent(resource, path):
                yield f"{path} is not set: {sentence}"

    return check


def _eks(resource: Resource) -> Iterator[str]:
    if "secrets" not in entries(resource.at("encryptionConfig.resources")):
        yield "encryptionConfig does not cover secrets: Kubernetes Secrets would lie in etcd under no key of ours"
    elif _absent(resource, "encryptionConfig.provider.keyArn"):
        yield "encryptionConfig names no key; give it the KMS key of the cluster"


def _launch_template(resource: Resource) -> Iterator[str]:
    mappings = entries(resource.at("blockDeviceMappings"))
    if not mappings:
        yield "blockDeviceMappings is empty: the nodes' disks would have the account's default, maybe unencrypted"
    for mapping in mappings:
        disk = mapping.get("ebs") or {}
        if disk is not UNKNOWN and str(disk.get("encrypted")).lower() != "true":
            yield f"disk {mapping.get('deviceName')} is not encrypted; set ebs.encrypted and ebs.kmsKeyId"
    if resource.at("metadataOptions.httpTokens") != "required":
        yield "metadataOptions.httpTokens is not required: pods could read the node's credentials (IMDSv1)"


def _gke(resource: Resource) -> Iterator[str]:
    if resource.at("databaseEncryption.state") != "ENCRYPTED" or _absent(resource, "databaseEncryption.keyName"):
        yield "databaseEncryption is not ENCRYPTED by a key: Kubernetes Secrets would lie in etcd under no key of ours"


def _aks(resource: Resource) -> Iterator[str]:
    if resource.at("securityProfile.azureKeyVaultKms.enabled") is not True:
        yield "securityProfile.azureKeyVaultKms is off: Kubernetes Secrets would lie in etcd under no key of ours"
    for pool in entries(resource.at("agentPoolProfiles")):
        if pool.get("enableEncryptionAtHost") is not True:
            yield f"pool {pool.get('name')}: enableEncryptionAtHost is off; temporary disks would lie in the clear"


def _storage_class(resource: Resource) -> Iterator[str]:
    if resource.at("provisioner") == "ebs.csi.aws.com" and resource.at("parameters.encrypted") != "true":
        yield 'parameters.encrypted is not "true": volumes of this class would lie in the clear'


CHECKS: dict[str, Callable[[Resource], Iterator[str]]] = {
    "aws:eks/cluster:Cluster": _eks,
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:ebs/volume:Volume": _required(("encrypted", "the volume would lie in the clear")),
    "aws:efs/fileSystem:FileSystem": _required(("encrypted", "files would lie in the clear")),
    "aws:rds/instance:Instance": _required(("storageEncrypted", "the database would lie in the clear")),
    "aws:rds/cluster:Cluster": _required(("storageEncrypted", "the database would lie in the clear")),
    "aws:docdb/cluster:Cluster": _required(("storageEncrypted", "the database would lie in the clear")),
    "aws:elasticache/replicationGroup:ReplicationGroup": _required(
        ("atRestEncryptionEnabled", "snapshots would lie in the clear"),
        ("transitEncryptionEnabled", "commands and answers would travel in the clear"),
    ),
    "aws:cloudwatch/logGroup:LogGroup": _required(("kmsKeyId", "logs would lie under no key of ours")),
    "aws:kms/key:Key": _required(("enableKeyRotation", "the key would never be replaced")),
    "gcp:container/cluster:Cluster": _gke,
    "gcp:container/nodePool:NodePool": _required(
        ("nodeConfig.bootDiskKmsKey", "the nodes' disks would lie under no key of ours")
    ),
    "gcp:kms/cryptoKey:CryptoKey": _required(("rotationPeriod", "the key would never be replaced")),
    "gcp:storage/bucket:Bucket": _required(
        ("encryption.defaultKmsKeyName", "objects would lie under no key of ours"),
    ),
    "azure-native:containerservice:ManagedCluster": _aks,
    "azure-native:containerservice:AgentPool": _required(
        ("enableEncryptionAtHost", "temporary disks would lie in the clear")
    ),
    "azure-native:storage:StorageAccount": _required(("enableHttpsTrafficOnly", "data would travel in the clear")),
    "azure-native:keyvault:Vault": _required(
        ("properties.enablePurgeProtection", "a deleted key would take the cluster's Secrets with it")
    ),
    "kubernetes:storage.k8s.io/v1:StorageClass": _storage_class,
}
