"""Every decision of the operator, as pure functions of what was observed, what is wanted, and the time given.

Lives here: facts read from a snapshot, the rollout table, scaling, analysis verdicts, conditions, the plan.
Must not live here: a clock, I/O, randomness, awaiting, environment, a client, logging.  Time is an argument.
"""
