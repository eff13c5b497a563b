"""One changed file after another, until a count or a time; what vech takes badly is kept."""

import time
from pathlib import Path

from .changes import changed
from .children import Children
from .corpus import corpus


def search(
    seed: int, folder: Path, *, count: int | None = None, seconds: float | None = None, first: int = 0
):
    """Judge changed files; returns how many there were, and what was found, each with where its bytes are."""
    samples, found, k = corpus(), [], first
    began = time.monotonic()
    with Children() as children:
        for sample in samples:
            if fault := children.judge(sample):
                found.append(f"the sample {sample.name} itself: {fault}")
        while k - first != count and (seconds is None or time.monotonic() - began < seconds):
            sample = changed(samples, f"{seed}-{k}")
            if fault := children.judge(sample):
                folder.mkdir(parents=True, exist_ok=True)
                kept = folder / f"{seed}-{k}-{sample.name}"
                kept.write_bytes(sample.data)
                if sample.beside is not None:
                    kept.with_name(kept.name + ".json").write_bytes(sample.beside)
                found.append(f"{kept}: {fault}")
            k += 1
    return k - first, found
