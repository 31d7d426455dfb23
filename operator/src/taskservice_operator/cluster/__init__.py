"""The only door to the Kubernetes API: what was observed comes in, single actions go out.

Lives here: the port (``port``), its errors, the real adapter (``live`` on the transport ``kube``), what the
watches have shown (``cache``), the leader's lease, our Events, and an in-memory cluster for simulations.
Must not live here: any decision about a TaskService (``core``), manifests of owned objects (``render``).
Only ``kube`` imports the client library.
"""
