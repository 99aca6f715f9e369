"""Reads the Prometheus text format strictly enough to notice when it is not."""

import re

_SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Family:
    def __init__(self):
        self.type = None
        self.help = None
        self.samples = {}

    def value(self, **labels):
        """The plain sample with exactly these labels."""
        return self.samples[(self.name, frozenset(labels.items()))]

    def total(self):
        return sum(value for (name, _), value in self.samples.items() if name == self.name)


def parse(text):
    """{family: Family}; raises AssertionError for a line that is no metric, a double sample or a stray one."""
    families = {}
    for line in text.splitlines():
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            _, kind, name, rest = line.split(" ", 3)
            family = families.setdefault(name, Family())
            family.name = name
            assert getattr(family, kind.lower()) is None, f"twice: {line}"
            setattr(family, kind.lower(), rest)
            continue
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        name, labels, value = match.groups()
        found = _LABEL.findall(labels or "")
        assert "".join(f'{key}="{content}",' for key, content in found).rstrip(",") == (labels or "").rstrip(","), line
        family = next((families[base] for base in (name, re.sub(r"_(bucket|sum|count|total|info)$", "", name))
                       if base in families), None)
        assert family, f"a sample without HELP and TYPE: {line!r}"
        key = (name, frozenset(found))
        assert key not in family.samples, f"twice: {line!r}"
        family.samples[key] = float(value)
    return families
