"""What is kept safe: Vault's seal, backups of MongoDB and of Vault."""

from taskservice_observability import catalog
from taskservice_observability.alerts.model import Alert, Severity

_PAGE = "/d/taskservice-data"

ALERTS = (
    Alert(
        "VaultSealed",
        f"max({catalog.VAULT_SEALED}) == 1",
        Severity.CRITICAL,
        "Vault is sealed",
        "Secrets cannot be read: services that run go on, releases with secrets from Vault wait.",
        _PAGE,
    ),
    Alert(
        "BackupFailing",
        f"max by (target) ({catalog.BACKUP_FAILURE}) > max by (target) ({catalog.BACKUP_SUCCESS})",
        Severity.WARNING,
        "the last backup of {{ $labels.target }} failed",
        "The newest attempt to back up {{ $labels.target }} failed; the one before it is still kept.",
        _PAGE,
        hold="15m",
    ),
    Alert(
        "BackupTooOld",
        f"time() - max by (target) ({catalog.BACKUP_SUCCESS} > 0) > 93600",
        Severity.CRITICAL,
        "the newest backup of {{ $labels.target }} is older than a day",
        "{{ $labels.target }} was last backed up {{ $value | humanizeDuration }} ago: newer writes would be lost.",
        _PAGE,
    ),
    Alert(
        "BackupNeverMade",
        # 0 says never; a new stack has a day, as any other, to make its first.
        f"max by (target) ({catalog.BACKUP_SUCCESS}) == 0",
        Severity.CRITICAL,
        "{{ $labels.target }} was never backed up",
        "No backup of {{ $labels.target }} was made within a day: all of it would be lost.",
        _PAGE,
        hold="26h",
    ),
)
