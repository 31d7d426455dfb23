"""What a user reads when a project did not get there."""

from __future__ import annotations

from taskservice_infra.automation.runs import sentences

TRACE = """python inline source runtime error: Pulumi.local.yaml: data:x: is missing.
Traceback (most recent call last):
  File "programs/data.py", line 3, in program
taskservice_infra.errors.BadConfiguration: Pulumi.local.yaml: data:x: is missing.
"""


CALLBACK = """Exception: Invoke callback 5b84-3e6d error: DaemonSet 'web': volume logs mounts /var/log [pods-restricted]
DaemonSet 'web': runAsUser is 0 [pods-restricted]:
  File "policy/gate.py", line 30, in ask
    refuse(resource)
"""


def test_what_a_rule_says_while_the_engine_registers_is_told_without_the_trace_after_it() -> None:
    (told,) = sentences([CALLBACK])
    assert told.splitlines() == [
        "DaemonSet 'web': volume logs mounts /var/log [pods-restricted]",
        "DaemonSet 'web': runAsUser is 0 [pods-restricted]",
    ]


def test_a_sentence_of_ours_is_told_without_the_trace_around_it() -> None:
    assert sentences([TRACE]) == ["Pulumi.local.yaml: data:x: is missing."]


def test_what_the_engine_says_is_told_once_and_without_its_own_summary() -> None:
    problem = "StatefulSet redis: image not found"
    assert sentences([problem, problem, "Stack data-local: update failed"]) == [problem]
    assert sentences(["update failed"]) == ["update failed"]
