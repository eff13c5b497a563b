"""What a half is made of, as JSON: a run that goes on must be of the same numbers and parameters."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from vech import _core
from vech.arrays import Array
from vech.io.dtypes import dtype_name

CHUNK = 2**26
"""Bytes of which a digest is taken at a time, in whole rows."""


def identity(what: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON has them, and digests of data: arrays, blocks of one, or None.

    Beside them the version and the target, of which bits may depend.
    """
    software = {"version": _core.__version__, "target": _core.targets()[-1]}
    found = {**software, **what, **{name: _digest(numbers) for name, numbers in data.items()}}
    return dict(json.loads(json.dumps(found, default=_plain)))


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What differs between two of them, in words; nothing where they are the same."""
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return "; ".join(_difference(name, there.get(name), here.get(name)) for name in names)


def _difference(name: str, was: Any, now: Any) -> str:
    """With both values, but for digests, which tell nobody anything."""
    seen = [_without_digest(value) for value in (was, now)]
    return f"{name}: not the same" if seen[0] == seen[1] else f"{name} was {seen[0]} and is {seen[1]}"


def _without_digest(value: Any) -> str:
    if isinstance(value, str) and (found := re.fullmatch(r"(.*?) ?[0-9a-f]{16}", value, re.DOTALL)):
        return f"{found[1]:.100}" or "given"
    return f"{value!r:.100}"


def digest_of(numbers: bytes | Array) -> str:
    """The digest of bytes, or of a contiguous array."""
    letters = np.frombuffer(numbers, np.uint8) if isinstance(numbers, bytes) else numbers.reshape(-1)
    return f"{_core.digest(letters.view(np.uint8)):016x}"


def _digest(numbers: Any) -> str | None:
    if numbers is None:
        return None
    if not isinstance(numbers, np.ndarray):
        parts = [_digest_of_array(block) for block in numbers]
        return parts[0] if len(parts) == 1 else f"{len(parts)} blocks {digest_of(' '.join(parts).encode())}"
    return _digest_of_array(numbers)


def _digest_of_array(array: Array) -> str:
    """Dtype, shape and digest, whatever the strides."""
    rows = array if array.ndim else array[None]
    height = max(1, CHUNK // max(1, rows[:1].nbytes))
    parts = [
        digest_of(np.ascontiguousarray(rows[start : start + height])) for start in range(0, len(rows), height)
    ]
    whole = parts[0] if len(parts) == 1 else digest_of("".join(parts).encode())
    return f"{dtype_name(array.dtype)} {array.shape} {whole}"


def _plain(other: Any) -> Any:
    """NumPy's numbers as Python's; of all else the digest of what is pickled."""
    if isinstance(other, np.generic):
        return other.item()
    return f"{type(other).__name__} {digest_of(pickle.dumps(other, protocol=5))}"
