"""Vault: what it should hold (`desired`), what it lacks (`plan`), how it is asked and told (`server`, `contents`).

`plan` and `policies` are pure. `server` and `contents` are the only modules that know hvac. `bootstrap`, `unsealer` and
`snapshots` are commands: they look, decide by `plan`, act, and look again; so each may be killed and run again.
"""
