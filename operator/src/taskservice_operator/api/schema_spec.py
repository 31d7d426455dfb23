"""The schema of ``spec``: what may be asked for.  ``api/spec.py`` reads the same fields, same defaults.

Several modules so that each fits on a few screens: this one has the whole, its scaling and its configuration;
``schema_pod`` has what shapes the pod; ``schema_rollout`` how a change is released; ``schema_slo`` what is promised.
"""

from __future__ import annotations

from taskservice_operator.api.schema import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    Schema,
    anything,
    exactly_one,
    flag,
    listing,
    mapping,
    record,
    rule,
    text,
    whole,
)
from taskservice_operator.api.schema_pod import pod_fields
from taskservice_operator.api.schema_rollout import rollout
from taskservice_operator.api.schema_slo import slo
from taskservice_operator.api.spec import CANARY_WITH_AUTOSCALING, VaultSource

MOST_REPLICAS = 1000
MOST_SOURCES = 20

VAULT_NAME = r"^[a-zA-Z0-9_][-a-zA-Z0-9_.]*$"
VAULT_PATH = r"^[a-zA-Z0-9_][-a-zA-Z0-9_.]*(/[a-zA-Z0-9_][-a-zA-Z0-9_.]*)*$"
"""No part begins with a dot: nothing between the operator and Vault may take one for a way up."""
KEY_NAME = r"^[-._a-zA-Z0-9]+$"

METRIC_TYPES = ("Resource", "ContainerResource", "Pods", "Object", "External")


def spec() -> Schema:
    return record(
        "What to run, how it scales, what configuration it gets, and how a change of it is released.",
        pod_fields()
        | {
            "replicas": whole(
                "How many pods the live revision runs. Used only without autoscaling. `kubectl scale` sets this field.",
                most=MOST_REPLICAS,
                default=2,
            ),
            "autoscaling": autoscaling(),
            "config": config(),
            "secrets": secrets(),
            "rollout": rollout(),
            "slo": slo(),
            "paused": flag(
                "True stops the operator from starting, promoting or finishing any rollout of this "
                "TaskService. "
                "What is live stays live and keeps scaling.",
                default=False,
            ),
        },
        required=["image"],
        rules=[
            rule(
                "!has(self.managementPort) || self.managementPort != self.port",
                "managementPort equals port: give the management endpoints a port of their own, "
                "or leave managementPort out",
                field=".managementPort",
            ),
            rule(
                "!has(self.ports) || self.ports.all(p, p.port != self.port && "
                "(p.name == 'management') == (has(self.managementPort) && p.port == self.managementPort))",
                "an entry of ports has the number of port or managementPort: give it another; only the entry named "
                "management has, and must have, the number of managementPort",
                field=".ports",
            ),
            rule(
                "!has(self.autoscaling) || !has(self.rollout) || !has(self.rollout.strategy) || "
                "self.rollout.strategy != 'Canary'",
                CANARY_WITH_AUTOSCALING,
                field=".rollout.strategy",
            ),
            rule(
                "!has(self.config) || !has(self.secrets) || self.config.all(c, self.secrets.all(s, s.name != c.name))",
                "an entry of config and an entry of secrets have the same name: rename one of them",
            ),
            rule(
                "!has(self.config) || !has(self.secrets) || self.config.all(c, !has(c.mountPath) || "
                "self.secrets.all(s, !has(s.mountPath) || s.mountPath != c.mountPath))",
                "an entry of config and an entry of secrets have the same mountPath: change one of them",
            ),
        ],
    )


def autoscaling() -> Schema:
    return record(
        "Scale the live revision by load with a HorizontalPodAutoscaler of its own. Leave it out to run a "
        "fixed "
        "number of replicas. Without any metric, CPU is held at 80 % of the request. "
        "A change of this block is a new revision, so a rollback brings the old bounds back.",
        {
            "minReplicas": whole("The fewest pods the autoscaler may run.", least=1, most=MOST_REPLICAS, default=1),
            "maxReplicas": whole("The most pods the autoscaler may run.", least=1, most=MOST_REPLICAS),
            "targetCPUUtilizationPercentage": whole(
                "Average CPU use to hold, in percent of the pods' CPU request; needs resources.requests.cpu.",
                least=1,
            ),
            "metrics": listing(
                "Further metrics as in autoscaling/v2 (HorizontalPodAutoscaler.spec.metrics), passed on "
                "unchanged. "
                "The metric that asks for the most pods wins.",
                anything(
                    "One metric as in autoscaling/v2: its type, and under the field named after the type its settings.",
                    {"type": text("Where the metric comes from.", allowed=METRIC_TYPES)},
                    required=["type"],
                ),
                most=10,
            ),
            "behavior": anything(
                "How fast to scale, as in autoscaling/v2 (HorizontalPodAutoscaler.spec.behavior), passed on unchanged.",
                {
                    "scaleUp": anything("Policies and stabilization window for scaling up."),
                    "scaleDown": anything("Policies and stabilization window for scaling down."),
                },
            ),
        },
        required=["maxReplicas"],
        rules=[
            rule(
                "self.minReplicas <= self.maxReplicas",
                "minReplicas is more than maxReplicas: lower minReplicas or raise maxReplicas",
                field=".minReplicas",
            )
        ],
    )


def config() -> Schema:
    return listing(
        "Configuration, inline or from ConfigMaps. Its content is part of the revision: it is copied, a "
        "change of it "
        "(also of a referenced ConfigMap) starts a rollout, and a rollback brings the old content back.",
        record(
            "One set of configuration values.",
            {
                "name": _source_name(),
                "data": mapping(
                    "The values themselves, as in ConfigMap.data. Not for secrets: they belong in spec.secrets.",
                    text("One value; numbers and booleans must be quoted.", longest=262144),
                    most=128,
                ),
                "configMapRef": _reference("The ConfigMap in the same namespace whose data is copied.", "ConfigMap"),
                "mountPath": _mount_path(),
            },
            required=["name"],
            rules=[
                exactly_one(
                    "data",
                    "configMapRef",
                    message="give exactly one of data and configMapRef: the values themselves, "
                    "or the ConfigMap to copy them from",
                )
            ],
        ),
        most=MOST_SOURCES,
        key="name",
        rules=[_distinct_mount_paths()],
    )


def secrets() -> Schema:
    return listing(
        "Secrets the pods need, from Secrets or from Vault. Their content is part of the revision, exactly as "
        "with config.",
        record(
            "One secret.",
            {
                "name": _source_name(),
                "secretRef": _reference("The Secret in the same namespace whose data is copied.", "Secret"),
                "vault": _vault(),
                "mountPath": _mount_path(),
            },
            required=["name"],
            rules=[
                exactly_one(
                    "secretRef",
                    "vault",
                    message="give exactly one of secretRef and vault: the Secret to copy, or the path in Vault to read",
                )
            ],
        ),
        most=MOST_SOURCES,
        key="name",
        rules=[_distinct_mount_paths()],
    )


def _vault() -> Schema:
    return record(
        "A secret in a key/value store (version 2) of Vault. It is read with the rights of the pods' own "
        "ServiceAccount, again every so often, and copied: a new version of it starts a rollout.",
        {
            "path": text(
                "Its path within the mount, as in `vault kv get -mount=secret PATH`: without the mount, without data/.",
                longest=512,
                shortest=1,
                pattern=VAULT_PATH,
            ),
            "mount": text(
                "Where the key/value store is mounted.", shortest=1, pattern=VAULT_PATH, default=VaultSource.mount
            ),
            "role": text(
                "The role of Vault's Kubernetes authentication to log in with. It must be bound to the pods' "
                "ServiceAccount. Default: the namespace's and the ServiceAccount's names, joined by a hyphen.",
                longest=318,
                shortest=1,
                pattern=VAULT_NAME,
            ),
            "key": text(
                "Only this key of the secret; without it, all of them.",
                shortest=1,
                pattern=KEY_NAME,
            ),
        },
        required=["path"],
    )


def _source_name() -> Schema:
    return text(
        "A short name, unique among config and secrets. It names the volume and appears in the copy's labels.",
        longest=40,
        shortest=1,
        pattern=DNS_LABEL,
    )


def _reference(description: str, kind: str) -> Schema:
    return record(
        description,
        {"name": text(f"The {kind}'s name.", shortest=1, pattern=DNS_SUBDOMAIN)},
        required=["name"],
    )


def _mount_path() -> Schema:
    return text(
        "Folder in the container where every key becomes a file. Without it every key becomes an environment variable.",
        longest=512,
        rules=[
            rule(
                "self.startsWith('/') && !self.contains(':')",
                "mountPath must be an absolute path without a colon: write it like /etc/myservice",
            ),
            rule("self != '/tmp'", "mountPath /tmp is taken by the pod's scratch volume: choose another folder"),
        ],
    )


def _distinct_mount_paths() -> Schema:
    return rule(
        "self.all(a, !has(a.mountPath) || self.exists_one(b, has(b.mountPath) && b.mountPath == a.mountPath))",
        "two entries have the same mountPath: change one of them",
    )
