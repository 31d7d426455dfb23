"""Whatever stores something is encrypted; each kind of store is refused without."""

from __future__ import annotations

from typing import Any

import pytest

from infrakit.subjects import REMOVED, a_resource, spoilt
from taskservice_infra.policy.encryption import CHECKS, unencrypted
from taskservice_infra.policy.model import UNKNOWN, Resource

DISK = {"deviceName": "/dev/xvda", "ebs": {"encrypted": "true", "kmsKeyId": "key"}}
#: A resource that is as it should be, and each of its properties that must not go, with what would be wrong instead.
GOOD: tuple[tuple[Resource, dict[str, Any]], ...] = (
    (
        a_resource(
            "aws:eks/cluster:Cluster", encryptionConfig={"provider": {"keyArn": "key"}, "resources": ["secrets"]}
        ),
        {"encryptionConfig": REMOVED, "encryptionConfig.resources": [], "encryptionConfig.provider.keyArn": REMOVED},
    ),
    (
        a_resource(
            "aws:ec2/launchTemplate:LaunchTemplate",
            blockDeviceMappings=[DISK],
            metadataOptions={"httpTokens": "required"},
        ),
        {
            "blockDeviceMappings": REMOVED,
            "blockDeviceMappings.0.ebs.encrypted": "false",
            "metadataOptions.httpTokens": "optional",
        },
    ),
    (a_resource("aws:ebs/volume:Volume", encrypted=True), {"encrypted": False}),
    (a_resource("aws:efs/fileSystem:FileSystem", encrypted=True), {"encrypted": REMOVED}),
    (a_resource("aws:rds/instance:Instance", storageEncrypted=True), {"storageEncrypted": REMOVED}),
    (a_resource("aws:rds/cluster:Cluster", storageEncrypted=True), {"storageEncrypted": REMOVED}),
    (a_resource("aws:docdb/cluster:Cluster", storageEncrypted=True), {"storageEncrypted": REMOVED}),
    (
        a_resource(
            "aws:elasticache/replicationGroup:ReplicationGroup",
            atRestEncryptionEnabled=True,
            transitEncryptionEnabled=True,
        ),
        {"atRestEncryptionEnabled": False, "transitEncryptionEnabled": REMOVED},
    ),
    (a_resource("aws:cloudwatch/logGroup:LogGroup", kmsKeyId="key"), {"kmsKeyId": REMOVED}),
    (a_resource("aws:kms/key:Key", enableKeyRotation=True), {"enableKeyRotation": False}),
    (
        a_resource("gcp:container/cluster:Cluster", databaseEncryption={"state": "ENCRYPTED", "keyName": "key"}),
        {"databaseEncryption": REMOVED, "databaseEncryption.state": "DECRYPTED", "databaseEncryption.keyName": ""},
    ),
    (
        a_resource("gcp:container/nodePool:NodePool", nodeConfig={"bootDiskKmsKey": "key"}),
        {"nodeConfig.bootDiskKmsKey": REMOVED},
    ),
    (a_resource("gcp:kms/cryptoKey:CryptoKey", rotationPeriod="7776000s"), {"rotationPeriod": REMOVED}),
    (
        a_resource("gcp:storage/bucket:Bucket", encryption={"defaultKmsKeyName": "key"}),
        {"encryption": REMOVED},
    ),
    (
        a_resource(
            "azure-native:containerservice:ManagedCluster",
            securityProfile={"azureKeyVaultKms": {"enabled": True}},
            agentPoolProfiles=[{"name": "first", "enableEncryptionAtHost": True}],
        ),
        {"securityProfile": REMOVED, "agentPoolProfiles.0.enableEncryptionAtHost": False},
    ),
    (
        a_resource("azure-native:containerservice:AgentPool", enableEncryptionAtHost=True),
        {"enableEncryptionAtHost": REMOVED},
    ),
    (
        a_resource("azure-native:storage:StorageAccount", enableHttpsTrafficOnly=True),
        {"enableHttpsTrafficOnly": False},
    ),
    (
        a_resource("azure-native:keyvault:Vault", properties={"enablePurgeProtection": True}),
        {"properties.enablePurgeProtection": REMOVED},
    ),
    (
        a_resource(
            "kubernetes:storage.k8s.io/v1:StorageClass",
            provisioner="ebs.csi.aws.com",
            parameters={"encrypted": "true"},
        ),
        {"parameters.encrypted": "false"},
    ),
)
SPOILT = [(good, path, value) for good, faults in GOOD for path, value in faults.items()]


def test_every_kind_of_store_that_is_looked_at_is_spoilt_here() -> None:
    assert {good.type for good, _ in GOOD} == set(CHECKS)


@pytest.mark.parametrize("good", [good for good, _ in GOOD], ids=lambda good: good.type)
def test_an_encrypted_store_is_let_pass(good: Resource) -> None:
    assert list(unencrypted(good)) == []


@pytest.mark.parametrize(("good", "path", "value"), SPOILT, ids=[f"{good.type} {path}" for good, path, _ in SPOILT])
def test_a_store_without_encryption_is_refused(good: Resource, path: str, value: Any) -> None:
    assert list(unencrypted(spoilt(good, path, value))) != []


def test_a_key_that_is_not_known_yet_is_not_refused() -> None:
    group = a_resource("aws:cloudwatch/logGroup:LogGroup", kmsKeyId=UNKNOWN)
    assert list(unencrypted(group)) == []
