"""Wait for a condition with a limit, and say well what did not happen."""

import time


class TooLate(AssertionError):
    """What was waited for did not happen in time."""


def wait_for(condition, seconds, what, every=0.05, explain=None):
    """Call `condition` until it returns something true; returns that.

    An exception raised by `condition` counts as "not yet" and is shown when the
    limit passes, except AssertionError subclasses meant to end the wait: raise
    Abandon for those. `explain` is called for more text when it is too late.
    """
    started = time.monotonic()
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except Abandon:
            raise
        except Exception as error:  # a server that is down, a file not there yet
            last = f"{type(error).__name__}: {error}".strip()
        if time.monotonic() - started >= seconds:
            break
        time.sleep(every)
    text = f"{what}: not within {seconds:g} s; last seen: {last!r}"
    if explain is not None:
        text += "\n" + explain()
    raise TooLate(text)


class Abandon(AssertionError):
    """Raised inside a condition when waiting longer makes no sense."""
