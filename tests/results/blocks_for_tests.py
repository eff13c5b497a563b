"""Block functions that other processes can import."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Inner:
    """Inner products of rows: a complex X gives a Hermitian matrix."""

    X: np.ndarray
    factor: float = 1.0

    def __call__(self, rows, columns):
        return self.factor * (self.X[rows] @ self.X[columns].conj().T)


@dataclass(frozen=True)
class Slow:
    """The same, a while later, and never when the time is negative."""

    X: np.ndarray
    seconds: float

    def __call__(self, rows, columns):
        time.sleep(self.seconds)
        return Inner(self.X)(rows, columns)


@dataclass(frozen=True)
class Deadly:
    """The same, but a process that finds the file takes it away and is killed."""

    X: np.ndarray
    file: Path

    def __call__(self, rows, columns):
        if self.file.exists() and rows.start >= 8:
            self.file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return Inner(self.X)(rows, columns)


def told_to_stop(monkeypatch, name):
    """What is set once threads are told to stop, which the event of this name tells them."""
    told = threading.Event()

    class Telling(threading.Event):
        def set(self):
            super().set()
            told.set()

    monkeypatch.setattr(name, Telling)
    return told


@dataclass(frozen=True)
class Failing:
    """The same, but for some rows."""

    X: np.ndarray

    def __call__(self, rows, columns):
        if rows.start == 8:
            raise ZeroDivisionError(f"rows {rows.start} to {rows.stop}")
        return Inner(self.X)(rows, columns)
