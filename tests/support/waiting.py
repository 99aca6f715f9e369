"""Waiting on conditions: never on time alone, and never for ever."""

import time

# One number for "it must happen, however busy the machine is". A test that is about speed names its own bound.
PATIENCE = 20.0


class TimedOut(AssertionError):
    pass


def wait_for(fetch, accept, what, timeout=PATIENCE, every=0.02):
    """Polls `fetch` until `accept` likes what it returns, and returns that; `what` completes "waited for ...".

    A connection that is refused or breaks counts as "not yet".
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            seen = fetch()
            if accept(seen):
                return seen
        except OSError as error:
            seen = error
        if time.monotonic() > deadline:
            raise TimedOut(f"waited {timeout:g} s for {what}; last seen: {str(seen)[:3000]}")
        time.sleep(every)


def wait_until(condition, what, timeout=PATIENCE, every=0.02):
    """Polls `condition` until it returns something true, and returns that."""
    return wait_for(condition, bool, what, timeout, every)


def at_rest(measure, seconds=1.0, timeout=PATIENCE):
    """Waits until a figure has not moved for a while, and returns it."""
    deadline = time.monotonic() + timeout
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < seconds:
        if time.monotonic() > deadline:
            raise TimedOut(f"waited {timeout:g} s for a figure to come to rest; it is {value}")
        time.sleep(0.02)
        if measure() != value:
            value, since = measure(), time.monotonic()
    return value
