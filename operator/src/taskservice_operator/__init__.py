"""The TaskService operator: one resource in, an autoscaled and safely released service out.

What lives here, from the outside in (imports only ever point downwards)::

    __main__ > handlers > loop > cluster, analysis > core > render > api        cli > core

* ``handlers``: thin kopf functions; they enqueue keys and nothing else.
* ``loop``: the queue and the one reconcile per key: observe, decide, act, record.
* ``cluster``: the only door to the Kubernetes API; ``analysis``: the only door to measured services.
* ``core``: pure decisions: no clock, no I/O, no randomness.  ``render``: pure manifests.
* ``api``: the resource itself: names, schema, spec and status as typed values.
"""

__version__ = "0.1.0"
