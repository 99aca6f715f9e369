"""What tests of the checks share: several checks in one sidecar, and what they say."""


def checking(rig, checks, also=None, extra="", **options):
    """A running sidecar: {"name": "type: ..., url: ..."}, with what stands in each of them, and more of its file."""
    lines = "".join(f"  {name}: {{{f'{also}, ' if also else ''}{keys}}}\n" for name, keys in checks.items())
    return rig.probegate(f"checks:\n{lines}{extra}", **options).start()


def message(sidecar, name, kind):
    """What the check says once it fails with this kind."""
    return sidecar.wait_for_error(name, kind)["message"]
