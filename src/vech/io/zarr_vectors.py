"""Vectors of Zarr's format 2 in a folder or a .zip file, as programs with zarr 2 read and write them.

zarr 3 and those programs do not go into one environment, so this needs numcodecs alone:
https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html
"""

from __future__ import annotations

import errno
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vech.arrays import Array, Dtype, check_memory, native
from vech.io.description import parse_object
from vech.io.errors import FileFormatError, reading

GROUP, ATTRIBUTES, ARRAY = ".zgroup", ".zattrs", ".zarray"
TEXTS = [{"id": "vlen-utf8"}]
"""The filters of a vector of texts."""

BLOSC = {"id": "blosc", "cname": "zstd", "clevel": 7, "shuffle": 1, "blocksize": 0}
HEAD = struct.Struct("<4xI4xI")
"""Of what Blosc packed: bytes when unpacked, and as it is; C-Blosc's README_CHUNK_FORMAT.rst."""

NUMBERS, TEXT = re.compile(r"[<>|]([iu][1248]|f[48])"), re.compile(r"\|O")
LENGTH = struct.Struct("<I")
LONGEST = 1 << 48  # numbers: beyond, a file that lies


class _Objects(Protocol):
    """Bytes by name."""

    def get(self, name: str) -> bytes | None: ...

    def names(self) -> list[str]: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path, self.root = path, path.resolve()

    def get(self, name: str) -> bytes | None:
        if not (file := self.path / name).is_file():
            return None
        if not file.resolve().is_relative_to(self.root):
            raise FileFormatError(f"has {name}, which leads out of it", self.path)
        return file.read_bytes()

    def names(self) -> list[str]:
        return [file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file()]


class _Archive:
    """Members that are stored as they are, as zarr's ZipStore keeps them; of one name the last counts."""

    def __init__(self, path: Path, inside: str) -> None:
        self.path, self.archive = path, zipfile.ZipFile(path)
        members = {member.filename: member for member in self.archive.infolist()}
        begins = [name.removesuffix(inside) for name in members if f"/{name}".endswith(f"/{inside}")]
        begin = begins[0] if len(begins) == 1 else ""
        self.members = {
            name.removeprefix(begin): member for name, member in members.items() if name.startswith(begin)
        }

    def get(self, name: str) -> bytes | None:
        if (member := self.members.get(name)) is None:
            return None
        if member.flag_bits & 1 or member.compress_type != zipfile.ZIP_STORED:
            raise FileFormatError(f"has {name} packed or encrypted: members that are stored fit", self.path)
        if member.file_size > self.path.stat().st_size:
            raise FileFormatError(f"has {name} of {member.file_size:,} bytes, which cannot be", self.path)
        with reading(self.path, f"{name} is damaged"):
            return self.archive.read(member)

    def names(self) -> list[str]:
        return list(self.members)


class Vectors:
    """The vectors of a store by name, each judged before it is believed.

    Parameters
    ----------
    path : Path
        A folder or a .zip file.
    inside : str
        A vector that it must have. In a .zip file the store may lie in a folder.
    """

    def __init__(self, path: Path, inside: str) -> None:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "no such file or directory", str(path))
        self.path = path
        with reading(path, "is no .zip file that vech reads"):
            self.objects: _Objects = _Folder(path) if path.is_dir() else _Archive(path, f"{inside}/{ARRAY}")
        if inside not in self:
            raise FileFormatError(f"has no vector {inside} of Zarr's format 2", path)

    def __contains__(self, name: str) -> bool:
        return self.objects.get(f"{name}/{ARRAY}") is not None

    def __getitem__(self, name: str) -> Vector:
        return Vector(self, name, self.parsed(f"{name}/{ARRAY}"))

    def under(self, folder: str) -> list[str]:
        """The names of the vectors in a folder."""
        found = re.compile(rf"{re.escape(folder)}/(\w+)/{re.escape(ARRAY)}").fullmatch
        return sorted(match[1] for name in self.objects.names() if (match := found(name)))

    def attributes(self) -> dict[str, Any]:
        """What is said of the whole."""
        if self.objects.get(ATTRIBUTES) is None:
            return {}
        found = self.parsed(ATTRIBUTES)
        if not isinstance(found, dict):
            raise FileFormatError(f"has {ATTRIBUTES} that are no object of JSON", self.path)
        return found

    def parsed(self, name: str) -> Any:
        """An object of JSON."""
        return parse_object(self.bytes(name).decode(errors="replace"), self.path)

    def bytes(self, name: str) -> bytes:
        """What an object holds."""
        if (found := self.objects.get(name)) is None:
            raise FileFormatError(f"lacks {name}", self.path)
        return found


class Vector:
    """Numbers or texts in chunks of one length, of which the last is filled up.

    Attributes
    ----------
    length : int
    dtype : numpy.dtype
        As they lie in the file; of texts, object.
    """

    def __init__(self, vectors: Vectors, name: str, header: Any) -> None:
        self.vectors, self.name = vectors, name
        header = header if isinstance(header, dict) else {}
        dtype, filters, packing = (header.get(key) for key in ("dtype", "filters", "compressor"))
        fitting = TEXT if filters == TEXTS else NUMBERS
        if not isinstance(dtype, str) or not fitting.fullmatch(dtype) or (filters and fitting is NUMBERS):
            raise self._fault(f"holds {dtype!r:.40}: integers, float32, float64 and texts fit")
        self.dtype = np.dtype(dtype)
        self.length, self.chunk = self._side(header, "shape", 0), self._side(header, "chunks", 1)
        self.packed = isinstance(packing, dict) and packing.get("id") == "blosc"
        if header.get("zarr_format") != 2 or self.packed == (packing is None):
            raise self._fault("is no vector of Zarr's format 2, packed by Blosc or not at all")

    def _side(self, header: dict[str, Any], key: str, least: int) -> int:
        found = header.get(key)
        if not isinstance(found, list) or [*map(type, found)] != [int] or not least <= found[0] <= LONGEST:
            raise self._fault(f"has {key} {found!r:.40}, and one length fits")
        return int(found[0])

    def _fault(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.name} {text}", self.vectors.path)

    def read(self, start: int = 0, stop: int | None = None) -> Array:
        """The numbers from one place to another, in native order."""
        stop, chunk = self.length if stop is None else stop, self.chunk
        check_memory((stop - start) * self.dtype.itemsize, "no half of it fits either")
        out = np.empty(stop - start, native(self.dtype))
        for k in range(start // chunk, -(-stop // chunk) if stop > start else 0):
            numbers = np.frombuffer(self._unpacked(k, chunk * self.dtype.itemsize), self.dtype)
            first, last = max(start, k * chunk), min(stop, (k + 1) * chunk)
            out[first - start : last - start] = numbers[first - k * chunk : last - k * chunk]
        return out

    def texts(self) -> list[str]:
        """All texts."""
        found: list[str] = []
        for k in range(-(-self.length // self.chunk)):
            found += self._texts(self._unpacked(k))
        if len(found) < self.length:
            raise self._fault(f"holds {len(found):,} texts, and {self.length:,} are needed")
        return found[: self.length]

    def _texts(self, data: bytes) -> Iterator[str]:
        """The texts of a chunk: how many, then the bytes of each, and these."""
        at = LENGTH.size
        try:
            for _ in range(*LENGTH.unpack_from(data)):
                (size,) = LENGTH.unpack_from(data, at)
                at += LENGTH.size + size
                if at > len(data):
                    raise self._fault("is cut")
                yield data[at - size : at].decode()
        except struct.error:
            raise self._fault("is cut") from None
        except UnicodeDecodeError:
            raise self._fault("holds what is no text in UTF-8") from None

    def _unpacked(self, k: int, wanted: int | None = None) -> bytes:
        """A chunk, of `wanted` bytes where that is known."""
        name, path = f"{self.name}/{k}", self.vectors.path
        data = self.vectors.bytes(name)
        size, packed = len(data), len(data)
        if self.packed:
            size, packed = HEAD.unpack_from(data) if len(data) >= HEAD.size else (0, -1)
        if packed != len(data) or wanted not in (None, size):
            needed = "" if wanted is None else f", and {wanted:,} are needed"
            raise FileFormatError(f"{name} is damaged: it says {size:,} bytes, unpacked{needed}", path)
        if not self.packed:
            return data
        check_memory(size, "smaller chunks need less")
        with reading(path, f"{name} is damaged"):
            unpacked: bytes = blosc().decode(data)
        return unpacked


def described(name: str, length: int, chunk: int, dtype: Dtype) -> tuple[str, bytes]:
    """The object that says what a vector is; texts are of dtype object."""
    found = {
        "zarr_format": 2,
        "shape": [length],
        "chunks": [chunk],
        "dtype": dtype.str,
        "compressor": BLOSC,
        "fill_value": 0,
        "filters": TEXTS if dtype.hasobject else None,
        "order": "C",
    }
    return f"{name}/{ARRAY}", as_json(found)


def written(name: str, values: Array) -> Iterator[tuple[str, bytes]]:
    """The objects of a vector in one chunk; texts are of dtype object."""
    if len(values):
        yield f"{name}/0", packed(values)
    yield described(name, len(values), max(1, len(values)), values.dtype)


def packed(values: Array) -> bytes:
    """A chunk of these numbers or texts."""
    if not values.dtype.hasobject:
        return bytes(blosc().encode(np.ascontiguousarray(values)))
    texts = [text.encode() for text in values]
    parts = [LENGTH.pack(len(texts)), *(part for text in texts for part in (LENGTH.pack(len(text)), text))]
    return bytes(blosc().encode(b"".join(parts)))


def as_json(found: Any) -> bytes:
    """An object of JSON as zarr 2 writes it."""
    return json.dumps(found, indent=4, sort_keys=True).encode()


def blosc() -> Any:
    """The packer of all chunks."""
    try:
        from numcodecs import Blosc
    except ImportError:
        raise ImportError('LD stores of magenpy need numcodecs: pip install "vech[magenpy]"') from None
    return Blosc(**{name: value for name, value in BLOSC.items() if name != "id"})
