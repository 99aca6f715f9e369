"""Figures that are not one unit of traffic: tunnels at rest, the start, and probes beside saturated traffic."""

import dataclasses
import time

from lib import machine
from lib.answers import first_answer
from lib.bench import tell
from lib.load import WORKS
from lib.proxies import Proxy
from support.waiting import at_rest, wait_until

FEW = 100
STARTS = 9
PER_TUNNEL = 2  # descriptors of the proxy
SPARE = 500


def tunnels(bench, chosen, figures):
    """Memory of idle tunnels, what they cost the messages of others, and whether it comes back."""
    most = min(chosen.tunnels, (bench.descriptors - SPARE) // PER_TUNNEL)
    if most < chosen.tunnels:
        tell(f"the descriptor limit of {bench.descriptors} allows {most} tunnels")
    figures["tunnels", "tunnels", "all"] = most
    work = WORKS["echo"]
    for name in chosen.names:
        tell(f"{most} tunnels through {name}")
        with bench.proxy(name, work) as proxy:
            process = proxy.process
            resting = machine.descriptors(process)
            before = machine.resident_bytes(process)
            with bench.load(work, proxy, FEW) as load:
                few = lambda: _cpu_per_unit(process, load, chosen)  # noqa: E731
                at_few = few()
                load.open(most)
                load.units(most)  # every tunnel answers once
                held = machine.resident_bytes(process)
                if not chosen.firm:
                    figures["crowded", "tunnels", name] = few() / at_few
            wait_until(lambda: machine.descriptors(process) <= resting + 2, f"{name} to close its tunnels")
            after = at_rest(lambda: machine.resident_bytes(process), seconds=1.5)
            figures["bytes", "tunnels", name] = (held - before) / most
            figures["returned", "tunnels", name] = (held - after) / max(held - before, 1)


def _cpu_per_unit(process, load, chosen):
    if chosen.firm:
        return 0
    load.units(FEW * 4)
    before = machine.cpu_seconds(process)
    units = load.seconds(max(chosen.seconds, 1) * 2)["units"]
    return (machine.cpu_seconds(process) - before) / units


def start(bench, chosen, figures):
    """From exec to both ports having answered a request, in ms."""
    for number in range(0 if chosen.firm else STARTS):
        for name in chosen.names:
            proxy = Proxy(name, bench.backend(False), bench.directory, bench.tools, bench.descriptors)
            begun = time.monotonic()
            with proxy:
                proxy.launch()
                ended = first_answer(proxy.port, "/", begun + 10)
                if proxy.has_probe:
                    ended = first_answer(proxy.probe, "/health/ready", begun + 10)
                figures.setdefault(("start", "start", name), []).append((ended - begun) * 1000)


def saturated(bench, chosen, figures):
    """Latency of probes, one after the other, while the data loop has all the requests that it can take."""
    # Large heads: the proxy reads, judges and writes each field, load and backend pass over them.
    busy = dataclasses.replace(WORKS["get"], connections=256, fields=60)
    asking = dataclasses.replace(WORKS["probe"], connections=1)
    for name in (name for name in chosen.names if name != "relay" and not chosen.firm):
        tell(f"probes of {name} while it is saturated")
        with bench.proxy(name, busy) as proxy, bench.load(busy, proxy) as load, bench.load(asking, proxy) as probes:
            before = machine.cpu_seconds(proxy.process)
            load.start_seconds(3)
            result = probes.seconds(2)
            busy_for = machine.cpu_seconds(proxy.process) - before
            load.finish()
            figures["p99", "saturated", name] = [result["p99"]]
            figures["busy", "saturated", name] = busy_for / result["seconds"]


EXTRAS = {"tunnels": tunnels, "start": start, "saturated": saturated}
