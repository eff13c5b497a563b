"""Arguments that several functions of clusters take, checked."""

import math
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.layouts.layout import as_integer
from vech.neighbors.arguments import as_real


def at_least(least: int, value: Any, name: str) -> int:
    """An integer of this size or more."""
    found = as_integer(name, value)
    if found < least:
        raise ValueError(f"{name} is {found}, and must be at least {least}")
    return found


def number(value: Any, name: str, task: str) -> float:
    """A distance to compare with, as a plain number."""
    found = float(as_real(value, name))
    if math.isnan(found) or found < 0:
        raise ValueError(f"{name} is {found}: {task} takes a distance, zero or more")
    return found


def check_sums(sums: Array, task: str) -> None:
    """OverflowError where distances are too large to be added up."""
    if not np.isfinite(sums).all():
        raise OverflowError(
            f"{task} adds up distances, and these sums are infinite: scale S first, such as S * 2.0**-100; "
            f"float32 also takes S.astype(float)"
        )
