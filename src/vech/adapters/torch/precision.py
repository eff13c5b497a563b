"""In which numbers sums are: wider than those they are of, where these are short, and not in autocast's."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

NARROW = (torch.float16, torch.bfloat16)


def wide(x: Tensor) -> Tensor:
    """The same numbers in a dtype that sums can be trusted in."""
    return x.float() if x.dtype in NARROW else x


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """The dtype in which autocast would multiply x; None where it would leave x as it is."""
    device = x.device.type
    if not x.is_floating_point() or x.dtype == torch.float64:
        return None
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)


def as_it_is(x: Tensor) -> AbstractContextManager[object]:
    """Where autocast leaves x as it is."""
    return nullcontext() if autocast_dtype(x) is None else torch.autocast(x.device.type, enabled=False)
