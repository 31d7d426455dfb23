"""Vault and its keeper: one node for development, several by an upstream chart, bootstrap, unsealing, snapshots.

What is in a Vault (mounts, policies, roles, initial secrets) is decided by the keeper (``platform/keeper``); components
here only run it, and hand it a description without any value of a secret.
"""
