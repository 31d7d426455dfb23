"""The parts that projects are made of: one ComponentResource per file, in one folder per project.

Lives here: resources.  A component takes its name, its ``<Component>Args`` and ResourceOptions, is of the type
``taskservice:<area>:<Component>``, gives every child itself as parent, and registers its outputs last.
Must not live here: reading settings or other stacks (programs do, and hand over what they found), a component of
another area, a resource at import time.

``component`` and ``workloads`` hold what all of them have in common: the base of Args, the security of pods.
"""
