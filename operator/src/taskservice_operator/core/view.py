"""One decision's point of view: spec, status, facts and time side by side, with the questions the table asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from taskservice_operator.api import names
from taskservice_operator.api.spec import Autoscaling, Spec, parse_autoscaling
from taskservice_operator.api.status import Phase, Status
from taskservice_operator.core import verdict as analysis
from taskservice_operator.core import weights
from taskservice_operator.core.facts import Facts
from taskservice_operator.core.model import Manifest
from taskservice_operator.core.revision import Blocked, Wanted
from taskservice_operator.core.vaulted import NOTHING_ASKED, Reading

CLOCKED = frozenset({Phase.STAGING, Phase.PRESCALING})
"""Phases whose time counts against the progress deadline: those that wait for pods, never for people."""
SWITCHED = frozenset({Phase.PROMOTING, Phase.PROVING})
UNDER_WAY = frozenset({Phase.STAGING, Phase.VERIFYING, Phase.STEPPING, Phase.PRESCALING, *SWITCHED})
FLOOR_SECONDS = 600
"""How long after a switch the new side may not scale below the size it took over with (StackSet's prescaling)."""


@dataclass(frozen=True)
class View:
    """Everything a row's predicate may look at.  ``wanted`` is None while the spec cannot be resolved.

    ``reading``: how reading its Vault secrets stands.
    """

    taskservice: Manifest
    spec: Spec
    status: Status
    facts: Facts
    wanted: Wanted | None
    blocked: Blocked | None
    now: datetime
    reading: Reading = NOTHING_ASKED

    def with_status(self, status: Status) -> View:
        return replace(self, status=status)

    # -- revisions ---------------------------------------------------------------------------------------------
    @property
    def wanted_revision(self) -> str | None:
        return self.wanted.revision if self.wanted else None

    @property
    def failed_revision(self) -> str | None:
        return self.status.failure.revision if self.status.failure else None

    @property
    def is_first(self) -> bool:
        """True until some revision has gone live: there is nothing to protect and nothing to return to."""
        return self.status.stable is None

    def previous(self) -> str | None:
        """The revision a rollback goes to: what was live before the active one, and still has its record.

        History is read as an undo list: a promotion pushes, a rollback pops down to where it went, so what was left
        by request is never returned to by the next rollback.
        """
        line: list[str] = []
        for entry in self.status.history:
            if entry.result == "RolledBack" and entry.revision in line:
                del line[line.index(entry.revision) + 1 :]
            elif entry.result in ("Promoted", "RolledBack"):
                line = [revision for revision in line if revision != entry.revision] + [entry.revision]
        for revision in reversed(line):
            if revision not in (self.status.active, self.failed_revision) and self.facts.of(revision).record:
                return revision
        return None

    def was_promoted(self, revision: str | None) -> bool:
        return any(entry.revision == revision and entry.result == "Promoted" for entry in self.status.history)

    def is_kept(self, revision: str | None) -> bool:
        return any(entry.revision == revision for entry in self.status.retiring)

    def is_same_shape(self) -> bool:
        """The spec asks for the revision it asked for at the last look: at most numbers and settings have changed."""
        if self.wanted is not None:
            return self.wanted.revision == self.status.wanted
        record = self.facts.of(self.status.wanted).record
        if record is None or self.is_unreadable:
            return False
        return record.template == self.spec.template and parse_autoscaling(record.autoscaling) == self.spec.autoscaling

    @property
    def is_unreadable(self) -> bool:
        """The spec cannot be understood, so it says nothing about what should be."""
        return self.blocked is not None and self.blocked.note.reason == "InvalidSpec"

    def is_superseded(self) -> bool:
        """The spec now asks for something that is neither the candidate, nor live, nor known to fail."""
        known = (None, self.status.candidate, self.status.active, self.failed_revision)
        return self.wanted_revision not in known

    # -- human verbs -------------------------------------------------------------------------------------------
    def requested(self, annotation: str) -> str | None:
        """The revision a verb was asked for and not yet carried out, else None."""
        value = self.verb_value(annotation)
        if not value or self.status.handled_verbs.get(names.verb_name(annotation)) == value:
            return None
        return value.partition("@")[0]

    def verb_value(self, annotation: str) -> str | None:
        return (self.taskservice["metadata"].get("annotations") or {}).get(annotation)

    def is_asked(self, annotation: str, revision: str | None) -> bool:
        return revision is not None and self.requested(annotation) == revision

    # -- sizes -------------------------------------------------------------------------------------------------
    def autoscaling_of(self, revision: str | None) -> Autoscaling | None:
        """The autoscaling that belongs to a revision, from its record or, before that exists, from the spec."""
        if revision is None:
            return None
        record = self.facts.of(revision).record
        if record is not None:
            return parse_autoscaling(record.autoscaling)
        if revision == self.wanted_revision:
            return self.spec.autoscaling
        return parse_autoscaling(self.facts.of(revision).autoscaling)

    def active_size(self) -> int:
        """Replicas that the live side should have (what its autoscaler asks for, when it has one)."""
        autoscaling = self.autoscaling_of(self.status.active)
        if autoscaling is not None:
            observed = self.facts.of(self.status.active)
            least = autoscaling.min_replicas
            return max(observed.replicas, least) if observed.deployed else least
        size = max(self.status.size.active if self.status.size else self.spec.replicas, self._lasting_floor())
        observed = self.facts.of(self.status.active)
        # With its record lost we cannot put its number right, so what is there is what carries the load.
        return size if observed.record or not observed.deployed else max(size, observed.replicas)

    def _lasting_floor(self) -> int:
        floor = self.status.floor
        return floor.replicas if floor and floor.until else 0

    def full_size(self) -> int:
        """Replicas the candidate needs before it may go live: never less than what carries the load right now.

        After the switch, the number it went live with: the next revision's ``replicas`` is not for this one.
        """
        candidate, serving = self.autoscaling_of(self.status.candidate), self.autoscaling_of(self.status.active)
        floor = self.status.floor
        if candidate is None and self.status.phase in SWITCHED and floor and floor.revision == self.status.candidate:
            return floor.replicas
        carried = 0 if self.is_first else self.active_size()
        if candidate is not None:
            return min(max(candidate.min_replicas, carried), candidate.max_replicas)
        if serving is not None:
            return max(self.spec.replicas, carried)
        if self.status.rollout and self.status.rollout.rollback:
            return self.active_size()
        return max(self.spec.replicas, self._lasting_floor())

    def staging_size(self) -> int:
        """Replicas of the candidate while it is only previewed."""
        if self.status.canary is not None:
            return self._canary_size()
        preview = self.spec.rollout.blue_green.preview_replicas
        rollout = self.status.rollout
        if preview is None or self.is_first or (rollout and rollout.fast):
            return self.full_size()
        return preview

    def _canary_size(self) -> int:
        """What the candidate's first weight needs, as far as there is room for it."""
        limit = self.limits()
        first = next((step.weight for step in self.spec.rollout.canary.steps if step.weight is not None), 0)
        return min(weights.split(self.active_size(), first, limit.surge).candidate, limit.surge or limit.unavailable)

    def limits(self) -> weights.Limits:
        """By how much a canary may be over or under the live side's size."""
        canary = self.spec.rollout.canary
        return weights.limits(self.active_size(), canary.max_surge, canary.max_unavailable)

    def carrying_size(self, revision: str) -> int:
        """Ready pods that ``revision`` needs before a live side that is spread may become it alone."""
        size = self.full_size() if revision == self.status.candidate else self.active_size()
        return max(size - self.limits().unavailable, min(size, 1))

    def is_available(self, revision: str | None, at_least: int) -> bool:
        return self.facts.of(revision).available >= at_least

    # -- time --------------------------------------------------------------------------------------------------
    def clock_spent(self) -> timedelta:
        """Time this rollout has spent waiting for pods, over all its visits to clocked phases."""
        rollout = self.status.rollout
        if rollout is None:
            return timedelta()
        spent = timedelta(seconds=rollout.clock_spent_seconds)
        return spent + (self.now - rollout.clocked_since) if rollout.clocked_since else spent

    def deadline(self) -> timedelta:
        return timedelta(seconds=self.spec.rollout.progress_deadline_seconds)

    # -- gates -------------------------------------------------------------------------------------------------
    def is_fast(self) -> bool:
        return self.is_first or bool(self.status.rollout and self.status.rollout.fast)

    def pre_verdict(self) -> analysis.Verdict:
        if self.is_fast() or not self.spec.rollout.pre_promotion:
            return analysis.Verdict("Pass")
        return analysis.verdict(self.status.analysis, analysis.PRE, self.status.candidate or "")

    def post_verdict(self) -> analysis.Verdict:
        if self.is_fast() or not self.spec.rollout.post_promotion:
            return analysis.Verdict("Pass")
        return analysis.verdict(self.status.analysis, analysis.POST, self.status.candidate or "")

    def approval_due(self) -> datetime | None:
        """When promotion is approved without a person; None when only a person can.  For after a passed analysis."""
        rollout, blue_green = self.status.rollout, self.spec.rollout.blue_green
        if rollout is None:
            return None
        if self.is_fast():
            return rollout.started_at
        if not blue_green.auto_promotion or rollout.verified_since is None:
            return None
        measured = [run.last_measured_at for run in self.status.analysis if run.stage == analysis.PRE]
        passed_at = max([rollout.verified_since, *(moment for moment in measured if moment is not None)])
        return passed_at + timedelta(seconds=blue_green.auto_promotion_seconds)

    def is_approved(self) -> bool:
        if any(self.is_asked(verb, self.status.candidate) for verb in (names.VERB_PROMOTE, names.VERB_PROMOTE_FULL)):
            return True
        if self.status.rollout and self.status.rollout.approved_at is not None:
            return True
        due = self.approval_due()
        return due is not None and self.now >= due
