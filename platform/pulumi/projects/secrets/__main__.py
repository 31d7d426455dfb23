"""``pulumi up`` in this folder; ``make up`` runs the same program without a Pulumi installation (docs/platform.md)."""

from taskservice_infra.programs.secrets import program

program()
