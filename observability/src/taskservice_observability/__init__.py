"""What is looked at, and what wakes somebody up: metrics, rules, alerts and dashboards as code.

Lives here: the catalogue of every metric that operator and services export, the rules and dashboards built from it,
and the maths of error budgets.  ``build`` writes all of it to ``observability/generated``, and what the operator needs
for a TaskService with ``spec.slo`` into the operator's own package (docs/adr/0015).
Must not live here: how Prometheus, Loki, Jaeger or Grafana are installed (``platform/pulumi``), or what is observed.
"""
