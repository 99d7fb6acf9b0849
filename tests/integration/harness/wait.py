"""Waiting for a thing to become true, bounded."""
import time

from .build import patience


def wait_until(condition, seconds=10, what=None, pause=0.01):
    """Polls until `condition()` is true and returns its value; fails with `what` after a while.

    `what` is a sentence, or a function that makes one.
    """
    end = time.monotonic() + patience(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what or getattr(condition, "__name__", "it")
            raise AssertionError(f"waited {patience(seconds)} s for: {text}")
        time.sleep(pause)


def wait_clear_of_midnight(seconds):
    """Returns when no UTC day ends within so many seconds: for tests that count "today"."""
    left = 86400 - time.time() % 86400
    if left < patience(seconds):
        time.sleep(left + 1)
