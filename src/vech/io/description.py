"""The description of a half that travels with its numbers: layout, kind, n and dtype, as JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.io.dtypes import as_dtype, check_dtype, dtype_name, remembered
from vech.io.files import FileFormatError
from vech.layout import DIALECTS, Layout, as_layout
from vech.packed import Packed
from vech.store import Store

VERSION = 1


def describe(store: Store, **more: Any) -> str:
    """Describe a store as JSON text: what every description has, and `more`."""
    fields = {"vech": VERSION, **more, "kind": store.kind, "n": store.n, "dtype": dtype_name(store.dtype)}
    if store.labels is not None:
        labels = [label.item() if isinstance(label, np.generic) else label for label in store.labels]
        wrong = next((label for label in labels if not isinstance(label, str | int | float | None)), None)
        if wrong is not None:
            raise TypeError(
                f"a label is {type(wrong).__name__}, and files keep text and numbers: use str(label)"
            )
        fields["labels"] = labels
    return json.dumps(fields, indent=1)


def describe_half(store: Packed) -> str:
    """Describe a half as JSON text."""
    layout = store.layout
    return describe(store, layout=layout.name if layout in DIALECTS.values() else asdict(layout))


def parse(text: str, path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Read JSON text that must have `keys` and our version."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileFormatError(f"is not JSON: {error.msg}", path, line=error.lineno) from error
    except (ValueError, RecursionError) as error:  # an integer too long, or brackets too deep
        raise FileFormatError(f"is no description: {error}", path) from error
    if not isinstance(fields, dict) or fields.get("vech") != VERSION:
        found = fields.get("vech") if isinstance(fields, dict) else fields
        raise FileFormatError(f'has "vech": {found!r}, and this version of vech reads {VERSION}', path)
    missing = [key for key in keys if key not in fields]
    if missing:
        raise FileFormatError(f"lacks {', '.join(missing)}", path)
    return fields


def described_half(array: Array, text: str, path: Path) -> Packed:
    """Make a half of an array and its description, which must agree."""
    fields = parse(text, path, ("layout", "kind", "n", "dtype"))
    try:
        named = fields["layout"]
        layout = Layout(**named) if isinstance(named, dict) else as_layout(named)
        dtype = as_dtype(fields["dtype"])
        length = layout.length(fields["n"])
    except (TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(f"describes no half: {error}", path) from error
    array = remembered(array, dtype, path)
    check_dtype(array.dtype, path)
    if array.dtype != dtype:
        raise FileFormatError(
            f"says dtype {dtype_name(dtype)}, and the array has {dtype_name(array.dtype)}", path
        )
    if array.shape != (length,):
        raise FileFormatError(
            f"says n={fields['n']}, so an array of shape ({length},), and the array has shape {array.shape}",
            path,
        )
    try:
        return Packed(array, layout, kind=fields["kind"], labels=fields.get("labels"))
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"describes no half: {error}", path) from error
