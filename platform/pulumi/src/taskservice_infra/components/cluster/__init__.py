"""Where a cluster comes from, and the namespaces in it; every source ends in a kubeconfig and a context."""
