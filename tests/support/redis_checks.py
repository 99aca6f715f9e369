"""What tests of the redis check share: several checks in one sidecar, and what they say."""

SECRET = "wr0ng-passphrase"
PASSWORD = "right-passphrase"
OFTEN = "interval: 100ms, fall: 1"


def with_checks(rig, checks):
    """One sidecar with several redis checks, by name."""
    lines = "".join(f"  {name}: {{type: redis, {keys}}}\n" for name, keys in checks.items())
    return rig.probegate(f"checks:\n{lines}").start()


def message(sidecar, name, kind):
    return sidecar.wait_for_error(name, kind)["message"]
