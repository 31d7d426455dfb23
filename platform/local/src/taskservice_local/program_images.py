"""Images of one program each, from scratch: the cluster's own (pause, CoreDNS, metrics-server), the gateway's and the
platform's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taskservice_local.archives import write_program_image
from taskservice_local.parts import (
    COREDNS,
    ENVOY_GATEWAY,
    JAEGER,
    LOKI,
    METRICS_SERVER,
    OTELCOL,
    PAUSE,
    RATELIMIT,
    VAULT,
    Part,
    target,
)
from taskservice_local.paths import cache_root


@dataclass(frozen=True)
class ProgramImage:
    """An image from scratch around the only program of a part, which lies in `folder`."""

    part: Part
    user: str
    folder: str = ""

    @property
    def reference(self) -> str:
        return f"docker.io/local/{self.part.name}:{self.part.version}-{self.part.fingerprint}"

    def archive(self) -> Path:
        """Return the image's archive, writing it the first time; its part must be built."""
        file = cache_root() / "images" / self.part.name / f"{self.part.version}-{self.part.fingerprint}.tar"
        if not file.exists():
            binary = self.part.binary(self.part.programs[0][0])
            write_program_image(binary, self.reference, target().partition("-")[2], self.user, file, self.folder)
        return file


PAUSE_IMAGE = ProgramImage(PAUSE, "65535:65535")
COREDNS_IMAGE = ProgramImage(COREDNS, "65532:65532")
METRICS_SERVER_IMAGE = ProgramImage(METRICS_SERVER, "65532:65532")
# Envoy Gateway's manifests name the programs by a path in /bin, or without one.
ENVOY_GATEWAY_IMAGE = ProgramImage(ENVOY_GATEWAY, "65532:65532", "bin")
RATELIMIT_IMAGE = ProgramImage(RATELIMIT, "65534:65534", "bin")

# A folder of the path, so that `kubectl exec` needs no full name; each writes only to the volumes that it is given.
VAULT_IMAGE = ProgramImage(VAULT, "10001:10001", "bin")
LOKI_IMAGE = ProgramImage(LOKI, "10001:10001", "bin")
JAEGER_IMAGE = ProgramImage(JAEGER, "10001:10001", "bin")
OTELCOL_IMAGE = ProgramImage(OTELCOL, "10001:10001", "bin")

BY_NAME = {
    image.part.name: image
    for image in (ENVOY_GATEWAY_IMAGE, RATELIMIT_IMAGE, VAULT_IMAGE, LOKI_IMAGE, JAEGER_IMAGE, OTELCOL_IMAGE)
}
"""Those that others ask for by name; the cluster looks after the rest itself."""
