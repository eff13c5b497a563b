"""Dtypes in files: their names, and those that np.save forgets."""

import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array, extension, family
from vech.io.errors import FileFormatError, untaken

SMALL = ("bfloat", "float4", "float6", "float8", "int2", "int4", "uint2", "uint4")
"""How names of ml_dtypes begin, which NumPy knows only once it is imported."""

_UNIT = r"(?:\[\d{0,9}(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as|generic)\])?"
TAKEN = re.compile(
    r"[<>=|]?(?:[?bhilqBHILQefdFD]|b1|[iu][1248]|f[248]|c8|c16|V[1-9]\d?)"
    r"|bool_?|u?int(?:8|16|32|64|p)?|float(?:16|32|64)?|half|single|double|complex(?:64|128)?"
    rf"|(?:[<>=|]?[mM]8|datetime64|timedelta64){_UNIT}",
    re.ASCII,
)
"""Texts that are asked of NumPy, whose own reader of dtypes takes lists of fields, shapes and more."""

REFUSED = re.compile(
    r"[<>=|]?(?:[gGO]|f1[26]|c24|c32|V0|O[48]|[SU]\d{1,9})|object|str|bytes|longdouble|float128|(?:\w{1,4},){1,4}\w{1,4}",
    re.ASCII,
)
"""What it knows and vech refuses, with a reason."""


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Name a dtype with its byte order; those of ml_dtypes, which NumPy cannot find again, by name."""
    return str(dtype.name if extension(dtype) else dtype.str)


def forgettable(array: Array) -> Array:
    """View numbers of ml_dtypes as bare bytes: for some, np.save makes files that np.load cannot read."""
    return array.view(f"V{array.itemsize}") if extension(array.dtype) else array


def as_dtype(name: Any) -> np.dtype[Any]:
    """Turn what `dtype=` may be, names of ml_dtypes included, into a dtype."""
    known = not isinstance(name, list | dict | tuple | None)
    if isinstance(name, str):
        small = name.startswith(SMALL) and name.isidentifier()
        if small:
            with suppress(ImportError):
                import_module("ml_dtypes")  # which tells NumPy its names
        known = small or TAKEN.fullmatch(name) is not None or REFUSED.fullmatch(name) is not None
    try:
        if not known:
            raise TypeError
        dtype: np.dtype[Any] = np.dtype(name)
    except (TypeError, ValueError):
        shown = name if not isinstance(name, str) or len(name) <= 40 else name[:40] + "..."
        message = f"dtype={shown!r} is no dtype: say 'float64', '>f4', 'int8' or, with ml_dtypes, 'bfloat16'"
        raise TypeError(message) from None
    return dtype


def check_dtype(dtype: np.dtype[Any], path: Path) -> None:
    """Refuse what is not numbers that vech takes."""
    try:
        family(dtype)
    except TypeError as error:
        raise FileFormatError(untaken(error, dtype), path) from error


def remembered(array: Array, dtype: np.dtype[Any] | None, path: Path) -> Array:
    """Give an array whose dtype np.save forgot, one of ml_dtypes, the dtype that somebody names."""
    found = array.dtype
    if found.type is not np.void or found.names is not None:
        return array
    if dtype is None or dtype.itemsize != found.itemsize:
        raise FileFormatError(
            f"holds numbers of {found.itemsize} bytes whose dtype np.save forgot: "
            "say dtype='bfloat16' or another name of ml_dtypes",
            path,
        )
    return array.view(dtype)
