"""Search on, or for some seconds: `python -m tests.fuzz [--seed 1] [--seconds 600] [--out fuzz-found]`."""

import argparse
import itertools
import time
from pathlib import Path

from .search import search

STEP = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"))
    given = parser.parse_args()
    began, total, bad = time.monotonic(), 0, 0
    for first in itertools.count(0, STEP):
        left = given.seconds - (time.monotonic() - began)
        if left <= 0:
            break
        count, found = search(given.seed, given.out, count=STEP, seconds=left, first=first)
        total, bad = total + count, bad + len(found)
        for fault in found:
            print(fault, flush=True)
        print(f"seed {given.seed}: {total} files, {bad} faults, {time.monotonic() - began:.0f} s", flush=True)
    raise SystemExit(bad > 0)


if __name__ == "__main__":
    main()
