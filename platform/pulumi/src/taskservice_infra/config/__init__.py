"""What a stack file may say: one module of pydantic models per project, checked before any resource exists.

Lives here: settings with their defaults, bounds and the sentences that say what is wrong with a value.
Must not live here: resources, I/O other than reading a stack file, passwords.

The stack file ``projects/data/Pulumi.local.yaml`` holds the settings of project ``data``, named in camelCase:

    config:
      data:mongodb: {provider: dev, cacheSizeGb: 0.25}     ->  DataSettings.mongodb.cache_size_gb

A sentence about one begins with where it is: ``Pulumi.local.yaml: data:mongodb.cacheSizeGb: …``.
"""
