"""The demonstration: the sample application, released while under load, and the figures of what users saw.

Lives here: the load, the stage (images loaded, charts installed), the story told on a cluster, the report.  Must not
live here: how a cluster is made (``taskservice_local``) or how a release is decided (the operator).  Tests reuse the
load and the stage.  Standard library only, and run from a checkout.
"""
