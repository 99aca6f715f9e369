"""What tests of the redis check share."""

from support.checks import checking

SECRET = "wr0ng-passphrase"
PASSWORD = "right-passphrase"
OFTEN = "interval: 100ms, fall: 1"


def with_checks(rig, checks):
    """One sidecar with several redis checks, by name."""
    return checking(rig, checks, "type: redis")
