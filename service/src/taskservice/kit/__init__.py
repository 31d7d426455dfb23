"""One file per thing the services depend on: settings, database, cache, tokens, HTTP edge, logs, metrics.

Nothing here knows what a user or a task is. A driver or client library is imported by exactly one file of
this package, so that replacing it is a change of one file.
"""
