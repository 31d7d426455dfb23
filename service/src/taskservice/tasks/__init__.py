"""What is to be done: tasks that belong to the user who created them.

Who may do what is decided in `policy` and nowhere else. Lists are served from the cache when it is there
and certain; the database is the only truth.
"""
