"""The ``TaskService`` resource: its names, its schema, and its spec and status as typed values.

Lives here: what users and other programs see of the resource.  Must not live here: decisions (``core``),
manifests of owned objects (``render``), anything that reads a clock or a cluster.
"""
