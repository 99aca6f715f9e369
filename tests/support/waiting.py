"""Waiting on conditions: never on time alone, and never for ever."""

import time

# One number for "it must happen, however busy the machine is". A test that is about speed names its own bound.
PATIENCE = 20.0


class TimedOut(AssertionError):
    pass


def wait_until(condition, what, timeout=PATIENCE, every=0.02):
    """Polls `condition` until it returns something true and returns that; `what` completes "waited for ...".

    A connection that is refused or breaks counts as "not yet".
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            raise TimedOut(f"waited {timeout:g} s for {what}; last seen: {str(last)[:2000]}")
        time.sleep(every)
