"""Everything around the services, as five Pulumi projects: cluster, secrets, data, observability, apps.

What lives here: what each project's stack file may say (``config``), what a project tells the ones after it
(``contracts``), the parts they are made of (``components``), the five programs (``programs``), and the way to run them
in order without a Pulumi installation (``automation``).

What must not: a resource outside a component, a setting that is not in a model of ``config``, a password in plain text
in an output, a log or a file, and any knowledge of how the operator or the service work inside.

Layers, top to bottom; a module imports only from those below it:

    __main__
    automation
    programs
    components
    contracts | config
    images | passwords
    local_machine
    kubeconfigs
    errors
"""
