"""``spec`` as frozen values.  The API server has already validated and defaulted it by the CRD's schema.

``parse_spec`` repeats the schema's defaults so that objects made in memory behave alike; a test compares both.
All durations are whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

Json = Mapping[str, Any]

BLUE_GREEN = "BlueGreen"
CANARY = "Canary"
STRATEGIES = (BLUE_GREEN, CANARY)
MOST_STEPS = 20


class InvalidSpec(ValueError):
    """The spec cannot be understood; the message names the field and says what to change."""


@dataclass(frozen=True)
class VaultSource:
    """A secret in a key/value store (version 2) of Vault.

    ``role`` None: ``<namespace>-<serviceAccount>``.  ``key`` None: all of its keys.
    """

    path: str
    mount: str = "secret"
    role: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class ConfigSource:
    """One entry of ``spec.config`` or ``spec.secrets``: inline data, the name of an object to copy, or a Vault secret.

    ``mount_path`` None means: every key becomes an environment variable.
    """

    name: str
    data: Json | None = None
    ref: str | None = None
    mount_path: str | None = None
    secret: bool = False
    vault: VaultSource | None = None


@dataclass(frozen=True)
class HttpCheck:
    """Bounded smoke requests to a Service: ``requests`` per measurement, each must answer an expected status."""

    path: str = "/"
    expected_statuses: tuple[int, ...] = (200,)
    requests: int = 5
    timeout_seconds: int = 2
    headers: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One measured question about a revision, asked ``count`` times every ``interval_seconds``."""

    name: str
    provider: str
    http: HttpCheck
    initial_delay_seconds: int = 0
    interval_seconds: int = 5
    count: int = 1
    failure_limit: int = 0
    consecutive_error_limit: int = 4
    dry_run: bool = False


@dataclass(frozen=True)
class BlueGreen:
    auto_promotion: bool = True
    auto_promotion_seconds: int = 0
    preview_replicas: int | None = None
    scale_down_delay_seconds: int = 300


@dataclass(frozen=True)
class Step:
    """One step of a canary: a weight in percent, or a pause (``seconds`` None: until promoted)."""

    weight: int | None = None
    seconds: int | None = None

    @property
    def is_pause(self) -> bool:
        return self.weight is None


@dataclass(frozen=True)
class Canary:
    """``max_surge``, ``max_unavailable``: pods, or a percentage like ``"25%"``."""

    steps: tuple[Step, ...] = ()
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


@dataclass(frozen=True)
class RolloutSpec:
    strategy: str = BLUE_GREEN
    blue_green: BlueGreen = BlueGreen()
    canary: Canary = Canary()
    pre_promotion: tuple[Metric, ...] = ()
    post_promotion: tuple[Metric, ...] = ()
    progress_deadline_seconds: int = 600
    abort_scale_down_delay_seconds: int = 30
    revision_history_limit: int = 10


@dataclass(frozen=True)
class Autoscaling:
    """HPA bounds and metrics.  ``metrics`` and ``behavior`` are autoscaling/v2 as given."""

    min_replicas: int
    max_replicas: int
    target_cpu: int | None = None
    metrics: tuple[Json, ...] = ()
    behavior: Json | None = None


@dataclass(frozen=True)
class Latency:
    """``percentile`` percent of requests are answered within ``milliseconds``."""

    percentile: int
    milliseconds: int


@dataclass(frozen=True)
class Slo:
    """What is promised.  ``availability`` in percent."""

    availability: Decimal | None = None
    latency: Latency | None = None


@dataclass(frozen=True)
class Spec:
    """A whole TaskService spec.  ``template`` holds the pod-shaping fields as given (image, env, probes, …)."""

    template: Json
    replicas: int = 2
    autoscaling: Autoscaling | None = None
    config: tuple[ConfigSource, ...] = ()
    secrets: tuple[ConfigSource, ...] = ()
    rollout: RolloutSpec = RolloutSpec()
    slo: Slo | None = None
    paused: bool = False

    @property
    def port(self) -> int:
        return int(self.template.get("port", DEFAULT_PORT))

    @property
    def service_account(self) -> str:
        """The name of the ServiceAccount that the pods run as."""
        return str(self.template.get("serviceAccountName") or DEFAULT_SERVICE_ACCOUNT)

    @property
    def sources(self) -> tuple[ConfigSource, ...]:
        """Config then secrets, in the order of declaration: later ones win where environment names repeat."""
        return self.config + self.secrets


DEFAULT_PORT = 8000
DEFAULT_SERVICE_ACCOUNT = "default"
"""Every namespace has it."""

CANARY_WITH_AUTOSCALING = (
    "strategy Canary makes its weights of the numbers of pods, which an autoscaler would change: "
    "use strategy BlueGreen, or replicas instead of autoscaling"
)
CANARY_WITHOUT_STEPS = (
    "strategy Canary needs steps: give rollout.canary.steps, such as "
    "[{setWeight: 10}, {pause: {seconds: 60}}, {setWeight: 50}, {pause: {}}]"
)
FIRST_STEP = "the first step must be a setWeight: until then the candidate gets no requests that a pause could be for"
STEP_KINDS = "a step needs exactly one of setWeight and pause; a pause until promoted is written as pause: {}"

TEMPLATE_FIELDS = (
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "env",
    "envFrom",
    "port",
    "managementPort",
    "ports",
    "resources",
    "imagePullSecrets",
    "serviceAccountName",
    "probes",
    "podTemplate",
)
"""The spec fields that shape the pod, and so belong to the revision."""


def parse_spec(raw: Json) -> Spec:
    """Read a ``spec``.  Raises :class:`InvalidSpec` on what the schema would have refused."""
    if not raw.get("image"):
        raise InvalidSpec("spec.image is missing: set it to the container image to run")
    rollout = raw.get("rollout") or {}
    if raw.get("autoscaling") and rollout.get("strategy") == CANARY:
        raise InvalidSpec(CANARY_WITH_AUTOSCALING)
    return Spec(
        template={name: raw[name] for name in TEMPLATE_FIELDS if raw.get(name) is not None},
        replicas=raw.get("replicas", 2),
        autoscaling=_autoscaling(raw.get("autoscaling")),
        config=tuple(_source(entry, secret=False) for entry in raw.get("config") or ()),
        secrets=tuple(_source(entry, secret=True) for entry in raw.get("secrets") or ()),
        rollout=_rollout(rollout),
        slo=_slo(raw.get("slo")),
        paused=bool(raw.get("paused", False)),
    )


def parse_autoscaling(raw: Json | None) -> Autoscaling | None:
    """Read an ``autoscaling`` block, as in a spec or in a stored revision."""
    return _autoscaling(raw)


def _autoscaling(raw: Json | None) -> Autoscaling | None:
    if not raw:
        return None
    minimum, maximum = raw.get("minReplicas", 1), raw["maxReplicas"]
    if minimum > maximum:
        raise InvalidSpec(
            f"spec.autoscaling.minReplicas ({minimum}) is more than maxReplicas ({maximum}): "
            "lower minReplicas or raise maxReplicas"
        )
    metrics = tuple(raw.get("metrics") or ())
    target = raw.get("targetCPUUtilizationPercentage")
    return Autoscaling(
        min_replicas=minimum,
        max_replicas=maximum,
        target_cpu=target if target is not None or metrics else 80,
        metrics=metrics,
        behavior=raw.get("behavior"),
    )


def _slo(raw: Json | None) -> Slo | None:
    if not raw:
        return None
    availability, latency = raw.get("availability"), raw.get("latency")
    try:
        percent = None if availability is None else Decimal(availability)
    except InvalidOperation:
        raise InvalidSpec(f'spec.slo.availability {availability!r} is no percentage: write it like "99.9"') from None
    promised = Latency(latency.get("percentile", 99), latency["milliseconds"]) if latency else None
    return Slo(percent, promised) if percent is not None or promised is not None else None


def _source(raw: Json, *, secret: bool) -> ConfigSource:
    reference = raw.get("secretRef" if secret else "configMapRef")
    return ConfigSource(
        name=raw["name"],
        data=None if secret else raw.get("data"),
        ref=reference["name"] if reference else None,
        mount_path=raw.get("mountPath"),
        secret=secret,
        vault=_vault(raw.get("vault")) if secret else None,
    )


def _vault(raw: Json | None) -> VaultSource | None:
    if not raw:
        return None
    return VaultSource(raw["path"], raw.get("mount", "secret"), raw.get("role"), raw.get("key"))


def _rollout(raw: Json) -> RolloutSpec:
    strategy = raw.get("strategy", BLUE_GREEN)
    if strategy not in STRATEGIES:
        raise InvalidSpec(f"spec.rollout.strategy {strategy!r} is not known: use {' or '.join(STRATEGIES)}")
    canary = _canary(raw.get("canary") or {})
    if strategy == CANARY and not canary.steps:
        raise InvalidSpec(CANARY_WITHOUT_STEPS)
    colour = raw.get("blueGreen") or {}
    analysis = raw.get("analysis") or {}
    return RolloutSpec(
        strategy=strategy,
        blue_green=BlueGreen(
            auto_promotion=colour.get("autoPromotion", True),
            auto_promotion_seconds=colour.get("autoPromotionSeconds", 0),
            preview_replicas=colour.get("previewReplicas"),
            scale_down_delay_seconds=colour.get("scaleDownDelaySeconds", 300),
        ),
        canary=canary,
        pre_promotion=tuple(_metric(entry) for entry in analysis.get("prePromotion") or ()),
        post_promotion=tuple(_metric(entry) for entry in analysis.get("postPromotion") or ()),
        progress_deadline_seconds=raw.get("progressDeadlineSeconds", 600),
        abort_scale_down_delay_seconds=raw.get("abortScaleDownDelaySeconds", 30),
        revision_history_limit=raw.get("revisionHistoryLimit", 10),
    )


def _canary(raw: Json) -> Canary:
    steps = tuple(_step(entry) for entry in raw.get("steps") or ())
    if steps and steps[0].is_pause:
        raise InvalidSpec(FIRST_STEP)
    return Canary(steps, raw.get("maxSurge", "25%"), raw.get("maxUnavailable", "25%"))


def _step(raw: Json) -> Step:
    if ("setWeight" in raw) == ("pause" in raw):
        raise InvalidSpec(STEP_KINDS)
    return Step(weight=raw["setWeight"]) if "setWeight" in raw else Step(seconds=(raw["pause"] or {}).get("seconds"))


def _metric(raw: Json) -> Metric:
    http = raw.get("http") or {}
    return Metric(
        name=raw["name"],
        provider=raw.get("provider", "http"),
        http=HttpCheck(
            path=http.get("path", "/"),
            expected_statuses=tuple(http.get("expectedStatuses") or (200,)),
            requests=http.get("requests", 5),
            timeout_seconds=http.get("timeoutSeconds", 2),
            headers=http.get("headers") or {},
        ),
        initial_delay_seconds=raw.get("initialDelaySeconds", 0),
        interval_seconds=raw.get("intervalSeconds", 5),
        count=raw.get("count", 1),
        failure_limit=raw.get("failureLimit", 0),
        consecutive_error_limit=raw.get("consecutiveErrorLimit", 4),
        dry_run=raw.get("dryRun", False),
    )
