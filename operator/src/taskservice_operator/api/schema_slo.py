"""The schema of ``spec.slo``: what is promised to those who call the service."""

from __future__ import annotations

from taskservice_operator.api.schema import Schema, record, rule, text, whole

LEAST_PERCENT = 95
"""Below it the fastest burn-rate alert (14.4 times the budget) could not fire even if every request were bad."""


def slo() -> Schema:
    return record(
        "What is promised to those who call the service, over thirty days. The operator makes recording rules, "
        "burn-rate alerts and a dashboard of it; leave it out for none. It is not part of the revision: changing it "
        "releases nothing.",
        {
            "availability": text(
                'Percent of requests that do not end in a server error (5xx), in quotes: "99.9".',
                longest=8,
                rules=[
                    rule(
                        r"self.matches('^9[5-9](\\.[0-9]{1,4})?$')",
                        'availability must be a percentage from 95 to 99.9999, in quotes: write it like "99.9"',
                    )
                ],
            ),
            "latency": record(
                "How many requests are answered how soon.",
                {
                    "percentile": whole("Percent of requests.", least=LEAST_PERCENT, most=99, default=99),
                    "milliseconds": whole(
                        "The time within which they are answered. It must be the end of a bucket of the service's "
                        "histogram http_server_request_duration_seconds; an alert tells when it is not.",
                        least=1,
                        most=60_000,
                    ),
                },
                required=["milliseconds"],
            ),
        },
        rules=[
            rule(
                "has(self.availability) || has(self.latency)",
                "slo promises nothing: give availability, latency, or both, or leave slo out",
            )
        ],
    )
