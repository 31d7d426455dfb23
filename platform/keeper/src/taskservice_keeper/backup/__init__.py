"""What every kind of backup shares: names, checksums, retention (`shelf`), and how the last one went (`record`).

Nothing here knows what is backed up.
"""
