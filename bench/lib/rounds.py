"""CPU time and latency, in rounds: all proxies take their turn on a work before the next one, in a new order each round."""

from lib import machine
from lib.bench import tell
from lib.load import WORKS


def sample(bench, work, proxy, seconds):
    """CPU us per unit, and the latencies in us."""
    with bench.load(work, proxy) as load:
        load.units(work.connections * 4)
        before = machine.cpu_seconds(proxy.process)
        result = load.seconds(seconds)
        used = machine.cpu_seconds(proxy.process) - before
    proxy.process.check()
    return used / result["units"] * 1e6, result["p50"], result["p99"]


def run(bench, chosen, figures):
    """Adds the lists ("cpu" | "p50" | "p99", work, proxy), one value a round."""
    for key in (key for key in chosen.works if key in WORKS):
        work = WORKS[key]
        names = [name for name in chosen.names if not (work.probe and name == "relay")]
        proxies = {}
        try:
            for name in names:
                proxies[name] = bench.proxy(name, work)
            for number in range(chosen.rounds):
                tell(f"CPU time: {key}, round {number + 1} of {chosen.rounds}")
                turn = number % len(names)
                for name in names[turn:] + names[:turn]:
                    values = sample(bench, work, proxies[name], chosen.seconds)
                    for figure, value in zip(("cpu", "p50", "p99"), values):
                        figures.setdefault((figure, key, name), []).append(value)
        finally:
            for proxy in proxies.values():
                proxy.stop()
