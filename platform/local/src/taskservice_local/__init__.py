"""A real Kubernetes on this machine, in one command, from parts built out of pinned sources.

What lives here: finding and building the parts (Kubernetes, etcd, CoreDNS, metrics-server, Helm), running them as a
one-node cluster in a network namespace of its own, the images that run on it, and the same verbs for a kind cluster or
for one that is already there.

What must not: any third-party import (`make cluster` needs nothing but python3), any knowledge of the operator or the
service beyond the folders their images are built from, and any change to the user's own kubeconfig.

Layers, top to bottom; a module imports only from those below it:

    cli
    loading
    chooser
    built | kind | current
    doctor | status | controlplane | image_catalogue
    supervisor | node | images | bases | kubectl
    controls | pki | processes | network | cgroups | mounts | traces | program_images | wheels
    builder | archives
    toolchain | machine | parts
    locks | commands
    progress | paths
    errors
"""
