"""The description of a half that travels with its numbers: layout, kind, n and dtype, as JSON."""

import json
from collections import Counter
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.io.digests import check_digest
from vech.io.dtypes import as_dtype, check_dtype, dtype_name, remembered
from vech.io.errors import NO_DIGEST, FileFormatError
from vech.io.labels import decode_labels, encode_labels
from vech.layouts.dialects import DIALECTS, as_layout
from vech.layouts.layout import Layout
from vech.packed.packed import Packed
from vech.store import Store

VERSION = 1
LONGEST = 4300
"""Digits of an integer, as many as Python reads unless told otherwise."""

OTHER_NUMBERS = (
    "something else wrote the numbers (np.save leaves their description), or they are damaged; if they are "
    "right, delete the description and say layout= (--layout), or write both with vech.write"
)
LAYOUT_FIELDS = tuple(field.name for field in fields(Layout))


def describe(store: Store, digest: Any = None, made: Any = None, **more: Any) -> str:
    """Describe a store as JSON text: what every description has and `more`, a digest, what it is made of."""
    found = {"vech": VERSION, **more, "kind": store.kind, "n": store.n, "dtype": dtype_name(store.dtype)}
    if store.labels is not None:
        found["labels"] = encode_labels(store.labels)
    if digest is not None:
        found["digest"] = digest
    if made is not None:
        found["made"] = made
    return json.dumps(found, indent=1)


def describe_half(store: Packed, digest: Any = None, made: Any = None) -> str:
    """Describe a half as JSON text."""
    layout = store.layout
    if layout in DIALECTS.values():
        return describe(store, digest, made, layout=layout.name)
    if isinstance(layout, Layout):
        return describe(store, digest, made, layout=asdict(layout))
    raise TypeError(
        f"{layout.name} has no name that a file could say: vech.convert it to a named layout first"
    )


def parse(text: str, path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Read JSON text that has our version, `keys`, perhaps labels, and nothing else."""
    return checked(parse_object(text, path), path, keys)


def parse_object(text: str, path: Path) -> Any:
    """Read JSON text, in which no object has a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_int=integer)
    except json.JSONDecodeError as error:
        raise FileFormatError(f"is not JSON: {error.msg}", path, line=error.lineno) from error
    except (ValueError, RecursionError) as error:  # also of brackets too deep
        raise FileFormatError(f"is no description: {error}", path) from error


def integer(text: str) -> int:
    """An integer of JSON; ValueError in our words where it is longer than Python reads."""
    if (digits := len(text.lstrip("-"))) > LONGEST:
        raise ValueError(f"has an integer of {digits:,} digits, and {LONGEST:,} at most fit")
    return int(text)


def checked(found: Any, path: Path, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Take a description of our version that has `keys`, perhaps labels and what is `optional`, no more."""
    if not isinstance(found, dict) or type(found.get("vech")) is not int or found["vech"] != VERSION:
        version = found.get("vech") if isinstance(found, dict) else found
        raise FileFormatError(f'has "vech": {version!r}, and this version of vech reads {VERSION}', path)
    if wrong := _wrong_keys(found, keys, ("vech", *keys, "labels", *optional)):
        raise FileFormatError(wrong, path)
    if not isinstance(found["kind"], str):
        raise FileFormatError(f"has the kind {found['kind']!r}, and a kind is a name", path)
    if "labels" not in found:
        return found
    try:
        return found | {"labels": decode_labels(found["labels"])}
    except ValueError as error:
        raise FileFormatError(str(error), path) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object of its keys and values."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"says {key!r} twice: leave one out")
    return found


def _wrong_keys(found: dict[str, Any], required: tuple[str, ...], known: tuple[str, ...]) -> str:
    """Say which keys are missing, or which one nobody knows; nothing where all is well."""
    if missing := [key for key in required if key not in found]:
        return f"lacks {', '.join(missing)}"
    unknown = next((key for key in found if key not in known), None)
    return "" if unknown is None else f"has {unknown!r}, which is none of {', '.join(known)}: leave it out"


def described_half(array: Array, found: Any, path: Path, *, verify: bool = False) -> Packed:
    """Make a half of an array and its description, which must agree; a map by a sample, unless `verify`."""
    found = checked(found, path, ("layout", "kind", "n", "dtype"), ("digest", "made"))
    try:
        named = found["layout"]
        if isinstance(named, dict) and (wrong := _wrong_keys(named, LAYOUT_FIELDS, LAYOUT_FIELDS)):
            raise ValueError(f"its layout {wrong}")
        layout = Layout(**named) if isinstance(named, dict) else as_layout(named)
        dtype = as_dtype(found["dtype"])
        length = layout.length(found["n"])
    except (TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(f"describes no half: {error}", path) from error
    array = remembered(array, dtype, path)
    check_dtype(array.dtype, path)
    if array.dtype != dtype:
        raise _other(f"says dtype {dtype_name(dtype)}, and the array has {dtype_name(array.dtype)}", path)
    if array.shape != (length,):
        raise _other(
            f"says n={found['n']}, so an array of shape ({length},), and the array has shape {array.shape}",
            path,
        )
    if verify and "digest" not in found:
        raise FileFormatError(NO_DIGEST, path)
    if "digest" in found:
        try:
            check_digest(array, found["digest"], whole=verify or not isinstance(array, np.memmap))
        except ValueError as error:
            raise _other(str(error), path) from error
    try:
        return Packed(array, layout, kind=found["kind"], labels=found.get("labels"))
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"describes no half: {error}", path) from error


def _other(text: str, path: Path) -> FileFormatError:
    """Say that a description is that of another array, and what to do where it is a file of its own."""
    return FileFormatError(f"{text}: {OTHER_NUMBERS}" if path.suffix == ".json" else text, path)
