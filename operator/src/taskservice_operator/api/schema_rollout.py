"""The schema of ``spec.rollout``: how a change is released, what must hold before and after, who decides."""

from __future__ import annotations

from taskservice_operator.api.schema import (
    DNS_LABEL,
    LONGEST_DELAY,
    Schema,
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
from taskservice_operator.api.spec import CANARY_WITHOUT_STEPS, FIRST_STEP, MOST_STEPS, STEP_KINDS, STRATEGIES

PROVIDERS = ("http",)


def rollout() -> Schema:
    return record(
        "How a change is released.",
        {
            "strategy": text(
                "BlueGreen: the new revision is brought up beside the live one, judged, and then gets all "
                "requests "
                "at once; the old one stays up for a while so that the way back is short. "
                "Canary: the new revision takes over step by step, by its share of the pods behind the live "
                "Service. A first revision, a rollback and a return to a revision that is still up go at once.",
                allowed=STRATEGIES,
                default="BlueGreen",
            ),
            "blueGreen": _blue_green(),
            "canary": _canary(),
            "analysis": record(
                "What is measured before and after the switch. A measurement that fails ends the rollout: "
                "before the "
                "switch the candidate is dropped, after it requests go back to the old revision.",
                {
                    "prePromotion": _metrics("Asked of the preview Service, before the switch."),
                    "postPromotion": _metrics("Asked of the live Service, after the switch."),
                },
            ),
            "progressDeadlineSeconds": whole(
                "Seconds without availability after which a rollout is given up. Time spent waiting for "
                "people or "
                "measurements does not count.",
                least=1,
                most=LONGEST_DELAY,
                default=600,
            ),
            "abortScaleDownDelaySeconds": whole(
                "Seconds for which the pods of an aborted candidate stay up, for a look at them.",
                most=LONGEST_DELAY,
                default=30,
            ),
            "revisionHistoryLimit": whole(
                "How many old revisions are kept to roll back to, with their configuration. They run no pods.",
                most=50,
                default=10,
            ),
        },
        default={},
        rules=[
            rule(
                # The default of rollout is checked as it is written, without those of its fields.
                "!has(self.strategy) || self.strategy != 'Canary' || "
                "(has(self.canary) && has(self.canary.steps) && self.canary.steps.size() > 0)",
                CANARY_WITHOUT_STEPS,
                field=".canary",
            )
        ],
    )


def _canary() -> Schema:
    return record(
        "Settings of the Canary strategy. Weights are ratios of pods: with few pods they are coarse, and "
        "status.canary tells which weight was reached.",
        {
            "steps": listing(
                "What is done, in this order; after the last step the candidate gets all requests. A change of the "
                "steps in mid-canary begins with the first one again.",
                record(
                    "One step.",
                    {
                        "setWeight": whole(
                            "Percent of requests that the candidate gets. The step is done when its pods are ready "
                            "and the live Service's endpoints show them.",
                            least=1,
                            most=100,
                        ),
                        "pause": record(
                            "Wait. {} waits for `kubectl taskservice promote`.",
                            {
                                "seconds": whole(
                                    "How long to wait; `kubectl taskservice promote` ends it earlier.",
                                    least=1,
                                    most=LONGEST_DELAY,
                                )
                            },
                        ),
                    },
                    rules=[exactly_one("setWeight", "pause", message=STEP_KINDS)],
                ),
                most=MOST_STEPS,
                rules=[rule("self.size() == 0 || has(self[0].setWeight)", FIRST_STEP)],
            ),
            "maxSurge": _amount("Pods beyond `replicas` while weights change; a percentage rounds up. "),
            "maxUnavailable": _amount("Of `replicas`, how many pods may not serve; a percentage rounds down. "),
        },
    )


def _amount(description: str) -> Schema:
    schema = int_or_text(
        description + "If neither allows a pod, one may be unavailable.", pattern=r"^(100|[1-9]?[0-9])%$"
    )
    bounds = rule(
        "type(self) == string || (int(self) >= 0 && int(self) <= 1000)",
        'give a number of pods from 0 to 1000, or a percentage in quotes such as "25%"',
    )
    return schema | {"default": "25%", "maxLength": 4, "x-kubernetes-validations": [bounds]}


def _blue_green() -> Schema:
    return record(
        "Settings of the BlueGreen strategy.",
        {
            "autoPromotion": flag(
                "True switches by itself once everything passed. False waits for `kubectl taskservice promote`.",
                default=True,
            ),
            "autoPromotionSeconds": whole(
                "With autoPromotion: seconds to wait after everything passed, before the switch.",
                most=LONGEST_DELAY,
                default=0,
            ),
            "previewReplicas": whole(
                "How many pods the candidate runs while it is judged; as many as it will need if left out. "
                "It is "
                "brought to full size before the switch in any case.",
                least=1,
            ),
            "scaleDownDelaySeconds": whole(
                "Seconds for which the old revision stays up after the switch. Going back within them is immediate.",
                most=LONGEST_DELAY,
                default=300,
            ),
        },
        default={},
    )


def _metrics(description: str) -> Schema:
    return listing(description, _metric(), most=10, key="name")


def _metric() -> Schema:
    return record(
        "One question, asked `count` times every `intervalSeconds`.",
        {
            "name": text("A short name, unique in its list.", longest=63, shortest=1, pattern=DNS_LABEL),
            "provider": text(
                "Who measures. http: the operator itself sends a few requests to the revision's Service.",
                allowed=PROVIDERS,
                default="http",
            ),
            "http": record(
                "Settings of the http provider.",
                {
                    "path": text("The path to ask for.", longest=1024, pattern=r"^/\S*$", default="/"),
                    "expectedStatuses": listing(
                        "The statuses that count as good.",
                        whole("An HTTP status.", least=100, most=599),
                        most=20,
                        default=[200],
                    ),
                    "requests": whole(
                        "Requests per measurement; all of them must be answered well.",
                        least=1,
                        most=100,
                        default=5,
                    ),
                    "timeoutSeconds": whole("Seconds after which a request has failed.", least=1, most=30, default=2),
                    "headers": mapping(
                        "Headers to send, such as Host. Not for credentials: they are readable here.",
                        text("The header's value.", longest=4096),
                        most=20,
                    ),
                },
                default={},
            ),
            "initialDelaySeconds": whole(
                "Seconds to wait before the first measurement.", most=LONGEST_DELAY, default=0
            ),
            "intervalSeconds": whole("Seconds between measurements.", least=1, most=3600, default=5),
            "count": whole("How many measurements make the verdict.", least=1, default=1),
            "failureLimit": whole("How many measurements may fail.", default=0),
            "consecutiveErrorLimit": whole(
                "How many measurements in a row may be impossible to make; they count as neither good nor bad.",
                default=4,
            ),
            "dryRun": flag("True measures and reports but never ends a rollout.", default=False),
        },
        required=["name"],
        rules=[
            rule(
                "self.failureLimit < self.count",
                "failureLimit is not less than count, so this metric can never fail: lower failureLimit, "
                "raise count, "
                "or set dryRun and leave failureLimit out",
                field=".failureLimit",
            )
        ],
    )
