"""The five programs: each reads its settings and the outputs of earlier projects, and puts components together.

Lives here: one function ``program`` per project, run by ``pulumi up`` in ``projects/<name>`` and by ``automation``.
Must not live here: resources of its own other than components and the cluster's provider.
"""
