"""Tasks that other processes can import."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def square(k):
    """It times itself."""
    return k * k


def one_of(X, k):
    """A number of X."""
    return float(X.reshape(-1)[k])


def noted(folder, k):
    """It, once it is noted that it was begun."""
    Path(folder, f"{k}-{time.monotonic_ns()}").touch()
    time.sleep(0.05)
    return k, os.getpid()


def numbers(k):
    """A megabyte."""
    return np.full(2**17, float(k))


def slow(k):
    """It, after a while."""
    time.sleep(0.02)
    return k


def failing(k):
    """It, but for 3."""
    if k == 3:
        raise ZeroDivisionError("of task 3")
    return slow(k)


def deadly(k):
    """Never."""
    os.kill(os.getpid(), signal.SIGKILL)


class Counted:
    """A function that counts how often it is sent."""

    sent = 0

    def __init__(self, X):
        self.X = X

    def __reduce__(self):
        Counted.sent += 1
        return Counted, (self.X,)

    def __call__(self, k):
        return float(self.X[k])
