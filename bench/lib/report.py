"""The figures as Markdown, and beside them what they were to reach."""

import statistics

from lib import machine
from lib.load import WORKS
from lib.proxies import NAMES

# (figure, work, at most, peer of the ratio): the goals of the data plane.
GOALS = [
    ("calls", "alone", 6.0, None),
    ("instructions", "echo", 1000, None),
    ("cpu", "echo", 0.92, "haproxy"), ("cpu", "echo", 1.00, "nginx"),
    ("cpu", "64k", 0.58, "haproxy"), ("cpu", "64k", 1.0, "haproxy-64k"), ("cpu", "64k", 1.0, "nginx-64k"),
    ("calls", "1m", 75, None), ("cpu", "1m", 0.75, "haproxy"), ("cpu", "1m", 1.0, "haproxy-64k"),
    ("cpu", "1m", 1.0, "caddy"),
    ("calls", "handshake", 18, None), ("instructions", "handshake", 20000, None),
    ("cpu", "handshake", 0.90, "haproxy"), ("cpu", "handshake", 1.00, "nginx"),
    ("calls", "get", 4.4, None), ("cpu", "get", 0.90, "haproxy"), ("cpu", "get", 0.85, "nginx"),
    ("calls", "probe", 2.15, None), ("cpu", "probe", 0.80, "haproxy"), ("cpu", "probe", 1.00, "nginx"),
    ("bytes", "tunnels", 1229, None), ("crowded", "tunnels", 1.15, None),
    ("start", "start", 15, None), ("p99", "saturated", 5000, None),
]  # fmt: skip
SATURATED = 0.9  # of a CPU: below it the probes met a loop with time to spare
TITLES = {
    "calls": "system calls", "instructions": "user-space instructions", "cpu": "CPU us", "p50": "latency p50, us",
    "p99": "latency p99, us", "bytes": "bytes per idle tunnel", "crowded": "CPU per message at all tunnels / at 100",
    "returned": "memory given back", "busy": "CPUs used meanwhile", "start": "exec to both ports answering, ms",
}  # fmt: skip
WORK_TITLES = {**{key: work.title for key, work in WORKS.items()}, "tunnels": "idle tunnels", "start": "start",
               "saturated": "probe beside saturated traffic"}  # fmt: skip


def middle(value):
    return statistics.median(value) if isinstance(value, list) else value


def number(figure, value):
    if figure == "returned":
        return f"{max(value, 0):.0%}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def ratio(figures, work, peer):
    """The median of the ratios of the rounds."""
    ours, theirs = (figures.get(("cpu", work, name)) for name in ("probegate", peer))
    return statistics.median(a / b for a, b in zip(ours, theirs)) if ours and theirs else None


def _table(figures, kinds):
    names = [name for name in NAMES if any(key[2] == name for key in figures)]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for figure in kinds:
        for work in dict.fromkeys(key[1] for key in figures if key[0] == figure):
            cells = [figures.get((figure, work, name)) for name in names]
            shown = [number(figure, middle(cell)) if cell is not None else "-" for cell in cells]
            lines.append(f"| {WORK_TITLES[work]}: {TITLES[figure]} | " + " | ".join(shown) + " |")
    return lines


def _ratios(figures):
    lines = []
    for work in dict.fromkeys(key[1] for key in figures if key[0] == "cpu"):
        cells = [ratio(figures, work, name) for name in NAMES[1:]]
        shown = ["-" if cell is None else f"{cell:.2f}" for cell in cells]
        lines.append(f"| {WORK_TITLES[work]} | " + " | ".join(shown) + " |")
    head = "| CPU of probegate, against | " + " | ".join(NAMES[1:]) + " |"
    return [head, "|---" * len(NAMES) + "|", *lines] if lines else []


def _goals(figures):
    lines = ["| goal | at most | measured | |", "|---|---|---|---|"]
    for figure, work, limit, peer in GOALS:
        value = ratio(figures, work, peer) if peer else figures.get((figure, work, "probegate"))
        if value is None:
            continue
        value = middle(value)
        against = f" / {peer}" if peer else ""
        mark = "reached" if value <= limit else "**missed**"
        if work == "saturated" and figures["busy", work, "probegate"] < SATURATED:
            mark = "not shown: the load did not saturate it"
        lines.append(f"| {WORK_TITLES[work]}: {TITLES[figure]}{against} | {limit:,} | {number(figure, value)} | {mark} |")
    return lines


def compact(figures):
    """The compact table, as in docs/performance.md."""
    kinds = ["calls", "instructions", "bytes", "returned", "crowded", "start", "busy"]
    tunnels = figures.get(("tunnels", "tunnels", "all"))
    note = f"; {tunnels:,} tunnels" if tunnels else ""
    firm = {key: value for key, value in figures.items() if key[0] != "tunnels"}
    rounds = max((len(value) for key, value in figures.items() if key[0] == "cpu"), default=0)
    said = f"; CPU is the median ratio of {rounds} interleaved rounds" if rounds else ""
    lines = [f"{machine.today()}, {machine.machine()}{note}{said}. Per message or request:", ""]
    lines += _table(firm, kinds)
    if ratios := _ratios(figures):
        lines += ["", *ratios]
    return "\n".join(lines)


def full(figures, argv):
    command = " ".join(["bench/compare", *argv[1:]])
    firm = {key: value for key, value in figures.items() if key[0] != "tunnels"}
    parts = [f"`{command}`", "", compact(figures), ""]
    if any(key[0] in ("cpu", "p99") for key in firm):
        parts += _table(firm, ["cpu", "p50", "p99"]) + [""]
    return "\n".join(parts + _goals(figures))
