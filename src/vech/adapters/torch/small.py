"""Many small matrices at once, by the kernels of `vech.linalg`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch.checks import layout_of, plain_of
from vech.adapters.torch.operators import array_of
from vech.arrays import SERIAL_BYTES
from vech.linalg import batches
from vech.linalg.batches import TASKS


def answer(task: str, h: Tensor, layout: str, kind: str, p: float = 0.0, *, target: str = "") -> Any:
    """What a kernel gives, halves in the layout `target`; None where there is none, or it refuses.

    Who asked then computes on full matrices, and says what is wrong.
    """
    n = layout_of(layout).side(h.shape[-1])
    if h.device.type != "cpu" or h.dtype not in (torch.float32, torch.float64):
        return None
    if not 1 <= n <= batches.KERNEL_SIDE or not h.numel():
        return None
    given = layout if layout_of(layout).implied is None else plain_of(layout)
    if target and target != given:
        return None
    options: dict[str, Any] = {"kind": kind, "out": None, "threads": _threads(h)}
    try:
        exponent = (p,) if task == "power" else ()
        found = TASKS[task](array_of(h), *exponent, layout_of(layout), **options)
    except (ValueError, OverflowError):
        return None
    if isinstance(found, tuple):
        return tuple(torch.from_numpy(x) for x in found)
    return torch.from_numpy(found)


def _threads(h: Tensor) -> int:
    return int(torch.get_num_threads()) if h.nbytes >= SERIAL_BYTES else 1
