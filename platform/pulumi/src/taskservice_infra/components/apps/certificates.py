"""The certificate of the way in: made here for development, or kept by cert-manager."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.apps import CertManagerCertificate, SelfSignedCertificate

VALID_DAYS = 365


class CertificatesArgs(Args):
    """``hostnames``: what the certificate is for, one at least."""

    namespace: str
    hostnames: list[str]
    settings: SelfSignedCertificate | CertManagerCertificate


class Certificates(pulumi.ComponentResource):
    """``secret_name``: the Secret of type kubernetes.io/tls, once it is asked for."""

    secret_name: pulumi.Output[str]

    def __init__(self, name: str, args: CertificatesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:apps:Certificates", name, None, opts)
        match args.settings:
            case SelfSignedCertificate():
                certificate, key = self_signed(args.hostnames, datetime.now(UTC))
                made = Secret(
                    "taskservice-tls",
                    metadata={
                        "name": "taskservice-tls",
                        "namespace": args.namespace,
                        "labels": workloads.labels("gateway"),
                    },
                    type="kubernetes.io/tls",
                    string_data={"tls.crt": certificate, "tls.key": pulumi.Output.secret(key)},
                    # Each run makes another one; the first stays until it is deleted.
                    opts=child_of(self, ignore_changes=["stringData", "data"]),
                )
                self.secret_name = pulumi.Output.all(made.id).apply(lambda _: "taskservice-tls")
            case CertManagerCertificate() as settings:
                asked = CustomResource(
                    "taskservice-tls",
                    api_version="cert-manager.io/v1",
                    kind="Certificate",
                    metadata={
                        "name": "taskservice-tls",
                        "namespace": args.namespace,
                        "annotations": {"pulumi.com/waitFor": "condition=Ready"},
                    },
                    spec={
                        "secretName": "taskservice-tls",
                        "dnsNames": args.hostnames,
                        "issuerRef": {"kind": settings.issuer_kind, "name": settings.issuer},
                        "privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always"},
                    },
                    opts=child_of(self),
                )
                self.secret_name = asked.id.apply(lambda _: "taskservice-tls")
        self.register_outputs({"secret_name": self.secret_name})


def self_signed(hostnames: list[str], now: datetime) -> tuple[str, str]:
    """A certificate that nobody vouches for, valid from ``now`` for a year, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostnames[0][:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in hostnames]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
