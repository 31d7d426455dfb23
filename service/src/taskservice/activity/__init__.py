"""What happened to tasks, for people to read: the worker writes it, tasks shows it, neither knows the other."""
