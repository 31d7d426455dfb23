"""Running the programs in order, on a Pulumi engine of our own: ``python -m taskservice_infra up|down|preview|status``.

Lives here: the order of projects, checking every stack file before anything is touched, the engine and where its state
lies, progress, what to do after a run that was killed.
Must not live here: resources.

State of stack ``local`` lies in the local cluster's own state folder and goes with the cluster; that of other stacks
where ``PULUMI_BACKEND_URL`` says, else beside it.  The passphrase is a file that only its owner can read, or
``PULUMI_CONFIG_PASSPHRASE``.
"""
