"""docs/metrics.md, generated from what the program exposes: name, type, labels and HELP of every family."""

import re

HEAD = """# Metrics

`/metrics` on the probe port exposes these families, as Prometheus text or OpenMetrics, selected by `Accept`. A family
without samples keeps its HELP and TYPE. The values of labels are closed sets, except for names of checks and loops,
HTTP status codes and the version. `scripts/metrics-doc` generates this page from a running program; do not edit it.

| family | type | labels | meaning |
|---|---|---|---|
"""

OPEN_LABELS = {"check": "name of a check", "loop": "`control`, `data-0`…", "code": "HTTP status, or `other`", "version": "version", "le": None}
SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def families(text):
    """[(name, type, help, {label: [values in the order of appearance]})] of a Prometheus text."""
    found = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            found.append([name, "", words, {}])
        elif line.startswith("# TYPE "):
            found[-1][1] = line.split(" ", 3)[3]
        elif match := SAMPLE.match(line):
            for label, value in LABEL.findall(match.group(2) or ""):
                values = found[-1][3].setdefault(label, [])
                if value not in values:
                    values.append(value)
    return found


def label_text(name, values):
    if name in OPEN_LABELS:
        return f"`{name}`: {OPEN_LABELS[name]}" if OPEN_LABELS[name] else ""
    return f"`{name}`: " + " ".join(f"`{value}`" for value in values)


def page(text):
    rows = []
    for name, kind, words, labels in families(text):
        shown = "; ".join(filter(None, (label_text(*label) for label in labels.items())))
        rows.append(f"| `{name}` | {kind} | {shown} | {words} |\n")
    return HEAD + "".join(rows)
