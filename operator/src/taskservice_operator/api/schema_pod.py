"""The schema of the spec fields that shape the pod: image, command, environment, ports, resources, probes.

Shapes and names are those of core/v1, so that what people know about pods holds here.
"""

from __future__ import annotations

from taskservice_operator.api.schema import (
    DNS_SUBDOMAIN,
    LONGEST_DELAY,
    QUANTITY,
    Schema,
    anything,
    exactly_one,
    flag,
    int_or_text,
    listing,
    mapping,
    record,
    rule,
    text,
    whole,
)
from taskservice_operator.api.spec import DEFAULT_PORT

ENVIRONMENT_NAME = r"^[-._a-zA-Z][-._a-zA-Z0-9]*$"
HTTP_PATH = r"^/\S*$"
PORT_NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""As Kubernetes wants the names of container ports, and beginning with a letter."""


def pod_fields() -> dict[str, Schema]:
    """A change of any of these is a new revision."""
    return {
        "image": text(
            "The container image to run, as in core/v1 Container.image. A digest (name@sha256:…) is best.",
            longest=512,
            shortest=1,
            pattern=r"^\S+$",
        ),
        "imagePullPolicy": text(
            "When the node pulls the image. Kubernetes' own rule if left out: Always for the tag latest, "
            "else IfNotPresent.",
            allowed=("Always", "IfNotPresent", "Never"),
        ),
        "command": listing(
            "Replaces the image's entry point. Not run in a shell.",
            text("One word of the command.", longest=4096),
            most=64,
        ),
        "args": listing(
            "Replaces the image's arguments. Not run in a shell.",
            text("One argument.", longest=4096),
            most=256,
        ),
        "env": _env(),
        "envFrom": _env_from(),
        "port": _port("The port on which the service answers requests.", default=DEFAULT_PORT),
        "managementPort": _port(
            "The port of health and metrics endpoints, if it is not `port`. It is named `management` in the "
            "pod, is part of the Services only if `ports` names it, and is where probes go that name no port.",
        ),
        "ports": _ports(),
        "resources": _resources(),
        "imagePullSecrets": listing(
            "Secrets with registry credentials, in the same namespace.",
            record(
                "One reference to a Secret of type kubernetes.io/dockerconfigjson.",
                {"name": text("The Secret's name.", shortest=1, pattern=DNS_SUBDOMAIN)},
                required=["name"],
            ),
            most=10,
            key="name",
        ),
        "serviceAccountName": text(
            "The ServiceAccount the pods run as; the namespace's `default` if left out.",
            pattern=DNS_SUBDOMAIN,
        ),
        "probes": record(
            "What healthy means. Without readiness: GET /readyz on the managementPort, or else a connection "
            "to the port. Without liveness: GET /livez on the managementPort, or else none; and with that "
            "default, without startup: five minutes until it first passes. A default can be removed by podTemplate.",
            {
                "liveness": _probe("When it fails, the container is restarted.", at_once=True),
                "readiness": _probe("While it fails, the pod gets no requests, and a rollout waits."),
                "startup": _probe("Until it passes, the other two wait: for slow starters.", at_once=True),
            },
        ),
        "podTemplate": anything(
            "The one escape hatch: a core/v1 PodTemplateSpec (metadata, spec) laid over the generated one. "
            "Maps merge and null removes; lists of named things (containers, volumes, env, …) merge by name, "
            "and the main container is named `app`; other lists replace. Not checked here: what the API "
            "server refuses shows up as a condition."
        ),
    }


def _env() -> Schema:
    return listing(
        "Environment variables, as in core/v1 Container.env.",
        record(
            "One environment variable.",
            {
                "name": text("The variable's name.", shortest=1, pattern=ENVIRONMENT_NAME),
                "value": text("The value itself. $(NAME) refers to an earlier variable.", longest=32768),
                "valueFrom": record(
                    "Where the value comes from. Contents of objects named here are not part of the "
                    "revision: a change "
                    "takes effect when a pod next starts. Use spec.config and spec.secrets to have it "
                    "released.",
                    {
                        "configMapKeyRef": _key_of("ConfigMap"),
                        "secretKeyRef": _key_of("Secret"),
                        "fieldRef": record(
                            "A field of the pod itself.",
                            {
                                "fieldPath": text("Path of the field, such as status.podIP.", shortest=1),
                                "apiVersion": text("Version of the path's schema; v1 if left out.", longest=63),
                            },
                            required=["fieldPath"],
                        ),
                        "resourceFieldRef": record(
                            "A resource request or limit of the container.",
                            {
                                "resource": text("Such as limits.memory.", shortest=1),
                                "containerName": text("The container; this one if left out.", longest=63),
                                "divisor": int_or_text("The unit of the value, such as 1Mi.", pattern=QUANTITY),
                            },
                            required=["resource"],
                        ),
                    },
                    rules=[
                        exactly_one(
                            "configMapKeyRef",
                            "secretKeyRef",
                            "fieldRef",
                            "resourceFieldRef",
                            message="valueFrom needs exactly one of configMapKeyRef, secretKeyRef, "
                            "fieldRef and resourceFieldRef",
                        )
                    ],
                ),
            },
            required=["name"],
            rules=[
                rule(
                    "!(has(self.value) && has(self.valueFrom))",
                    "an environment variable has both value and valueFrom: remove one of them",
                )
            ],
        ),
        most=200,
        key="name",
    )


def _key_of(kind: str) -> Schema:
    return record(
        f"A key of a {kind} in the same namespace.",
        {
            "name": text(f"The {kind}'s name.", shortest=1, pattern=DNS_SUBDOMAIN),
            "key": text("The key.", shortest=1),
            "optional": flag(f"True lets the pod start without the {kind} or its key."),
        },
        required=["name", "key"],
    )


def _env_from() -> Schema:
    return listing(
        "ConfigMaps and Secrets whose keys all become environment variables, as in core/v1 "
        "Container.envFrom. "
        "Their contents are not part of the revision: use spec.config and spec.secrets for that.",
        record(
            "One ConfigMap or Secret.",
            {
                "prefix": text("Put before every key.", pattern=r"^([-._a-zA-Z][-._a-zA-Z0-9]*)?$"),
                "configMapRef": _optional_object("ConfigMap"),
                "secretRef": _optional_object("Secret"),
            },
            rules=[
                exactly_one(
                    "configMapRef",
                    "secretRef",
                    message="an entry of envFrom needs exactly one of configMapRef and secretRef",
                )
            ],
        ),
        most=20,
    )


def _optional_object(kind: str) -> Schema:
    return record(
        f"A {kind} in the same namespace.",
        {
            "name": text(f"The {kind}'s name.", shortest=1, pattern=DNS_SUBDOMAIN),
            "optional": flag(f"True lets the pod start without the {kind}."),
        },
        required=["name"],
    )


def _resources() -> Schema:
    def amounts(description: str) -> Schema:
        return mapping(description, int_or_text("An amount, such as 250m or 256Mi.", pattern=QUANTITY), most=16)

    return record(
        "CPU and memory of the container, as in core/v1 Container.resources.",
        {
            "requests": amounts("What the scheduler reserves. CPU autoscaling is relative to requests.cpu."),
            "limits": amounts("What the container may not exceed."),
        },
    )


def _probe(description: str, *, at_once: bool = False) -> Schema:
    """A core/v1 Probe.  ``at_once``: Kubernetes allows only one success there."""
    return record(
        description,
        {
            "httpGet": record(
                "Passes when a GET answers with a status from 200 to 399.",
                {
                    "path": text("The path to ask for; / if left out.", longest=1024, pattern=HTTP_PATH),
                    "port": _probe_port(),
                },
                required=["port"],
            ),
            "tcpSocket": record("Passes when a connection opens.", {"port": _probe_port()}, required=["port"]),
            "exec": record(
                "Passes when a command in the container exits with 0.",
                {
                    "command": listing(
                        "The command. Not run in a shell.",
                        text("One word of the command.", longest=4096),
                        most=64,
                    )
                },
                required=["command"],
            ),
            "grpc": record(
                "Passes when the standard gRPC health service says SERVING.",
                {
                    "port": _port("The port."),
                    "service": text("The service name to ask for; empty asks for the whole server."),
                },
                required=["port"],
            ),
            "initialDelaySeconds": whole("Seconds after the start before the first probe.", most=LONGEST_DELAY),
            "periodSeconds": whole("Seconds between probes.", least=1, most=3600),
            "timeoutSeconds": whole("Seconds after which a probe has failed.", least=1, most=3600),
            "failureThreshold": whole("Failures in a row that count.", least=1),
            "successThreshold": whole(
                "Successes in a row that count" + ("; must be 1 here." if at_once else "."),
                least=1,
                most=1 if at_once else 1000,
            ),
        },
        rules=[
            exactly_one(
                "httpGet",
                "tcpSocket",
                "exec",
                "grpc",
                message="a probe needs exactly one of httpGet, tcpSocket, exec and grpc",
            )
        ],
    )


def _port(description: str, *, default: int | None = None) -> Schema:
    return whole(description, least=1, most=65535, default=default)


def _ports() -> Schema:
    return listing(
        "Further ports on which the service answers, such as one for gRPC. The live and the preview Service have "
        "them beside `port`, under the same numbers. A change is a new revision, and each Service has the ports "
        "of the revision it selects. An entry named `management`, with the number of `managementPort`, brings that "
        "port into the Services too, for other services in the cluster.",
        record(
            "One further port, TCP.",
            {
                "name": text(
                    "The port's name in the pod and in the Services; a probe may refer to it.",
                    shortest=1,
                    longest=15,
                    pattern=PORT_NAME,
                    rules=[
                        rule(
                            "self != 'http'",
                            "this name is taken: http is `port`; give the port another name",
                        )
                    ],
                ),
                "port": _port("The port's number in the pod and in the Services."),
            },
            required=["name", "port"],
        ),
        most=8,
        key="name",
        rules=[
            rule(
                "self.all(a, self.exists_one(b, b.port == a.port))",
                "two entries of ports have the same number: give each a port of its own",
            )
        ],
    )


def _probe_port() -> Schema:
    return int_or_text(
        "The port, by number or by name: `http`, `management` if there is a managementPort, or one of `ports`."
    )
