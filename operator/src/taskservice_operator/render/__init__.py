"""Manifests of owned objects, one kind per file, as pure functions from values to dicts.

Lives here: what an object of ours looks like, its name and labels, and whether an observed one already says so.
Must not live here: decisions about how many, when or which (``core``), or any I/O.
"""
