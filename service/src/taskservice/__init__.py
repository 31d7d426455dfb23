"""The task backend: two HTTP services, one distribution, one image.

`auth` and `tasks` never import each other: they share `kit` and the contracts they speak over HTTP.
Each service has the same rooms: endpoints (HTTP in and out), service (what happens), repository (the only
queries), schemas (what is valid), errors (what can go wrong). `__main__` picks one and runs it.
"""

__version__ = "0.1.0"
