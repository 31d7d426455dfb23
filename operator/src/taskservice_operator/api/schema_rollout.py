"""The schema of ``spec.rollout``: how a change is released, what must hold before and after, who decides."""

from __future__ import annotations

from taskservice_operator.api.schema import (
    DNS_LABEL,
    LONGEST_DELAY,
    Schema,
    flag,
    listing,
    mapping,
    record,
    rule,
    text,
    whole,
)

STRATEGIES = ("BlueGreen",)
PROVIDERS = ("http",)


def rollout() -> Schema:
    return record(
        "How a change is released.",
        {
            "strategy": text(
                "BlueGreen: the new revision is brought up beside the live one, judged, and then gets all "
                "requests "
                "at once; the old one stays up for a while so that the way back is short.",
                allowed=STRATEGIES,
                default="BlueGreen",
            ),
            "blueGreen": _blue_green(),
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
    )


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
