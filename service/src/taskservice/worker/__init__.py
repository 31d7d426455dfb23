"""What happens after a change: its events are published, and acted on.

Two halves in one process. The relay moves events from the outbox to the bus, and the scheduler finds reminders
that are due; both run in one worker at a time, under a lease. The consumer turns events into the activity feed
and into reminders; it runs in every worker, and the broker keeps the order of each task. Whatever an event does
is stored in one transaction with the fact that it was handled: exactly once in effect.
"""
