"""The demonstration: the sample application, released while under load, and the figures of what users saw.

Lives here: the load, the story told on a cluster, the report.  Must not live here: how a cluster is made
(``taskservice_local``'s other modules) or how a release is decided (the operator).  Tests reuse the load and the stage.
"""
