"""The shell around the core: which TaskService is looked at when, and one pass over it.

Lives here: the keyed queue, pacing and retries, the pass (observe, decide, act, record), measurements under way.
Must not live here: what to do about a TaskService (``core``), how the API server is talked to (``cluster``),
kopf or the Kubernetes client.  Nothing in memory here matters: a restart loses only running measurements.
"""
