"""The compiled module by itself: whatever it is handed, it answers or raises, and touches nothing else.

Each function has one call that is right (`CALLS`). Every argument of it is then replaced, one at a time, by
everything hostile that fits its type, in a process of its own: a crash is a failure, not the end of the run.
"""

import ctypes
import os
import pickle
import threading
import time
import traceback
from functools import cache

import numpy as np
import pytest

import cases
from vech import _core

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

N = 24  # beyond what goes cell by cell
LENGTH = N * (N + 1) // 2


def in_a_child(work):
    """What work(report) reports, piece by piece, out of a forked process, and how that ended: 0 if well."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        failed = 1
        try:
            with os.fdopen(writable, "wb", buffering=0) as pipe:
                work(lambda *what: pipe.write(pickle.dumps(what)))
            failed = 0
        finally:
            if failed:
                traceback.print_exc()
            os._exit(failed)
    os.close(writable)
    reports = []
    with os.fdopen(readable, "rb") as pipe:
        while True:
            try:
                reports.append(pickle.load(pipe))
            except EOFError:
                break
    _, status = os.waitpid(child, 0)
    return reports, status


# ---- arrays that NumPy does not make -----------------------------------------------------------------------


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class DLManagedTensor(ctypes.Structure):
    _fields_ = (("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


CPU, CUDA = 1, 2
CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}


class Foreign:
    """An array as another library hands it over, with something said of it that is not so."""

    def __init__(self, array, device=CPU, bits=None, lanes=1):
        self.array, self.device = array, device
        sizes = [(ctypes.c_int64 * array.ndim)(*numbers) for numbers in (array.shape, self._steps())]
        kind, bits = CODES[array.dtype.kind], 8 * array.itemsize if bits is None else bits
        tensor = DLTensor(array.ctypes.data, device, 0, array.ndim, kind, bits, lanes, *sizes, 0)
        self.sizes, self.managed = sizes, DLManagedTensor(tensor, None, None)

    def _steps(self):
        return [step // self.array.itemsize for step in self.array.strides]

    def __dlpack__(self, **_):
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(ctypes.addressof(self.managed), b"dltensor", None)

    def __dlpack_device__(self):
        return self.device, 0


def uneven(array):
    """The same numbers, a byte more than they need from one to the next."""
    record = np.zeros(array.shape, [("number", array.dtype), ("gap", "u1")])
    record["number"] = array
    return record["number"]


# ---- calls that are right ----------------------------------------------------------------------------------

SAME, CHANGE4 = _core.Change(8), _core.Change(4)


def lower():
    """The lower triangle of a tridiagonal matrix."""
    indptr = np.r_[0, 1 + 2 * np.arange(N)]
    indices = np.arange(indptr[-1]) // 2 + np.arange(indptr[-1]) % 2
    indices = np.concatenate([[0], *([r - 1, r] for r in range(1, N))])
    return {"indptr": indptr, "indices": indices.astype(np.int32), "data": np.ones(indices.size)}


def whole():
    """A tridiagonal matrix."""
    rows = [[c for c in (r - 1, r, r + 1) if 0 <= c < N] for r in range(N)]
    indices = np.concatenate(rows).astype(np.int32)
    indptr = np.cumsum([0, *map(len, rows)])
    return {"indptr": indptr, "indices": indices, "data": np.ones(indices.size)}


def half():
    return np.ones(LENGTH)


def square():
    return np.ones((N, N))


def planes():
    return np.zeros((3, 1, 2, 8), np.uint64)


def measures():
    ones = np.ones(N)
    return {
        "active": ones,
        "scale": ones.copy(),
        "times": 40.0,
        "empty": 0.0,
        "up": [1.0] * 4,
        "down": [1.0] * 4,
    }


def text():
    return np.frombuffer(bytearray(b"1 2 3.5\n2 1 4\n"), np.uint8)


def cells():
    return np.frombuffer(bytearray(b"1,x,2.5\n# no\nNA,y,-3e1\n"), np.uint8)


def numbers():
    """The arguments of gram that are numbers."""
    given = lower()
    return {
        "indptr": given["indptr"],
        "indices": given["indices"],
        "left": given["data"],
        "right": given["data"].copy(),
        "columns": N,
        "grow": True,
        "threshold": 0.0,
        "unit": False,
    }


def overlapping():
    """A matrix of three rows and columns."""
    return {
        "indptr": np.array([0, 2, 3, 5]),
        "indices": np.array([0, 2, 1, 0, 2], np.int32),
        "numbers": np.ones(5),
    }


def rows():
    """X, and y of fewer rows."""
    return {"x": np.ones((9, 5)), "y": np.ones((7, 5)), "out": np.ones((9, 7))}


def lists():
    """The lists of 3 neighbours of each row."""
    stride = _core.nearest_stride(3, 8)
    return {"values": np.ones((N, stride)), "indices": np.zeros((N, stride), np.int64), "limits": np.ones(N)}


def tree():
    """Distances of a strict half, and room for its links."""
    return {"half": np.ones(LENGTH - N), "n": N, "links": np.ones((N - 1, 4)), "progress": None}


def quantized_arrays():
    """Arguments of a QuantizedHalf of one tile."""
    return {
        "n": N, "tile": 32, "encoding": "uint8", "codes": np.zeros(32 * N, np.uint8), "scales": np.ones(1),
        "zeros": np.ones(1), "sides": np.ones(N), "levels": None, "diagonal": np.ones(N), "mirror": 1.0,
    }  # fmt: skip


def quantized():
    return _core.QuantizedHalf(**quantized_arrays())


def small():
    """Arguments of what takes 9 halves of side 3."""
    return {
        "halves": np.tile([4.0, 1, 1, 5, 1, 6], (9, 1)), "n": 3,
        "places": np.array([0, 1, 3, 2, 4, 5], np.int32), "scales": (1.0, 2.0), "implied": 0.0,
    }  # fmt: skip


TRIANGLE = {"n": N, "grow": True, "diagonal_stored": True}
LINES = _core.Lines(0, 8 * N, 8, 0, True)
CALLS = {
    "small_halves": lambda: {
        "task": "power", **small(), "out": np.ones((9, 6)), "order": np.arange(6, dtype=np.int32),
        "exponent": -0.5, "tolerance": 1e-15, "threads": 1,
    },
    "small_eigh": lambda: {
        **small(), "values": np.ones((9, 3)), "vectors": np.ones((9, 3, 3)), "threads": 1,
    },
    "small_slogdet": lambda: {**small(), "signs": np.ones(9), "logarithms": np.ones(9), "threads": 1},
    "small_solve": lambda: {**small(), "b": np.ones((9, 3, 2)), "x": np.ones((9, 3, 2)), "threads": 1},
    "digest": lambda: {"bytes": np.arange(100, dtype=np.uint8)},
    "crc32c": lambda: {"bytes": np.arange(100, dtype=np.uint8)},
    "expand": lambda: {
        "half": half(), "out": square(), **TRIANGLE,
        "straight": SAME, "transposed": SAME, "diagonal": SAME, "fill": None, "row": 0, "threads": 1,
    },
    "pack": lambda: {
        "full": square(), "half": half(), **TRIANGLE, "change": SAME, "diagonal": SAME, "threads": 1,
    },
    "Expansion": lambda: {
        "item": 8, **TRIANGLE, "straight": SAME, "transposed": SAME, "diagonal": SAME, "fill": None,
        "dtype": np.dtype(float),
    },
    "Packing": lambda: {
        "item": 8, **TRIANGLE, "diagonal_stored": False, "change": SAME, "diagonal": SAME, "along": True,
        "compares": True, "omitted": np.ones(1), "keep": b"\xff" * 8, "places": np.arange(LENGTH - N),
        "dtype": np.dtype(float),
    },
    "convert": lambda: {
        "source": half(), "target": half(), "n": N, "source_grow": True, "target_grow": False,
        "source_diagonal": True, "target_diagonal": True, "change": SAME, "diagonal": SAME, "fill": None,
        "threads": 1,
    },
    "piece": lambda: {
        "source": square(), "origin": LINES, "target": square(), "to": LINES, "target_axes": 2,
        "larges": (0, N), "smalls": (0, N), "own": True, "mirrored": True, "change": SAME,
        "mirrored_change": SAME, "diagonal": SAME, "threads": 1,
    },
    "cells": lambda: {
        "source": np.ones((70, 3)), "source_axes": 1, "target": np.ones((70, 4)), "target_axes": 1,
        "origins": np.array([0, 8, 16, 8]), "targets": np.array([0, 8, 16, 24]), "changes": [(SAME, 4)],
        "threads": 1,
    },
    "mirrored": lambda: {"full": square(), "n": N, "change": SAME, "threads": 1},
    "scan": lambda: {
        "half": half(), **TRIANGLE, "keep": b"\xff" * 8, "fill": None, "threads": 1, "bound": None,
    },
    "scatter": lambda: {
        "half": half(), "out": square(), **TRIANGLE, "transposed": SAME, "diagonal": SAME, "fill": None,
        "threads": 1,
    },
    "density": lambda: {"half": half(), "keep": b"\xff" * 8},
    "mirror": lambda: {**lower(), "change": SAME, "n": N, "grow": True, "threads": 1},
    "turn": lambda: {**lower(), "change": SAME, "n": N, "grow": True, "threads": 1},
    "cut": lambda: {**whole(), "n": N, "grow": True, "threads": 1},
    "fault": lambda: {"indptr": lower()["indptr"], "indices": lower()["indices"], "n": N, "part": "grow"},
    "jumps": lambda: {"indptr": lower()["indptr"], "indices": lower()["indices"], "n": N},
    "asymmetry": lambda: {
        **whole(), "n": N, "conjugates": False, "negates": False, "tolerance": 0.0, "threads": 1,
    },
    "multiply_sparse": lambda: {
        **lower(), "x": np.ones(N), "y": np.ones(N), "n": N, "grow": True, "diagonal": "stored",
        "conjugates": False, "negates": False, "threads": 1, "plan": np.zeros(_core.PLAN_LENGTH, np.int64),
    },
    "multiply": lambda: {
        "half": half(), "x": np.ones((N, 3)), "y": np.ones((N, 3)), **TRIANGLE, "diagonal": "stored",
        "conjugates": False, "negates": False, "absolute": False, "off": 1.0, "on": 1.0, "threads": 1,
    },
    "multiply_tile": lambda: {
        "block": np.ones((5, 6)), "along": np.ones(6), "across": np.ones(5), "to_rows": np.ones(5),
        "to_columns": np.ones(6), "below": False,
    },
    "write_outer": lambda: {
        "half": half(), "left": np.ones((2, N)), "right": np.ones((2, N)), "n": N, "grow": True, "threads": 1,
    },
    "read_panel": lambda: {
        "half": half(), "block": np.ones((5, 6)), **TRIANGLE, "row": 7, "column": 2, "square": False,
        "conjugates": False, "negates": False, "threads": 1,
    },
    "write_panel": lambda: {
        "half": half(), "block": np.ones((5, 6)), **TRIANGLE, "row": 7, "column": 2, "add": False,
        "threads": 1,
    },
    "dot": lambda: {"a": half(), "b": half(), "threads": 1},
    "largest": lambda: {"a": half(), "threads": 1},
    "sum_columns": lambda: {
        "x": np.ones((40, N)), "shift": np.ones(N), "weights": np.ones(40), "height": 16,
        "sums": np.zeros((3, N)), "squares": np.zeros((3, N)), "threads": 1,
    },
    "encode": lambda: {
        "x": np.ones((40, N)), "low": np.ones(N), "high": np.ones(N), "bits": planes(), "threads": 1,
    },
    "encode_pairs": lambda: {"x": np.ones((3, 9, 8)), "n": N, "first": 0, "bits": planes(), "threads": 1},
    "count": lambda: {
        "bits": planes(), "n": N, "grow": True, "begin": 0, "end": N,
        "counts": np.zeros((2, LENGTH), np.int64), "sign": 1, "values": half(),
        **measures(), "root": False, "pairwise": False, "threads": 1,
    },
    "gram": lambda: {**numbers(), "most": 1000, "samples": False, "threads": 1},
    "gram_half": lambda: {**numbers(), "half": half(), "threads": 1},
    "add_products": lambda: {
        **overlapping(), **{f"right_{name}": array for name, array in overlapping().items()},
        "out": np.zeros((3, 3)),
    },
    "distances": lambda: {
        **rows(), "metric": "cityblock", "where": (9, True, True, 0, 0), "weights": np.ones(5),
        "counts": np.ones(5), "p": 2.0, "factor": 1.0, "missing": False, "threads": 1,
    },
    "dissimilarities": lambda: {
        "metric": "jaccard", "x": np.ones((9, 2), np.uint64), "y": np.ones((7, 2), np.uint64),
        "features": 100, "out": np.ones((9, 7)), "where": (9, True, True, 0, 0), "threads": 1,
    },
    "finish": lambda: {
        "block": np.ones((9, 7)), "left": np.ones(9), "right": np.ones(7), "times": -2.0, "least": 0.0,
        "most": np.inf, "root": True, "scale": 1.0,
    },
    "add_differences": lambda: {
        "sums": np.ones(3), "pairs": np.array([0, 5, 62]), "left": np.ones((9, 5)), "right": np.ones((7, 5)),
        "scale": 1.0,
    },
    "link": lambda: {**tree(), "method": "average"},
    "span": lambda: {**tree(), "grow": True, "diagonal_stored": False},
    "nearest_stride": lambda: {"k": 3, "item": 8},
    "nearest_half": lambda: {
        "half": half(), **TRIANGLE, **lists(), "k": 3, "largest": False, "part": 0, "parts": 1, "threads": 1,
    },
    "nearest_block": lambda: {
        "block": np.ones((5, 6)), "row": 7, "column": 2, **lists(), "k": 3, "largest": False, "threads": 1,
    },
    "pair_rows": lambda: {
        "x": np.ones((9, 5)), "rows": np.array([0, 8]), "partners": np.array([[1, 2, 3], [4, 5, 8]]),
        "results": np.ones((2, 3)), "products": False, "threads": 1,
    },
    "QuantizedHalf": quantized_arrays,
    "quantize_block": lambda: {
        "half": quantized(), "block": square(), "row": 0, "column": 0, "given": 0, "seed": -1,
        "tiles": np.zeros(1), "sums": np.zeros(N),
    },
    "quantize_half": lambda: {
        "half": quantized(), "numbers": half(), "grow": True, "diagonal_stored": True, "rows": (0, N),
        "columns": (0, N), "given": 0, "seed": -1, "tiles": np.zeros(1), "sums": np.zeros(N),
    },
    "dequantize_block": lambda: {
        "half": quantized(), "out": np.ones((5, 6)), "row": 7, "column": 2, "full": True, "threads": 1,
    },
    "multiply_quantized": lambda: {
        "half": quantized(), "x": np.ones((N, 3)), "y": np.ones((N, 3)), "straight": 1.0, "mirrored": 1.0,
        "threads": 1,
    },
    "multiply_quantized_coarse": lambda: {
        "half": quantized(), "x": np.ones(N), "y": np.ones(N), "straight": 1.0, "mirrored": 1.0, "threads": 1,
    },
    "read_table": lambda: {
        "text": cells(), "start": 0, "columns": np.array([0, 2, 0], np.uint8), "separator": ",", "point": ".",
        "comment": "#", "words": ["na"], "longest": 100, "numbers": np.zeros((3, 2)),
        "labels": np.zeros((3, 2), np.int64), "threads": 1,
    },
    "read_entries": lambda: {
        "text": text(), "field": "real", "n_rows": 2, "n_columns": 2, "rows": np.zeros(3, np.int64),
        "columns": np.zeros(3, np.int64), "numbers": np.zeros(3), "start": 0,
    },
}  # fmt: skip
WRITTEN = {
    "small_halves": {"out"}, "small_eigh": {"values", "vectors"}, "small_slogdet": {"signs", "logarithms"},
    "small_solve": {"x"},
    "expand": {"out"}, "pack": {"half"}, "convert": {"target"}, "piece": {"target"}, "cells": {"target"},
    "scatter": {"out"}, "multiply_sparse": {"y", "plan"}, "multiply": {"y"}, "read_panel": {"block"},
    "multiply_tile": {"to_rows", "to_columns"}, "write_outer": {"half"},
    "write_panel": {"half"}, "sum_columns": {"sums", "squares"}, "encode": {"bits"}, "encode_pairs": {"bits"},
    "count": {"counts", "values"}, "gram_half": {"half"}, "add_products": {"out"},
    "read_entries": {"rows", "columns", "numbers"}, "read_table": {"numbers", "labels"},
    "distances": {"out"}, "dissimilarities": {"out"},
    "finish": {"block"}, "add_differences": {"sums"}, "link": {"half", "links"}, "span": {"links"},
    "nearest_half": {"values", "indices", "limits"}, "nearest_block": {"values", "indices", "limits"},
    "pair_rows": {"results"}, "quantize_block": {"tiles", "sums"}, "quantize_half": {"tiles", "sums"},
    "dequantize_block": {"out"},
    "multiply_quantized": {"y"}, "multiply_quantized_coarse": {"y"},
}  # fmt: skip
OPTIONAL = {
    ("sum_columns", "weights"),
    ("count", "bits"),
    ("count", "counts"),
    ("count", "values"),
    ("distances", "weights"),
    ("distances", "counts"),
    ("read_table", "labels"),
    ("QuantizedHalf", "sides"),
    ("small_eigh", "vectors"),
    ("multiply_sparse", "plan"),
    ("Packing", "places"),
}
# Not hostile after all: there is an answer to fewer rows, another item size of what is only copied, a batch.
ANSWERED = {
    *((function, name, what) for what in ("empty", "one less") for function, name in (
        ("expand", "out"), ("read_panel", "block"), ("write_panel", "block"), ("density", "half"),
        ("largest", "a"), ("fault", "indices"), ("jumps", "indices"), ("digest", "bytes"),
        ("crc32c", "bytes"), ("nearest_block", "block"), ("dequantize_block", "out"),
    )),
    ("quantize_block", "block", "empty"), ("quantize_block", "tiles", "uneven steps"),
    ("quantize_half", "tiles", "uneven steps"),  # of one tile
    ("QuantizedHalf", "scales", "uneven steps"), ("QuantizedHalf", "zeros", "uneven steps"),
    *((f"small_{task}", "scales", "(1, 24)") for task in ("halves", "eigh", "slogdet", "solve")),
    ("Expansion", "n", "one more"), ("Expansion", "n", "one less"),  # of other arrays
    *(("Packing", "omitted", what) for what in ("no axes", "one axis more", "uneven steps")),  # one number
    ("cut", "data", "two bytes"), ("mirrored", "full", "one axis more"),
    ("encode", "x", "one less"), ("encode_pairs", "n", "one less"),  # the same words and blocks
    ("read_table", "comment", "no such word"),
    ("read_table", "words", "none of them"), ("read_table", "words", "one more"),
}  # fmt: skip
SIZES = {"n", "columns", "features", "height", "item", "k", "most", "n_rows", "n_columns", "threads"}
PLACES = {"part", "row", "column", "begin", "end", "first", "start", "target_axes", "source_axes"}


def hostile_arrays(array, written):
    """Name, what goes in its place, and whether that must be refused."""
    if written:
        locked = array.copy()
        locked.flags.writeable = False
        yield "read-only", locked, True
    yield "no axes", np.zeros((), array.dtype), True
    yield "empty", array[:0], True
    yield "one less", array[:-1], True
    yield "one axis more", array[None, None, None], True
    yield "two bytes", np.zeros(array.shape, np.float16), True
    yield "32 bytes", np.zeros(array.shape, np.clongdouble), True
    yield "3 bytes", Foreign(array, bits=24), True
    yield "two lanes", Foreign(array, bits=8 * array.itemsize // 2, lanes=2), True
    yield "another device", Foreign(array, CUDA), True
    yield "uneven steps", uneven(array), True
    yield "a list", array.tolist(), True
    yield "nothing", None, True
    yield "gaps", np.repeat(array, 2, axis=-1)[..., ::2], False
    yield "backwards", array[..., ::-1], False
    yield "one number for all", np.broadcast_to(array.flat[0], array.shape), False
    shifted = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    shifted[...] = array
    if (
        "ASAN_OPTIONS" not in os.environ
    ):  # every processor that vech runs on loads them, and C++ knows no such loads
        yield "between words", shifted, False


def hostile(function, name, value):
    if isinstance(value, np.ndarray):
        yield from hostile_arrays(value, name in WRITTEN.get(function, ()))
    elif isinstance(value, bool):
        yield "no truth", None, True
    elif isinstance(value, _core.Change):
        yield "another item size", CHANGE4, True
    elif isinstance(value, _core.Lines):
        for far in (2**20, -(2**20), 2**62, -(2**63)):
            for which in range(4):
                steps = [0, 8 * N, 8, 0]
                steps[which] = far
                yield f"steps {steps}", _core.Lines(*steps, True), True
        yield "rows beyond", _core.Lines(8, 8 * N, 8, 0, True), True
        yield "bent inside", _core.Lines(0, 8 * N + 8 * 12, 8, -8, True), False
    elif isinstance(value, int):
        if name in SIZES:
            for size in (-1, -(2**31), 2**31, 2**32, 2**62, 2**63 - 1):
                yield str(size), size, name in ("n", "threads") or (size < 0 and name != "most")
            yield str(2**64), 2**64, True
        if name == "threads":
            yield "0", 0, True
        if name == "n":
            yield "one more", value + 1, True
            yield "one less", value - 1, True
        if name in PLACES:
            for place in (-1, -(2**63), 2**31, 2**62, 2**63 - 1):
                yield str(place), place, True
    elif isinstance(value, bytes):
        yield "one byte less", value[:-1], True
        yield "no bytes", b"", True
    elif isinstance(value, str):
        yield "no such word", "nonsense", True
    elif isinstance(value, list):
        yield "none of them", [], function != "cells"
        yield "one more", [*value, *value], True
    elif isinstance(value, tuple):
        for pair in ((-1, N), (0, N + 1), (0, 2**62), (-(2**63), 2**63 - 1), (1, N), (N, 0)):
            yield str(pair), pair, pair != (N, 0)


def attempts(function):
    """Every call with one hostile argument: what it is, the call, whether it must raise."""
    for name, value in CALLS[function]().items():
        for what, other, refused in hostile(function, name, value):
            if what == "nothing" and (function, name) in OPTIONAL:
                continue
            refused = refused and (function, name, what) not in ANSWERED
            yield f"{name}: {what}", {**CALLS[function](), name: other}, refused


def public():
    return [name for name in dir(_core) if callable(getattr(_core, name)) and not name.startswith("_")]


def test_every_function_is_called():
    assert set(CALLS) == set(public()) - {"targets", "use_target", "Change", "Lines", "encodings"}


def hostile_calls(function):
    """What calls with one hostile argument each answer, and how the process ended."""
    getattr(_core, function)(**CALLS[function]())

    def work(report):
        for what, arguments, refused in attempts(function):
            report("trying", what)
            outcome = "an answer"
            try:
                getattr(_core, function)(**arguments)
            except (TypeError, ValueError, IndexError, MemoryError) as error:
                outcome = type(error).__name__
            report("got", what, outcome, refused)

    return in_a_child(work)


@pytest.mark.parametrize("function", CALLS)
def test_a_hostile_argument_is_refused(alone, function):
    reports, status = alone(hostile_calls, function)
    assert status == 0, f"{function} crashed: {reports[-1][1]}"
    answered = [what for kind, what, *rest in reports if kind == "got" and rest == ["an answer", True]]
    assert not answered, f"{function} took {answered}"
    assert sum(kind == "got" for kind, *_ in reports) > len(CALLS[function]())


@cases.each("threads", [0, -1, -(2**31)])
@cases.each("function", [name for name, call in CALLS.items() if "threads" in call()])
def test_threads_are_at_least_one(function, threads):
    with pytest.raises(ValueError, match=r"^threads must be at least 1$"):
        getattr(_core, function)(**{**CALLS[function](), "threads": threads})


@cases.each("function", list(WRITTEN))
def test_what_is_read_only_stays_as_it_is(function):
    for name in WRITTEN[function]:
        arguments = CALLS[function]()
        arguments[name].flags.writeable = False
        before = arguments[name].copy()
        with pytest.raises(TypeError, match="incompatible function arguments"):
            getattr(_core, function)(**arguments)
        np.testing.assert_array_equal(arguments[name], before)


@pytest.mark.parametrize(
    "options",
    [
        {"item": 3},
        {"item": 0},
        {"item": 4, "scale": "f8"},
        {"item": 16, "scale": "f4"},
        {"item": 2, "flip": b"1"},
    ],
)
def test_a_change_of_no_number_is_refused(options):
    with pytest.raises(ValueError):
        _core.Change(**options)


def test_magnitudes_are_multiplied_by_ones_alone():
    arguments = {**CALLS["multiply"](), "absolute": True, "y": np.ones(N)}
    _core.multiply(**{**arguments, "x": np.ones(N)})
    for x in (np.full(N, 2.0), np.append(np.ones(N - 1), np.nan)):
        with pytest.raises(ValueError, match=r"^of magnitudes there are only sums of rows: x must be ones$"):
            _core.multiply(**{**arguments, "x": x})


def test_fill_is_one_number():
    arguments = {**CALLS["scan"](), "half": np.ones(LENGTH - N), "diagonal_stored": False}
    _core.scan(**{**arguments, "fill": np.ones(1)})
    for fill in (np.ones(0), np.ones(2), np.ones(1, np.float32)):
        with pytest.raises(ValueError, match=r"^fill is one number of the half's item size$"):
            _core.scan(**{**arguments, "fill": fill})


def ready(name, n):
    """What moves one matrix of side n and looks at its arrays itself, those that it takes, and its answer."""
    full = np.random.default_rng(1).random((n, n))
    full += full.T
    half = np.ascontiguousarray(full[np.tril_indices(n)])
    triangle = {"item": 8, "n": n, "grow": True, "diagonal_stored": True, "diagonal": SAME}
    dtype = {"dtype": full.dtype}
    if name == "expand":
        return _core.Expansion(**triangle, straight=SAME, transposed=SAME, fill=None, **dtype), half, full
    i, j = np.tril_indices(n)
    places = {"pack": None, "pick": i * n + j}[name]
    options = {"along": True, "compares": True, "omitted": None, "keep": b"", "places": places}
    return _core.Packing(**triangle, change=SAME, **options, **dtype), full, half


def hostile_runs(name, n):
    move, source, expected = ready(name, n)
    np.testing.assert_array_equal(move.run(source, None, 1), expected)

    def work(report):
        for what, other, refused in hostile_arrays(source, False):
            if other is None:
                continue  # there is no default
            found = move.run(other, None, 1)
            right = not refused and np.array_equal(found, move.run(np.array(other, order="C"), None, 1))
            report(f"from {what}", found is None or right)
        for what, other, refused in hostile_arrays(np.zeros_like(expected), True):
            before = np.array(other) if isinstance(other, np.ndarray) else None
            found = move.run(source, other, 1)
            if other is None:
                report("none", np.array_equal(found, expected))
            elif found is None:
                report(f"into {what}", before is None or np.array_equal(other, before))
            else:
                report(f"into {what}", found is other and not refused and np.array_equal(found, expected))

    return in_a_child(work)


@cases.each("name, n", [("expand", 5), ("expand", N), ("pack", 5), ("pack", N), ("pick", 5), ("pick", N)])
def test_what_was_looked_at_once_takes_plain_arrays_alone(name, n):
    reports, status = hostile_runs(name, n)
    assert status == 0, f"crashed after {reports[-1:]}"
    assert len(reports) > 25
    assert [what for what, well in reports if not well] == []


@cases.each("name", ["expand", "pack", "pick"])
def test_what_was_looked_at_once_shares_no_byte(name):
    move, source, expected = ready(name, N)
    memory = np.zeros(source.size + expected.size)
    for start in (0, 1, source.size - 1):
        memory[: source.size] = source.ravel()
        shared = memory[: source.size].reshape(source.shape)
        out = memory[start : start + expected.size].reshape(expected.shape)
        assert move.run(shared, out, 1) is None
        np.testing.assert_array_equal(shared, source)
    beside = memory[source.size :].reshape(expected.shape)
    assert move.run(memory[: source.size].reshape(source.shape), beside, 1) is beside
    np.testing.assert_array_equal(beside, expected)


@cases.each("name", ["pack", "pick"])
def test_what_was_looked_at_once_packs_equal_triangles_alone(name):
    for n in (2, 5, N):
        move, full, _ = ready(name, n)
        full[n - 1, 0] = np.nextafter(full[n - 1, 0], np.inf)
        assert move.run(full, None, 1) is None


def test_cells_written_twice_are_not_cells_left_out():
    arguments = {**CALLS["cells"](), "targets": np.array([0, 8, 16, 16])}
    _core.cells(**arguments)
    expected = np.ones((70, 4))
    np.testing.assert_array_equal(arguments["target"], expected)


# ---- arrays that change while they are used ----------------------------------------------------------------


def banded(n):
    """A triangle with five numbers a row, columns near and far, and the whole matrix of its pattern."""
    from scipy import sparse

    steps = [0, -1, -2, -n // 3, -n // 2]
    half = sparse.diags_array([np.ones(n + step) for step in steps], offsets=steps).tocsr()
    full = (half + sparse.tril(half, -1).T).tocsr()
    full.sort_indices()
    return half, full


def scattered(n):
    """A triangle whose columns are anywhere, so that a mirror goes by blocks, and the whole matrix."""
    from scipy import sparse

    rng = np.random.default_rng(5)
    rows = np.repeat(np.arange(n), 24)
    half = sparse.coo_array((np.ones(rows.size), (rows, rng.integers(0, rows + 1))), (n, n)).tocsr()
    half.sum_duplicates()
    full = (half + sparse.tril(half, -1).T).tocsr()
    full.sort_indices()
    return half, full


def triangle_calls(n):
    def product(columns, plan=None):
        x = np.ones((n, columns) if columns > 1 else n)

        def call(indptr, indices, data, threads):
            y = np.empty_like(x)
            _core.multiply_sparse(indptr, indices, data, x, y, n, True, "stored", False, False, threads, plan)

        return call

    def gram(indptr, indices, data, threads):
        return _core.gram(indptr, indices, data, data, n, True, 0.0, False, 2**40, False, threads)

    def gram_half(indptr, indices, data, threads):
        few = min(n, 2000)
        _core.gram_half(
            indptr[: few + 1], indices[: indptr[few]], None, None, n, True, 0.0, False,
            np.zeros(few * (few + 1) // 2, np.int64), threads,
        )  # fmt: skip

    def products(indptr, indices, data):
        few = min(n, 500)
        left = indptr[: few + 1], indices[: indptr[few]], data[: indptr[few]]
        _core.add_products(*left, indptr, indices, data, np.zeros((few, n)))

    planned = product(1, np.zeros(_core.PLAN_LENGTH, np.int64))
    return {
        "mirror": lambda *arrays, threads: _core.mirror(*arrays, SAME, n, True, threads),
        "mirror of the upper": lambda *arrays, threads: _core.mirror(*arrays, SAME, n, False, threads),
        "turn": lambda *arrays, threads: _core.turn(*arrays, SAME, n, True, threads),
        "multiply": lambda *arrays, threads: product(1)(*arrays, threads),
        "multiply, planned before": lambda *arrays, threads: planned(*arrays, threads),
        "multiply columns": lambda *arrays, threads: product(11)(*arrays, threads),
        "fault": lambda indptr, indices, _, threads: _core.fault(indptr, indices, n, "grow"),
        "jumps": lambda indptr, indices, _, threads: _core.jumps(indptr, indices, n),
        "gram": lambda *arrays, threads: gram(*arrays, threads),
        "gram_half": lambda *arrays, threads: gram_half(*arrays, threads),
        "add_products": lambda *arrays, threads: products(*arrays),
    }


def whole_calls(n):
    return {
        "cut": lambda *arrays, threads: _core.cut(*arrays, n, True, threads),
        "cut of the upper": lambda *arrays, threads: _core.cut(*arrays, n, False, threads),
        "asymmetry": lambda *arrays, threads: _core.asymmetry(*arrays, n, False, False, 0.0, threads),
    }


@cache
def subjects(make, n):
    """Every kernel's call and arrays: made before a process is forked, so that the next one has them."""
    half, full = make(n)
    upper = half.T.tocsr()
    upper.sort_indices()
    of_half, of_full, of_upper = (
        (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)
        for matrix in (half, full, upper)
    )
    made = {name: (call, of_half) for name, call in triangle_calls(n).items()}
    made["mirror of the upper"] = made["mirror of the upper"][0], of_upper
    return made | {name: (call, of_full) for name, call in whole_calls(n).items()}


def assert_in_bounds(found, n):
    """Nothing that SciPy would follow out of the arrays."""
    if not isinstance(found, tuple) or len(found) != 3:
        return
    indptr, indices, data = found
    assert indptr[0] == 0 and indptr[-1] == indices.size == data.size and (np.diff(indptr) >= 0).all()
    assert indices.size == 0 or (indices.min() >= 0 and indices.max() < n)


def answer(call, arrays, threads, n):
    try:
        found = call(*arrays, threads=threads)
    except ValueError as error:
        return str(error)
    assert_in_bounds(found, n)
    return "an answer"


MESSAGES = (
    "indptr or indices changed while they were used: copy them first",
    "indptr and indices do not describe sorted rows of the matrix or its triangle",
    "indptr and indices do not describe a matrix by rows",
)
FAR = (-1, -(2**31), 2**31 - 1)
KERNELS = [name for calls in (triangle_calls(1), whole_calls(1)) for name in calls]


@pytest.mark.every_target
@pytest.mark.parametrize("kernel", KERNELS)
def test_columns_and_rows_out_of_bounds_are_refused_or_harmless(kernel):
    n = 500
    rng = np.random.default_rng(3)
    both = [subjects(make, n)[kernel] for make in (banded, scattered)]

    def work(report):
        for call, arrays in both:
            assert answer(call, arrays, 1, n) == "an answer"
            for which, values in ((0, (*FAR, 2**62, -(2**63))), (1, FAR)):
                size = arrays[which].size
                for value in values:
                    for k in (0, 1, size // 2, size - 2, size - 1, *rng.integers(0, size, 4)):
                        spoilt = [array.copy() for array in arrays]
                        spoilt[which][k] = value
                        report(answer(call, spoilt, 1 + k % 2, n))

    reports, status = in_a_child(work)
    assert status == 0, f"{kernel} crashed after {len(reports)} calls"
    refused = [what for (what,) in reports if what != "an answer"]
    assert {*refused} <= {*MESSAGES}
    assert (
        kernel in ("jumps", "fault", "asymmetry") or "multiply" in kernel or len(refused) > len(reports) // 2
    )


def spoilt_meanwhile(kernel, make, threads):
    """What a kernel answers for a while, and how the process ended."""
    n = 120_000 if make is scattered and kernel in ("mirror", "turn", "mirror of the upper") else 30_000
    seconds = 0.08
    call, arrays = subjects(make, n)[kernel]

    def work(report):
        shared, over = [array.copy() for array in arrays], threading.Event()

        def spoil():
            rng = np.random.default_rng(11)
            while not over.is_set():
                for which, values in ((1, FAR), (0, (*FAR, 2**62)), (1, (0, 1, n - 1))):
                    at = rng.integers(0, shared[which].size, 50)
                    shared[which][at] = rng.choice(values)
                    time.sleep(0)
                    shared[which][at] = arrays[which][at]
                    time.sleep(0.0005 * rng.random())

        thread = threading.Thread(target=spoil)
        thread.start()
        end = time.monotonic() + seconds
        outcomes = set()
        while time.monotonic() < end:
            outcomes.add(answer(call, shared, threads, n))
        over.set()
        thread.join()
        assert answer(call, arrays, threads, n) == "an answer"
        report(outcomes)

    return in_a_child(work)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("make", [banded, scattered])
@pytest.mark.parametrize("kernel", KERNELS)
def test_arrays_that_another_thread_changes_give_numbers_or_an_error(alone, kernel, make, threads):
    reports, status = alone(spoilt_meanwhile, kernel, make, threads)
    assert status == 0, f"{kernel} crashed"
    [(outcomes,)] = reports
    assert outcomes <= {"an answer", *MESSAGES}
