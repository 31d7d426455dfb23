"""Databases, caches and brokers: for each one component per provider, all with the same outputs."""
