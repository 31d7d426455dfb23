"""The shell that kopf and HTTP call into: watches that wake TaskServices, and probes.

Lives here: everything that knows kopf or serves HTTP.  Must not live here: decisions, dictionaries of manifests,
requests to the API server.  Handlers only take in what was seen and wake who is concerned.
"""
