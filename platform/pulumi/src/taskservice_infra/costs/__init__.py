"""What a stack in a cloud costs a month, estimated from its own stack file and list prices.

Lives here: list prices with the day they were written down, the arithmetic, and the table in docs/environments/costs.md
(``python -m taskservice_infra.costs --write``).  Not here: anything that asks a cloud.
"""
