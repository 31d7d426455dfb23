"""What a project tells the ones after it: one frozen dataclass of Outputs per project, the same for writer and reader.

Lives here: names and types of outputs, which of them are secret, publishing and reading them.
Must not live here: resources, settings.
"""
