"""What a store of tiles says of itself: two `zarr.json`, of the group and of the array of numbers in it."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vech import _core
from vech.arrays import Dtype, native
from vech.io.description import integer
from vech.io.errors import FileFormatError
from vech.io.labels import decode_labels, encode_labels
from vech.layouts.kind import KINDS, Kind
from vech.layouts.layout import one_of
from vech.tiled.grid import Grid, usual_tile

if TYPE_CHECKING:
    from vech.tiled.codes import Codes

GROUP, ARRAY = "zarr.json", "data/zarr.json"
META, VERSION = "vech", 1
GROWING = 2
"""The version of a store whose last tiles wait for their places, which others would read as they were."""

STORE, FACTOR = "tiled", "cholesky"
"""What a group can be: a matrix by its lower triangle, or a triangle by itself."""

COMPRESSIONS = ("none", "zstd")
DTYPES = {
    "bool": "bool",
    **{f"{name}{bits}": f"{name}{bits}" for name in ("int", "uint") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "complex64": "complex64",
    "complex128": "complex128",
}
"""Zarr's names of dtypes, of those that every reader of Zarr knows."""

LARGEST = 1 << 40  # rows: beyond, a file that lies
MOST = 1 << 16  # tiles a side


@dataclass(frozen=True)
class Described:
    """A store of tiles, as its two descriptions say."""

    grid: Grid
    dtype: Dtype
    kind: Kind
    compression: str = "none"
    labels: tuple[Any, ...] | None = None
    made: dict[str, Any] | None = None
    store: str = STORE
    codes: Codes | None = None  # where tiles have few bits a number
    identity: str = ""  # by which one store is told from another that took its place
    next: int | None = None  # the row of tiles of which those that wait for their place are the true ones

    @classmethod
    def of(
        cls,
        n: int,
        dtype: Any,
        kind: Kind,
        *,
        tile: int | None = None,
        labels: tuple[Any, ...] | None = None,
        compression: str | None = None,
        made: Mapping[str, Any] | None = None,
        encoding: Any = None,
        square: int | None = None,
    ) -> Described:
        """A new one, of the usual tile and compression unless told; of a triangular kind, of a factor.

        With an encoding its tiles are codes, in squares of so many rows with a scale each.
        """
        dtype = check_dtype(np.dtype(dtype))
        if compression is None:
            compression = "none" if dtype.kind in "fc" else "zstd"
        one_of("compression", compression, COMPRESSIONS)
        codes = None
        if encoding is not None:
            from vech.tiled.codes import SIDE, Codes

            unit = square or SIDE
            tile = -(-usual_tile(n) // unit) * unit if tile is None else tile
            codes = Codes.of(encoding, square, tile, dtype, kind)
        grid = Grid(n, usual_tile(n) if tile is None else tile)
        if grid.side > MOST:
            raise ValueError(
                f"tiles of {tile} rows are {grid.side} a side, and {MOST} at most: take larger ones"
            )
        store = FACTOR if kind is Kind.TRIANGULAR else STORE
        held = _held(made)
        return cls(grid, dtype, kind, compression, labels, held, store, codes, os.urandom(8).hex())

    def grown(self, n: int, labels: tuple[Any, ...] | None) -> Described:
        """The same with more rows."""
        return replace(self, grid=self.grid._replace(n=n), labels=labels)

    def cut(self, n: int) -> Described:
        """The same with its first rows alone."""
        return self.grown(n, self.labels and self.labels[:n])

    def objects(self) -> dict[str, bytes]:
        """Both descriptions by name, that of the group, which makes it a store, last."""
        about: dict[str, Any] = {
            "version": VERSION,
            "store": self.store,
            "n": self.grid.n,
            "tile": self.grid.tile,
            "kind": str(self.kind),
            "triangle": "lower",
            "id": self.identity,
        }
        if self.codes is not None:
            about |= {"dtype": self.dtype.name, "codes": self.codes.said()}
        if self.made is not None:
            about["made"] = self.made
        if self.next is not None:
            about |= {"version": GROWING, "next": self.next}
        attributes: dict[str, Any] = {META: about}
        if self.labels is not None:
            attributes["labels"] = encode_labels(self.labels)
        about["xxh64"] = _digest(json.loads(json.dumps(attributes)))
        shape, chunks, dtype = (self.grid.n,) * 2, (self.grid.tile,) * 2, self.dtype
        if self.codes is not None:
            side, size = self.grid.side, self.codes.size
            shape, chunks, dtype = (side, side * size), (1, size), np.dtype(np.uint8)
        array = _array_text(shape, chunks, dtype, self.compression)
        return {ARRAY: array, GROUP: _group_text(attributes)}


def _held(made: Any) -> dict[str, Any] | None:
    """What the numbers are made of, where JSON can keep it."""
    if made is None:
        return None
    if not isinstance(made, Mapping) or not all(isinstance(name, str) for name in made):
        raise TypeError(f"made must be a mapping whose keys are text, as in JSON, not {made!r:.80}")
    try:
        json.dumps(held := dict(made))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"made must be what JSON holds, text, numbers, lists and mappings: {error}") from None
    return held


@lru_cache(maxsize=64)
def _array_text(shape: tuple[int, int], chunks: tuple[int, int], dtype: Dtype, compression: str) -> bytes:
    """Zarr's own description of the array of numbers; it takes ten milliseconds to have it."""
    zarr = _zarr()
    from zarr.codecs import BytesCodec, Crc32cCodec, ZstdCodec

    memory: dict[str, Any] = {}
    squeezes = [ZstdCodec(level=1)] if compression == "zstd" else []
    zarr.create_array(
        zarr.storage.MemoryStore(memory),
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=filler(dtype),
        serializer=BytesCodec(endian="little"),
        compressors=[*squeezes, Crc32cCodec()],
        filters=None,
        zarr_format=3,
    )
    text: bytes = memory[GROUP].to_bytes()
    return text


def _group_text(attributes: dict[str, Any]) -> bytes:
    return json.dumps(json.loads(_bare_group()) | {"attributes": attributes}, indent=2).encode()


@lru_cache(maxsize=1)
def _bare_group() -> bytes:
    """Zarr's own description of a group."""
    zarr = _zarr()
    memory: dict[str, Any] = {}
    zarr.create_group(zarr.storage.MemoryStore(memory), zarr_format=3)
    text: bytes = memory[GROUP].to_bytes()
    return text


def _zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise ImportError('stores of tiles need zarr: pip install "vech[tiled]"') from None
    return zarr


def filler(dtype: Dtype) -> Any:
    """What stands where no tile is: NaN, so that it is seen, or zero where there is none."""
    return dtype.type(math.nan) if dtype.kind in "fc" else dtype.type(0)


def check_dtype(dtype: Dtype) -> Dtype:
    """In native order; TypeError for what Zarr has no name for."""
    dtype = native(dtype)
    if dtype.name not in DTYPES:
        raise TypeError(
            f"a store of tiles holds numbers that Zarr knows, not {dtype}: astype(np.float32) first"
        )
    return dtype


def says_tiled(text: bytes) -> bool:
    """Whether a description of a group is that of a store of tiles."""
    try:
        found = json.loads(text, parse_int=str)  # what they are is seen later
        return found["node_type"] == "group" and found["attributes"][META]["store"] in (STORE, FACTOR)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def begun(complete: str = "") -> bytes:
    """What says that a store is being written; and what below it is complete, and is to take its place."""
    return _group_text({META: {"version": VERSION, "store": STORE, "begun": complete}})


def begun_of(text: bytes) -> str | None:
    """What is complete where a description says that; None where it does not."""
    if b'"begun"' not in text or not says_tiled(text):
        return None
    found = json.loads(text, parse_int=str)["attributes"][META].get("begun")
    return None if found is None else str(found)


def open_file(path: str | Path) -> BinaryIO:
    """An ordinary file, for reading; FileNotFoundError for what is none: a pipe is waited for forever."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileNotFoundError(errno.ENOENT, "is no ordinary file", str(path))
    return file


def is_tiled(path: Path) -> bool:
    """Whether a folder is a store of tiles."""
    try:
        with open_file(path / GROUP) as file:
            return says_tiled(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_described(path: Path) -> bool:
    """Whether a folder says that it is a store of vech, of a kind that this version knows or not."""
    try:
        with open_file(path / GROUP) as file:
            found = json.loads(file.read(), parse_int=str)
        return found["node_type"] == "group" and isinstance(found["attributes"][META], dict)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, RecursionError):
        return False


def parse(group: bytes, array: bytes, path: str) -> Described:
    """What both descriptions say; FileFormatError where they are not those of a store that vech reads."""
    try:
        attributes = json.loads(group, parse_int=integer)["attributes"]
        about, found = attributes[META], json.loads(array, parse_int=integer)
        following = about.get("next")
        if about.get("version") != (VERSION if following is None else GROWING):
            raise ValueError(f"is of version {about.get('version')!r}, and vech reads {VERSION}")
        n, tile, kind, store = (about[name] for name in ("n", "tile", "kind", "store"))
        _check_side("n", n, 0)
        _check_side("tile", tile, 1)
        if Grid(n, tile).side > MOST:
            raise ValueError(f"has tiles of {tile} rows for n = {n}, and {MOST} tiles a side at most")
        if store not in (STORE, FACTOR) or about.get("triangle") != "lower" or kind not in KINDS:
            raise ValueError(f"is a store {store!r} of kind {kind!r}, which vech does not know")
        if (store == FACTOR) != (kind == Kind.TRIANGULAR):
            raise ValueError(f"is a store {store!r} of kind {kind!r}, which do not fit")
        dtype, codes = np.dtype(DTYPES[_known(found["data_type"])]), None
        if "codes" in about:
            from vech.tiled.codes import Codes

            dtype = np.dtype(DTYPES[_known(about["dtype"])])
            codes = Codes.parsed(about["codes"], tile, dtype, Kind(kind).of(dtype))
            side = Grid(n, tile).side
            _check_array(found, [side, side * codes.size], [1, codes.size], "objects of codes")
        else:
            _check_array(found, [n, n], [tile, tile], f"numbers in tiles of {tile}")
        labels = attributes.get("labels")
        held = None if labels is None else tuple(decode_labels(labels))
        if held is not None and len(held) != n:
            raise ValueError(f"has {len(held)} labels for {n} rows")
        made = about.get("made")
        if not isinstance(made, dict | None):
            raise ValueError("says what it is made of by no object")  # noqa: TRY004, in a file
        if about.get("xxh64", digest := _digest(attributes)) != digest:
            raise ValueError(
                "is damaged: its description has another digest than it says. Put zarr.json back; where it "
                "was changed on purpose, take its xxh64 out"
            )
        return Described(
            Grid(n, tile),
            dtype,
            Kind(kind).of(dtype),
            _compression(found),
            held,
            made,
            store,
            codes,
            str(about.get("id", "")),
            following,
        )
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileFormatError(str(error) or type(error).__name__, path) from error
    except (LookupError, TypeError, AttributeError) as error:
        raise FileFormatError(f"is no store of tiles that vech reads: {error!r}", path) from error


def _digest(attributes: dict[str, Any]) -> str:
    """Of what a group says, whoever wrote its JSON, but for the digest itself and what others have added."""
    about = {name: said for name, said in attributes[META].items() if name != "xxh64"}
    text = json.dumps([about, attributes.get("labels")], sort_keys=True, separators=(",", ":"))
    return f"{_core.digest(np.frombuffer(text.encode(), np.uint8)):016x}"


def _check_side(name: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= LARGEST:
        raise ValueError(f"has {name} = {value!r}, and an integer of {least} at least fits")


def _check_array(found: dict[str, Any], least: list[int], chunk: list[int], what: str) -> None:
    """Refuse an array whose objects are not tiles as vech reads them."""
    shape, chunks = found["shape"], found["chunk_grid"]
    fits = (
        found["node_type"] == "array"
        and found["zarr_format"] == 3
        and isinstance(shape, list)
        and len(shape) == 2
        and all(type(side) is int and side >= needed for side, needed in zip(shape, least, strict=True))
        and chunks["name"] == "regular"
        and chunks["configuration"]["chunk_shape"] == chunk
        and found["chunk_key_encoding"] in (_KEYS, {"name": "default"})
        and not found.get("storage_transformers")
    )
    if not fits:
        raise ValueError(f"has an array /data that is not the {least[0]} x {least[1]} {what}")


def _known(name: Any) -> str:
    """The name of a dtype; ValueError for another one."""
    if not isinstance(name, str) or name not in DTYPES:
        raise ValueError(f"holds numbers of {name!r:.40}, which vech does not know")
    return name


_KEYS = {"name": "default", "configuration": {"separator": "/"}}


def _compression(found: dict[str, Any]) -> str:
    codecs = [codec["name"] for codec in found["codecs"]]
    little = found["codecs"][0].get("configuration", {}).get("endian", "little") == "little"
    if little:
        for compression, names in (("none", []), ("zstd", ["zstd"])):
            if codecs == ["bytes", *names, "crc32c"]:
                return compression
    raise ValueError(f"has codecs {codecs}, and vech reads bytes in little order, zstd if any, and crc32c")
