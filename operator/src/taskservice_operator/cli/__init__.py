"""``kubectl taskservice``: what people see of a rollout, and how they steer it, from their own machine.

Lives here: the command line; ``client`` (the user's own rights, time-outs on every request); pure rendering and
pure judgement of requests.  Must not live here: anything that changes a cluster other than the four annotations.
"""
