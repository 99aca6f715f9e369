"""What is measured, in which order."""

from lib import firm, rounds
from lib.bench import tell
from lib.extras import EXTRAS
from lib.load import WORKS
from lib.proxies import COUNTLESS


def measure(bench, chosen):
    """A dictionary: (figure, work, proxy) -> a value, or a list with one of each round."""
    figures = {}
    for key in (key for key in chosen.works if key in WORKS):
        work = WORKS[key]
        for name in chosen.names:
            if work.probe and name == "relay":
                continue
            tell(f"calls and instructions: {key} through {name}")
            figures["calls", key, name] = firm.calls_per_unit(bench, name, work)
            if name not in COUNTLESS:
                figures["instructions", key, name] = firm.instructions_per_unit(bench, name, work)
    if not chosen.firm:
        rounds.run(bench, chosen, figures)
    for key in (key for key in chosen.works if key in EXTRAS):
        EXTRAS[key](bench, chosen, figures)
    return figures
