"""Time and memory of candidates side by side, and the limits they are held against."""

import functools
import itertools
import math
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import Candidates

ROUNDS = 7  # at least
CASE_SECONDS = 1.2  # rounds go on until then
FEW_ROUNDS, LONG_SECONDS = 3, 8  # are enough where they take longer than that
CALL_SECONDS = 0.004  # a candidate that is faster is called several times a round
SLOW_SECONDS = 10  # a candidate that takes longer is called once
PAGE = 4096


def seconds(candidates: Candidates, *, quick: bool = False) -> dict[str, float]:
    """The fastest round of each candidate; they take turns, so that what disturbs one disturbs all."""
    calls = {name: call for name, call in candidates.items() if call is not None}
    if quick:
        return {name: _once(call, 1) for name, call in calls.items()}
    repeats: dict[str, int] = {}
    slow: dict[str, float] = {}
    for name, call in calls.items():
        first = _once(call, 1)  # warms caches, memory and compilers
        if first > SLOW_SECONDS:
            slow[name] = first
            continue
        again = first if first > 1 else _once(call, 1)
        repeats[name] = math.ceil(CALL_SECONDS / again)
    best = dict.fromkeys(repeats, math.inf)
    start = perf_counter()
    for count in itertools.count(1):
        for name, repeat in repeats.items():
            if repeat > 1:  # what the one before gave back to the system is not taken anew on this one's time
                calls[name]()
            best[name] = min(best[name], _once(calls[name], repeat) / repeat)
        passed = perf_counter() - start
        if (count >= ROUNDS and passed > CASE_SECONDS) or (count >= FEW_ROUNDS and passed > LONG_SECONDS):
            return best | slow


def _once(call: Callable[[], object], repeats: int) -> float:
    start = perf_counter()
    for _ in itertools.repeat(None, repeats):
        result = call()
    end = perf_counter()
    del result  # giving memory back is not timed
    return end - start


def peaks(candidates: Candidates, *, quick: bool = False) -> dict[str, float]:
    """The bytes by which each candidate raises resident memory at its peak; none but on Linux."""
    figures = {}
    for name, call in candidates.items():
        if call is None:
            continue
        call()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is resident now
        except OSError:
            return {}
        before = _status("VmRSS")
        call()
        figures[name] = float(max(_status("VmHWM") - before, PAGE))
    return figures


def sizes(candidates: Mapping[str, Callable[[], int] | None], *, quick: bool = False) -> dict[str, float]:
    """The bytes that each candidate says."""
    return {name: float(call()) for name, call in candidates.items() if call is not None}


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


READS: dict[str, Callable[[NDArray[np.uint64]], object]] = {
    "np.add.reduce(u8)": np.add.reduce,
    "np.bitwise_or.reduce(u8)": np.bitwise_or.reduce,
    "np.bitwise_xor.reduce(u8)": np.bitwise_xor.reduce,
    "np.maximum.reduce(f8)": lambda words: np.maximum.reduce(words.view("f8")),
    "np.dot(f8, f8)": lambda words: np.dot(words.view("f8"), words.view("f8")),
}


@functools.cache
def fastest_read() -> str:
    """Which of NumPy's reductions reads memory fastest here."""
    words = np.arange(2**23, dtype=np.uint64)
    times = seconds({name: functools.partial(read, words) for name, read in READS.items()})
    return min(times, key=times.__getitem__)


def plain_read(array: NDArray[np.generic]) -> Callable[[], object]:
    """One pass over the memory of an array, whatever its dtype, by the fastest read."""
    whole = array.nbytes // 8 * 8
    words = array.view(np.uint8)[:whole].view(np.uint64)
    return functools.partial(READS[fastest_read()], words)


def numbers(length: int, dtype: str) -> NDArray[np.generic]:
    """Numbers none of which is zero."""
    period = np.random.default_rng(0).integers(1, 100, 65_537)
    values = period + 1j * period[::-1] if dtype.startswith("complex") else period
    return np.resize(values.astype(dtype), length)


def sparse_numbers(length: int, dtype: str, density: float) -> NDArray[np.generic]:
    """Numbers of which about this share, anywhere, is not zero."""
    rng = np.random.default_rng(0)
    half = np.zeros(length, dtype)
    half[rng.random(length, np.float32) < density] = 1.5
    half[length // 2] = 1.5
    return half


MAKERS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}


def family() -> str:
    """Whose processor this is, and so beside which others a run is shown."""
    return MAKERS.get(_told("vendor_id"), platform.machine())


def processor() -> str:
    """The name of the processor and how many of its cores are ours."""
    name = _told("model name") or "unknown"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    which = f" (family {kin}, model {_told('model')})" if (kin := _told("cpu family")) else ""
    return f"{name}{which}, {cores} cores"


def _told(what: str) -> str:
    """What the system tells of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (fact.strip() for name, _, fact in (line.partition(":") for line in lines) if name.strip() == what),
        "",
    )
