"""The only door to Vault: one request on behalf of one ServiceAccount in, a secret's content or a trouble out.

Lives here: the port, its adapters (hvac, and one in memory), and the sessions: logins, their leases, how many requests
at a time, and what is spared while Vault is away.  Must not live here: when a secret is read again (``loop``), how a
ServiceAccount's token is had (``cluster``), what follows from a content or a trouble, and its sentence (``core``).
No value and no token is ever logged or part of an error.  Only ``hvac_client`` imports hvac.
"""
