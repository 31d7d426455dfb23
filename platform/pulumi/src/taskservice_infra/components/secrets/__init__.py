"""The store of secrets: Vault or OpenBao, and what it needs to begin."""
