"""Arrays of other libraries that have no labels, and arrays in files: their numbers as NumPy has them.

By DLPack where it is spoken, without a copy; else by ``x[...]`` of a dataset, or ``__array__``. None of these
libraries is imported.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# of DLPack's devices: the processor's own memory, and what CUDA and ROCm pin or manage in it
HOST = (1, 3, 11, 13)
REFUSALS = (TypeError, ValueError, RuntimeError, BufferError, AttributeError, NotImplementedError)
WAYS = {"torch": "x.cpu()", "jax": "jax.device_get(x)", "cupy": "cupy.asnumpy(x)"}
BLOCK_BYTES = 2**26  # of a dataset read together


def is_foreign(x: Any) -> bool:
    """Whether another library says that this is an array."""
    return not isinstance(x, np.generic) and (hasattr(type(x), "__dlpack__") or hasattr(type(x), "__array__"))


def is_dataset(x: Any) -> bool:
    """Whether the numbers are in chunks elsewhere: h5py, zarr, dask, and xarray's over these."""
    if isinstance(x, np.ndarray) or not hasattr(type(x), "chunks"):
        return False
    shape = shape_of(x)
    known = shape is not None and all(isinstance(side, int) for side in shape)  # dask may not know its rows
    return known and (x.chunks is not None or not hasattr(type(x), "dims"))


def shape_of(x: Any) -> tuple[Any, ...] | None:
    """The shape of an array that has one: not of a dataset of a closed file, nor of an empty one of HDF5."""
    with contextlib.suppress(*REFUSALS):
        return x.shape if isinstance(x.shape, tuple) else None
    return None


def size_in_bytes(x: Any) -> int:
    """Bytes of an array that says what it holds, 0 of another."""
    shape = shape_of(x)
    size = 0 if shape is None else getattr(getattr(x, "dtype", None), "itemsize", 0)
    return math.prod(shape) * size if shape and isinstance(size, int) else 0


def block_height(x: Any) -> int:
    """How many rows of a dataset are read together: 64 MiB of them, in whole chunks where these fit."""
    height = max(1, BLOCK_BYTES // max(1, size_in_bytes(x) // max(1, int(x.shape[0]))))
    rows = x.chunks[0] if x.chunks else 1
    rows = int(max(rows) if isinstance(rows, tuple) else rows)
    return height // rows * rows if 0 < rows <= height else height


def numbers_of(x: Any, what: str) -> Array:
    """The array itself where it can be, else a copy; TypeError for memory of a device, and for no array."""
    name = f"{type(x).__module__}.{type(x).__name__}"
    device = None
    with contextlib.suppress(*REFUSALS):
        device = x.__dlpack_device__()
    if device is not None and device[0] not in HOST:
        way = WAYS.get(name.partition(".")[0].removesuffix("lib"), "a copy in the memory of the processor")
        raise TypeError(
            f"{what} is a {name} on {getattr(x, 'device', device)}, and vech computes on the processor: "
            f"pass {way}"
        )
    if device is not None:
        with contextlib.suppress(*REFUSALS):
            return np.from_dlpack(x)
    try:
        if device is None and hasattr(type(x), "shape") and hasattr(type(x), "__getitem__"):
            found = x[...]
            if isinstance(found, np.ndarray):
                return found
        return np.asarray(x)
    except REFUSALS as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        way = ": x.float() first" if "ScalarType" in reason else ""
        raise TypeError(f"{what} must be a NumPy array, not {name}: {reason}{way}") from error
