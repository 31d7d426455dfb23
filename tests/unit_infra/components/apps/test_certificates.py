"""Certificates: made here for development, asked of cert-manager elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pulumi
from cryptography import x509

from infrakit.engine import Played, play
from taskservice_infra.components.apps.certificates import Certificates, CertificatesArgs, self_signed
from taskservice_infra.config.apps import CertManagerCertificate, SelfSignedCertificate

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def played(settings: SelfSignedCertificate | CertManagerCertificate) -> Played:
    def program() -> None:
        args = CertificatesArgs(namespace="apps", hostnames=["tasks.localhost"], settings=settings)
        pulumi.export("name", Certificates("certificates", args).secret_name)

    return play(program, project="apps")


def test_a_self_signed_certificate_names_its_hosts_and_holds_for_a_year() -> None:
    pem, key = self_signed(["a.localhost", "b.localhost"], NOW)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.localhost", "b.localhost"]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)
    assert "PRIVATE KEY" in key


def test_the_key_is_secret_and_the_first_certificate_stays() -> None:
    made = played(SelfSignedCertificate(provider="self-signed")).one("Secret")
    assert made.inputs["type"] == "kubernetes.io/tls"
    assert made.secrets == {"stringData"}
    assert set(made.ignored) == {"stringData", "data"}


def test_cert_manager_is_asked_for_one_by_name() -> None:
    run = played(CertManagerCertificate(provider="cert-manager", issuer="letsencrypt"))
    assert run.all("Secret") == []
    spec = run.one("Certificate").inputs["spec"]
    assert (spec["dnsNames"], spec["issuerRef"]["name"]) == (["tasks.localhost"], "letsencrypt")
    assert run.outputs["name"] == spec["secretName"]
