"""The schema of ``status``: what the operator records and tells.  ``api/status.py`` writes the same fields.

The API server silently drops what is not named here, and the operator would write it again and again: a test
compares this schema with everything ``render_status`` can write.  Bounds are loose on purpose: a status that
is refused leaves people with no word at all.
"""

from __future__ import annotations

from taskservice_operator.api.schema import Schema, flag, listing, mapping, moment, record, text, whole
from taskservice_operator.api.status import Phase

VERDICTS = ("Running", "Pass", "Fail")


def status() -> Schema:
    return record(
        "What the operator last saw and did. Written by the operator only.",
        {
            "observedGeneration": _large(
                "The metadata.generation this status speaks about; -1 until the operator has looked at all.", least=-1
            ),
            "conditions": _conditions(),
            "phase": text(
                "Where a rollout stands, for people. Programs should read conditions.",
                allowed=[phase.value for phase in Phase],
            ),
            "step": text("What is going on, in one sentence for people.", longest=None),
            "blockedOn": record(
                "The one object that progress waits for.",
                {
                    "kind": text("Its kind."),
                    "name": text("Its name."),
                    "reason": text("Why, as a constant."),
                    "message": text("Why, and what to do, in one sentence.", longest=None),
                },
            ),
            "revisions": record(
                "Which revision plays which part.",
                {
                    "stable": text("The last one that was proven: where an abort goes back to."),
                    "active": text("The one that gets the requests."),
                    "candidate": text("The one that is being released."),
                    "previous": text("The one that was active before."),
                    "wanted": text("The one that the spec asks for."),
                },
            ),
            "colour": text("The active revision's colour, blue or green, alternating."),
            "replicas": _count("Pods of the active revision."),
            "readyReplicas": _count("Pods of the active revision that are ready."),
            "selector": text("Label selector of the active revision's pods, for the scale subresource.", longest=4096),
            "url": text("Where the service answers inside the cluster.", longest=2048),
            "rollout": _rollout(),
            "canary": record(
                "Where a rollout by steps stands, while one is under way. Weights are the candidate's percent of "
                "requests; the rest goes to the stable revision.",
                {
                    "stepIndex": _count("The step under way, counted from 0; stepCount when all are done."),
                    "stepCount": _count("How many steps there are."),
                    "stepSince": moment("When that step began."),
                    "desiredWeight": _count("The weight that is asked for now."),
                    "observedWeight": _count("The weight that the live Service's endpoints show."),
                    "plan": text("A digest of the steps; another one begins with the first step again."),
                },
                required=["stepIndex", "stepCount", "plan"],
            ),
            "retiring": listing(
                "Revisions that are still up and the time at which they are scaled to zero.",
                record(
                    "One revision on its way out.",
                    {
                        "revision": text("The revision."),
                        "scaleDownAt": moment("When it is scaled to zero."),
                        "replicas": _count("Pods it keeps until then."),
                    },
                    required=["revision", "scaleDownAt", "replicas"],
                ),
                most=None,
                key="revision",
            ),
            "size": record(
                "The size of the live side, for services that do not autoscale.",
                {
                    "active": _count("Pods the live side holds."),
                    "declared": _count("The spec.replicas that was last taken in."),
                },
                required=["active", "declared"],
            ),
            "floor": record(
                "The fewest pods of a revision for a while, so that a switch never shrinks capacity.",
                {
                    "revision": text("The revision."),
                    "replicas": _count("Its fewest pods."),
                    "until": moment("Until when; absent until it is promoted."),
                },
                required=["revision", "replicas"],
            ),
            "analysis": _analysis(),
            "history": _history(),
            "handledVerbs": mapping(
                "The last request carried out of each kind (promote, promote-full, abort, retry, rollback), as it was "
                "annotated.",
                text("The annotation's value.", longest=None),
                most=None,
            ),
            "failure": record(
                "The revision that is not tried again until the spec changes or a retry is asked for.",
                {
                    "revision": text("The revision."),
                    "reason": text("Why it failed, as a constant."),
                    "message": text("Why it failed, in one sentence.", longest=None),
                    "at": moment("When it failed."),
                },
                required=["revision", "reason", "message", "at"],
            ),
        },
        # Without it kstatus (Helm --wait, Flux) takes an object that nobody has looked at yet for finished.
        default={"observedGeneration": -1},
    )


def _conditions() -> Schema:
    return listing(
        "The state as standard conditions; Ready sums them up.",
        record(
            "One aspect of the state.",
            {
                "type": text("Which aspect.", longest=316, shortest=1),
                "status": text("Whether it holds.", allowed=("True", "False", "Unknown")),
                "reason": text("Why, as a constant.", longest=1024, shortest=1),
                "message": text("Why, in one sentence.", longest=32768),
                "lastTransitionTime": moment("When status last changed."),
                "observedGeneration": _large("The metadata.generation this condition speaks about."),
            },
            required=["type", "status", "reason", "lastTransitionTime"],
        ),
        most=None,
        key="type",
    )


def _rollout() -> Schema:
    return record(
        "The rollout under way.",
        {
            "startedAt": moment("When it began."),
            "clockedSince": moment("Since when the progress deadline is running, while it is."),
            "clockSpentSeconds": _count("Seconds of the progress deadline that were used up before that."),
            "verifiedSince": moment("Since when everything required before the switch holds."),
            "approvedAt": moment("When somebody asked for the promotion."),
            "switchedAt": moment("When requests went to the candidate."),
            "fast": flag("True when it goes back to a revision that was proven, and so is not judged again."),
            "rollback": flag("True when somebody asked to go back."),
        },
        required=["startedAt"],
    )


def _analysis() -> Schema:
    return listing(
        "The tally of each measurement of the current or last rollout.",
        record(
            "One metric in one stage for one revision.",
            {
                "stage": text("PrePromotion or PostPromotion."),
                "metric": text("The metric's name."),
                "revision": text("The revision that is measured."),
                "verdict": text("Running, Pass or Fail.", allowed=VERDICTS),
                "measured": _count("Measurements made."),
                "failed": _count("Of them, those that failed."),
                "errors": _count("Measurements that could not be made."),
                "consecutiveErrors": _count("Of them, those in a row up to now."),
                "lastMeasuredAt": moment("When the last one ended."),
                "message": text("What was seen, in one sentence.", longest=None),
                "dryRun": flag("True when the verdict has no consequence."),
            },
            required=["stage", "metric", "revision", "verdict"],
        ),
        most=None,
    )


def _history() -> Schema:
    return listing(
        "Finished rollouts, newest last.",
        record(
            "One finished rollout.",
            {
                "revision": text("The revision that was to be released."),
                "result": text("Promoted, Aborted, RolledBack or Superseded."),
                "reason": text("Why it ended so, as a constant."),
                "startedAt": moment("When it began."),
                "endedAt": moment("When it ended."),
                "image": text("The image of that revision.", longest=512),
            },
            required=["revision", "result", "reason", "startedAt", "endedAt"],
        ),
        most=None,
    )


def _count(description: str) -> Schema:
    return whole(description, most=None)


def _large(description: str, least: int = 0) -> Schema:
    return whole(description, least=least, most=None) | {"format": "int64"}
