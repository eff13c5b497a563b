"""Squares where a state_dict should have halves: packed on the way in, if they are symmetric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, is_tensor


def pack_entry(
    entries: dict[str, Any], key: str, half: Tensor, pack: Callable[[Tensor], Tensor], errors: list[str]
) -> None:
    """Put the half in place of a full matrix; of what is none, the error, and what is there already."""
    value: Any = entries.get(key)
    if not is_tensor(value) or value.ndim != half.ndim + 1:
        return
    try:
        entries[key] = pack(value.detach())
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        errors.append(f'"{key}" is no half, and as a full matrix it cannot be packed: {error}')
        entries[key] = half.detach()
