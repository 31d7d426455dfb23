"""The only door to measured services: one measurement in, a verdict and one sentence out.

Lives here: a provider per module.  Must not live here: what follows from a verdict (``core``), when to measure
again (``core``), tasks and mailboxes (``loop``).  A provider bounds its own time and memory and never raises for
what a measured service does.
"""
