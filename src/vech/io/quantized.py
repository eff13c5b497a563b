"""A quantized half as arrays by name with a description, and back: what a `.npz` holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vech.arrays import Array, native
from vech.io.arrays import Header
from vech.io.description import describe, parse
from vech.io.dtypes import as_dtype
from vech.io.errors import FileFormatError, naming
from vech.layouts.layout import as_side
from vech.quantized import QuantizationError, Quantized
from vech.quantized.encodings import COUNT, as_encoding
from vech.quantized.parts import as_tile, code_bytes, tiles_a_side, tiles_in_all

FLOATS = ("diagonal", "scales", "zeros", "sides")
ERRORS = ("error", "coarse_error")
NORMS = ("frobenius", "max", "spectral_bound")


def arrays_of(store: Quantized) -> dict[str, Array]:
    """Codes, scales, the diagonal and the certificate, and the description of all of them."""
    parts = store.to_parts()
    held = {name: parts[name] for name in ("codes", *FLOATS, "levels")}
    for name in ERRORS:
        if (error := parts[name]) is not None:
            norms = [getattr(error, norm) for norm in NORMS]
            held[name] = np.array([*norms, *(error.factors or ())])
            held[f"{name}_tiles"] = error.tiles[np.tril_indices(store.grid)]
    text = describe(store, encoding=store.encoding, domain=store.domain, tile=store.tile)
    found = {f"vech_{name}": array for name, array in held.items() if array is not None}
    return found | {"vech_meta": np.asarray(text)}


class Arrays(Protocol):
    """Arrays by name, each of which is unpacked when it is asked for."""

    members: dict[str, Any]

    def header(self, name: str) -> Header: ...

    def __getitem__(self, name: str) -> Array: ...


def read(text: str, arrays: Arrays, path: Path) -> Quantized:
    """The store of its arrays, whose sizes are judged by the description before any is unpacked."""
    fields = parse(text, path, ("encoding", "domain", "tile", "kind", "n", "dtype"))
    with naming(path):
        wanted = _wanted(fields)
    for name in ("codes", "diagonal", "scales"):
        if f"vech_{name}" not in arrays.members:
            raise FileFormatError(f"lacks vech_{name}", path)
    found: dict[str, Array] = {}
    for name, (dtype, lengths) in wanted.items():
        if f"vech_{name}" not in arrays.members:
            continue
        header = arrays.header(f"vech_{name}")
        if native(header.dtype) != native(dtype) or header.shape not in [(length,) for length in lengths]:
            raise FileFormatError(
                f"has vech_{name} of dtype {header.dtype} and shape {header.shape}, and "
                f"{fields['encoding']} of n={fields['n']:,} in tiles of {fields['tile']} needs {dtype} and "
                f"({lengths[0]:,},)",
                path,
            )
        array = arrays[f"vech_{name}"]
        found[name] = array.astype(native(array.dtype), copy=False)
    held: dict[str, Any] = {name: found.get(name) for name in ("codes", *FLOATS, "levels")}
    held |= {name: fields[name] for name in ("n", "encoding", "tile", "kind", "domain")}
    held |= {name: _error(found, name, fields, path) for name in ERRORS}
    try:
        return Quantized.from_parts(**held, labels=fields.get("labels"))
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"describes no quantized half: {error}", path) from error


def _wanted(fields: Mapping[str, Any]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """The dtype of each array, and the lengths that it may have."""
    if not isinstance(fields["encoding"], str) or not isinstance(fields["domain"], str):
        said = f"says encoding {fields['encoding']!r:.40} and domain {fields['domain']!r:.40}"
        raise ValueError(f"{said}: both are names")  # noqa: TRY004, in a file
    try:
        encoding, dtype = as_encoding(fields["encoding"]), as_dtype(fields["dtype"])
        n, tile = as_side(fields["n"]), as_tile(fields["tile"])
    except TypeError as error:
        raise ValueError(str(error)) from error
    tiles, double = tiles_in_all(n, tile), np.dtype("<f8")
    one = {"error": (double, (len(NORMS), len(NORMS) + 2)), "error_tiles": (double, (tiles,))}
    return {
        "codes": (np.dtype(np.uint8), (code_bytes(n, tile, encoding),)),
        "diagonal": (dtype, (n,)),
        "scales": (dtype, (tiles,)),
        "zeros": (dtype, (tiles,)),
        "sides": (dtype, (n,)),
        "levels": (double, (COUNT,)),
        **one,
        **{f"coarse_{name}": wanted for name, wanted in one.items()},
    }


def _error(
    found: Mapping[str, Array], name: str, fields: Mapping[str, Any], path: Path
) -> QuantizationError | None:
    """The certificate, of numbers that can be one."""
    norms, tiles = found.get(name), found.get(f"{name}_tiles")
    if norms is None and tiles is None:
        return None
    if norms is None or tiles is None:
        missing = f"{name}_tiles" if tiles is None else name
        raise FileFormatError(f"lacks vech_{missing}, and a certificate has both", path)
    for key, numbers in ((name, norms), (f"{name}_tiles", tiles)):
        if not (numbers >= 0).all():
            wrong = numbers[~(numbers >= 0)][0]
            raise FileFormatError(f"has {wrong} in vech_{key}, and errors are 0 or more", path)
    grid = tiles_a_side(fields["n"], fields["tile"])
    square = np.zeros((grid, grid))
    square[np.tril_indices(grid)] = tiles
    frobenius, largest, bound, *rest = norms.tolist()
    factors = (rest[0], rest[1]) if rest else None
    return QuantizationError(frobenius, largest, bound, square, factors)
