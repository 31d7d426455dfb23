"""The keeper: brings Vault up and keeps it open, and backs up and restores what must not be lost.

What lives here: a program that runs in the cluster, as Jobs and one small Deployment, in an image of its own. `vault/`
decides what a Vault lacks and adds it; `mongodb/` dumps and restores a replica set; `backup/` is what both kinds of
backup share: names, retention, checksums, and the record of how the last one went; `cluster.py` is the only module
that talks to the Kubernetes API.

What must not: Pulumi (its programs only start this one), anything of the operator or the service, and any value of a
secret in a log line, an argument or an exception's text.
"""
