"""Certificates of the way in: what the gateway shows, and how they are renewed."""

from __future__ import annotations

import base64
import socket
import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testkit.edge_client import HOST, TLS_SECRET, Edge


def handshake(edge: Edge, authorities: str, name: str = HOST, *protocols: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=authorities)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    plain = socket.create_connection((edge.address, 443), timeout=10)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def shown(edge: Edge, authorities: str) -> str:
    """The certificate that the gateway shows to a new connection, in PEM."""
    with handshake(edge, authorities) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")


def make_certificate() -> tuple[str, str]:
    """A certificate of its own signing for the sample's name, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), private.decode()


def put_certificate(edge: Edge, certificate: str, key: str) -> None:
    """What cert-manager does at a renewal: new data in the same Secret."""
    data = {
        name: base64.b64encode(text.encode()).decode() for name, text in (("tls.crt", certificate), ("tls.key", key))
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": TLS_SECRET}, "type": "kubernetes.io/tls"}
    edge.live.apply({**secret, "data": data})
