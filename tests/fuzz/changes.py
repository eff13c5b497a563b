"""Changes to files: of bytes, of the numbers in text, of the arrays in archives. One seed gives one file."""

import io
import re
import warnings
import zipfile
from random import Random

import numpy as np

from .corpus import Sample

NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    127,
    128,
    255,
    2**15,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**53 + 1,
    2**62,
    2**63 - 1,
]
NUMBERS += [2**63, -(2**63), 2**64, 10**12, 10**15, 10**19, 10**40]
WORDS = [str(number) for number in NUMBERS]
WORDS += [
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "-0.0",
    "1_0",
    "0x10",
    "1e-400",
    "٣",
    "1.",
    ".",
    "-",
    "NaN",
    "Infinity",
]
WORDS += [
    "(",
    "[",
    "{",
    "}",
    '"',
    "'",
    ",",
    ":",
    "\0",
    "\x1b[31m",
    "\n",
    "\r",
    " ",
    "null",
    "true",
    "symmetric",
]
WORDS += [
    "skew",
    "hermitian",
    "skew-symmetric",
    "general",
    "array",
    "coordinate",
    "pattern",
    "unsigned-integer",
    "O",
]
WORDS += [
    "<f2",
    "<c16",
    "|b1",
    "|V2",
    "<M8[s]",
    "<U9",
    "<i8",
    "zero",
    "one",
    "rows",
    "upper",
    "labels",
    "places",
]
DTYPES = [
    "i1",
    "u1",
    "i4",
    "u4",
    "i8",
    "u8",
    "f2",
    "f4",
    "f8",
    "c8",
    ">i4",
    ">f8",
    "?",
    "U3",
    "M8[s]",
    "V2",
    "g",
]


def changed(samples: list[Sample], seed: str) -> Sample:
    """One of the samples, changed once to four times."""
    random = Random(seed)
    sample = random.choice(samples)
    with warnings.catch_warnings(action="ignore"):
        return _changed(sample, samples, random)


def _changed(sample: Sample, samples: list[Sample], random: Random) -> Sample:
    name, data, beside = sample
    for _ in range(random.randint(1, 4)):
        if beside is not None and random.random() < 0.4:
            beside = _bytes(beside, samples, random)
        elif name.endswith(".npz") and random.random() < 0.8:
            data = _archive(data, samples, random)
        elif name.endswith(".npy") and random.random() < 0.4:
            data = _array(data, samples, random)
        else:
            data = _bytes(data, samples, random)
    return Sample(name, data, beside)


def _bytes(data: bytes, samples: list[Sample], random: Random) -> bytes:
    """Change some bytes, whatever they mean."""
    at, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    end = min(end, at + random.choice([1, 1, 4, 16, len(data)]))
    way = random.randrange(7)
    if way == 0 and data:
        flipped = bytearray(data)
        flipped[min(at, len(data) - 1)] ^= 1 << random.randrange(8)
        return bytes(flipped)
    if way == 1:
        return data[:at] + random.randbytes(end - at) + data[end:]
    if way == 2:
        return data[:at] + data[end:]
    if way == 3:
        return data[:at] + data[at:end] * random.choice([2, 3, 50]) + data[end:]
    if way == 4:
        other = random.choice(samples).data
        begin = random.randrange(len(other) + 1)
        return data[:at] + other[begin : begin + random.choice([4, 64, 1000])] + data[end:]
    word = random.choice(WORDS).encode()
    runs = list(re.finditer(rb"-?\d+" if way == 5 else rb"[\w.<>|=-]+", data))
    if not runs:
        return data[:at] + word + data[at:]
    run = random.choice(runs)
    return data[: run.start()] + word + data[run.end() :]


def _archive(data: bytes, samples: list[Sample], random: Random) -> bytes:
    """Change a member of an archive, and pack it anew so that its checksum is right."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(member.filename, archive.read(member)) for member in archive.infolist()]
    except Exception:  # noqa: BLE001, changed before
        return _bytes(data, samples, random)
    way = random.randrange(8)
    k = random.randrange(len(members)) if members else 0
    if not members or way == 0:
        name = random.choice(
            ["vech_places", "vech_half", "indices", "coords", "shape", "../up", "/abs", "\x1b[31m"]
        )
        members.append((name + ".npy", random.choice(samples).data))
    elif way == 1:
        del members[k]
    elif way == 2:
        members.append(members[k])
    else:
        name, content = members[k]
        change = _bytes if way == 3 else _array
        members[k] = (name, change(content, samples, random))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", random.choice([0, 8, 8, 12])) as archive:
        for name, content in members:
            archive.writestr(
                zipfile.ZipInfo(name.replace("\0", "")) if random.random() < 0.1 else name, content
            )
    return packed.getvalue()


def _array(data: bytes, samples: list[Sample], random: Random) -> bytes:
    """Change the numbers of an array, its shape or dtype, and save it anew: header and length agree."""
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception:  # noqa: BLE001, changed before
        return _bytes(data, samples, random)
    if array.dtype.kind in "SU":
        text = array.tobytes().decode("utf-32-le", "replace") if array.dtype.kind == "U" else str(array)
        array = np.array(_bytes(text.encode(), samples, random).decode("utf-8", "replace"))
    else:
        array = _numbers(array, random)
    saved = io.BytesIO()
    np.save(saved, array, allow_pickle=False)
    return saved.getvalue()


def _numbers(array: np.ndarray, random: Random) -> np.ndarray:
    way = random.randrange(6)
    flat = array.reshape(-1).copy()
    if way < 3 and flat.size and flat.dtype.kind in "iufc":
        number = random.choice([*NUMBERS, float("nan"), float("inf"), 1e308])
        with np.errstate(all="ignore"):
            try:
                flat[random.choice([0, -1, random.randrange(flat.size)])] = number
            except (OverflowError, ValueError):
                flat[-1] = np.iinfo(flat.dtype).max
        return flat.reshape(array.shape)
    if way == 3:
        return flat[: random.randrange(flat.size + 1)]
    if way == 4:
        sides = random.choice([(-1, 1), (1, -1), (1, 1, -1), (-1,), (0,), (0, 7), (flat.size, 0)])
        return np.zeros(sides, flat.dtype) if 0 in sides else flat.reshape(sides) if flat.size else flat
    with np.errstate(all="ignore"):
        try:
            return array.astype(random.choice(DTYPES))
        except (TypeError, ValueError, OverflowError, RuntimeError):
            return np.concatenate([flat, flat])
