"""The door: which arrays vech takes, into which memory, with how many threads."""

import contextlib
import errno
import math
import mmap
import operator
import os
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech import frames, tensors
from vech.store import Store, way_to_store

Array = NDArray[Any]
Dtype = np.dtype[Any]

INT32_MAX = 2**31 - 1  # the largest count and index that 32-bit sparse indices hold
SERIAL_BYTES = 2**20  # less work than this is done before a thread has started
MOVED_BYTES = 2**22  # so many take 0.08 ms only to be moved, in which a thread starts: 0.03 to 0.15 (Zen 5)
MOST_THREADS = 1024
BLOCK_BYTES = 2**22  # of data looked at together, where nothing else says how many rows to take
UNCHECKED_BYTES = 2**26  # smaller allocations are not held against the memory of the machine

NATIVE = frozenset(np.dtype(code) for code in "?bhilqBHILQefdFD")  # dtypes that need no second look
WORDS = {item: np.dtype(code) for item, code in ((1, "u1"), (2, "u2"), (4, "u4"), (8, "u8"), (16, "c16"))}


def as_array(x: Any, what: str, *, floats: bool = False) -> Array:
    """What holds numbers as a plain ndarray; TypeError with the way out for all else.

    Arrays, memory maps, lists and tuples; frames and series, whose labels are left behind (`vech.frames` has
    them); arrays of other libraries in the memory of the processor; datasets, which are read. With `floats`
    integers that are missing in a frame are NaN.
    """
    if type(x) is not np.ndarray:
        x = _plain_array(x, what, floats)
    if x.dtype not in NATIVE:
        try:
            family(x.dtype)
        except TypeError as reason:
            raise TypeError(f"{what} of {reason}") from None
    if x.base is not None:
        check_mapped(x)
    return x  # type: ignore[no-any-return]


def is_array(x: Any) -> bool:
    """Whether it is of a kind that `as_array` looks into."""
    if isinstance(x, np.ndarray | list | tuple) or tensors.is_foreign(x):
        return True
    return frames.is_frame(x) or frames.way_in(x) is not None


def as_square(x: Any, what: str) -> Array:
    """The same of a full matrix, whose rows and columns have the same labels if they have any."""
    if type(x) is not np.ndarray:
        frames.square_labels(x, what)
    return as_array(x, what)


def as_block(X: Any, what: str) -> tuple[Array, frames.Labels | None]:
    """A matrix of numbers, as it lies, and the labels of its columns if it has any."""
    array = as_array(X, what, floats=True)
    check_matrix(array.shape, what)
    return array, frames.labels_of(X, 1)


def check_matrix(shape: tuple[int, ...], what: str) -> None:
    """Refuse what is not rows by columns."""
    if len(shape) != 2:
        way_out = {
            1: "a single column is X[:, None]",
            3: "blocks of rows are given by an iterator, such as iter(X)",
        }.get(len(shape), "pass a matrix")
        raise ValueError(
            f"{what} has shape {shape}, and must be n_samples x n_features: {way_out.replace('X', what)}"
        )


def check_mapped(array: Any) -> None:
    """OSError for a memory map whose file is shorter now: reading beyond its end would end the process."""
    if type(array) is np.ndarray and type(array.base) is np.ndarray and array.base.base is None:
        return  # what most views are
    for part in maps_of(array):
        needed, size = part.offset + part.nbytes, part.base.size()  # type: ignore[operator, union-attr]
        if size < needed:
            reason = f"is mapped into memory, and has {size:,} bytes now where {needed:,} were: read it again"
            raise OSError(errno.EIO, reason, str(part.filename))


def check_elsewhere(array: Array, what: str, path: str) -> None:
    """ValueError for what lies in the file under a path, which a result would replace."""
    for part in maps_of(array):
        with contextlib.suppress(OSError):  # one that is gone cannot be replaced
            if part.filename is not None and os.path.samefile(part.filename, path):
                raise ValueError(f"out={path!r} is the file that {what} is mapped from: choose another name")


def maps_of(array: Any) -> Iterator[np.memmap[Any, Any]]:
    """The memory maps of files that an array is part of."""
    while isinstance(array, np.ndarray) and (base := array.base) is not None:
        if isinstance(base, mmap.mmap) and isinstance(array, np.memmap):
            yield array
        array = base


def _plain_array(x: Any, what: str, floats: bool) -> Array:
    if isinstance(x, np.memmap):
        return np.asarray(x)
    if isinstance(x, list | tuple):
        return _listed(x, what)
    if isinstance(x, Store | np.ndarray) or frames.is_sparse(x) or frames.way_in(x):
        raise _refusal(x, what)
    if is_array(x):
        check_memory(tensors.size_in_bytes(x), f"read {what} in parts")
        if frames.is_frame(x) or frames.is_series(x):
            found = frames.numbers_of(x, what, floats=floats)
        elif frames.is_named_array(x):
            found = x.to_numpy()
        else:
            found = tensors.numbers_of(x, what)
        return found if type(found) is np.ndarray else _plain_array(found, what, floats)
    raise _refusal(x, what)


def _listed(x: Any, what: str) -> Array:
    for item in x:
        if isinstance(item, np.ma.MaskedArray):
            raise _refusal(item, f"a part of {what}")
        check_mapped(item)
    try:
        return np.asarray(x)
    except (ValueError, TypeError, RuntimeError) as reason:
        if way_out := way_to_store(x):
            name = type(x).__name__
            raise TypeError(f"{what} is a {name}, which has a matrix in it: {way_out}") from None
        raise ValueError(f"{what} is a {type(x).__name__} of no array: {reason}") from None


def _refusal(x: Any, what: str) -> TypeError:
    name = f"{type(x).__module__}.{type(x).__name__}".removeprefix("builtins.")
    if isinstance(x, Store):
        name = f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"
        way_out = "use its own methods (expand, to_csr, ...)"
        if what != "half":
            way_out = "pass its full matrix, expand()"
        elif hasattr(x, "half"):
            way_out += ", or pass its .half"
    elif isinstance(x, np.ma.MaskedArray):
        way_out = "a mask would be lost; fill it first: x.filled(value)"
    elif frames.is_sparse(x):
        makes_half = "use vech.from_sparse(x), or " if what in ("half", "matrix") else ""
        way_out = f"{makes_half}pass x.toarray()"
    elif way := frames.way_in(x):
        way_out = f"pass x.{way}()"
    else:
        way_out = "pass numpy.asarray(x) if that is what it means"
    return TypeError(f"{what} must be a NumPy array, not {name}: {way_out}")


@lru_cache(maxsize=256)
def family(dtype: Dtype) -> str:
    """NumPy's letter for these numbers (b, i, u, f, c, M, m); TypeError for a dtype that vech refuses."""
    if extension(dtype):
        if np.zeros(1, dtype).astype(np.float64)[0] != 0:
            raise TypeError(f"dtype {dtype} has no zero: astype(np.float32) first")
        return "f" if _finfo(dtype) is not None else dtype.name[0]
    if dtype.char in "gG":
        raise TypeError(f"dtype {dtype} differs between machines: astype(float) or astype(complex) first")
    if dtype.kind in "biufcMm":
        return dtype.kind
    if dtype.kind == "O":
        raise TypeError("dtype object holds Python objects: astype(float) first")
    if dtype.names:
        raise TypeError(f"dtype {dtype} is structured: pass one field of it, such as x[{dtype.names[0]!r}]")
    if dtype.kind in "SUT":
        raise TypeError(f"dtype {dtype} holds text: astype(float) first")
    raise TypeError(f"dtype {dtype} holds no numbers: view it as what they are first")


def extension(dtype: Dtype) -> bool:
    """Whether ml_dtypes made this dtype; NumPy calls most of them kind V."""
    return dtype.type.__module__.startswith("ml_dtypes")


def native(dtype: Dtype) -> Dtype:
    """In this machine's order of bytes."""
    return dtype if extension(dtype) else dtype.newbyteorder("=")


def _finfo(dtype: Dtype) -> Any:
    if not extension(dtype):
        return np.finfo(dtype)
    try:
        return sys.modules["ml_dtypes"].finfo(dtype)
    except ValueError:  # one of its small integers
        return None


def epsilon(dtype: Dtype) -> float:
    """The distance from 1 to the next number; 0 for integers, bool and dates."""
    return float(_finfo(dtype).eps) if family(dtype) in "fc" else 0.0


def least(dtype: Dtype) -> float:
    """The smallest positive number; 0 for integers, bool and dates."""
    return float(_finfo(dtype).smallest_subnormal) if family(dtype) in "fc" else 0.0


def words(array: Array) -> Array:
    """The array as kernels take it: what only NumPy knows (dates, swapped bytes, ...) becomes words."""
    return array if array.dtype in NATIVE else array.view(WORDS[array.dtype.itemsize])


def sign_mask(dtype: Dtype) -> bytes:
    """The sign bits of a floating number, or of both parts of a complex one; no bits where there are none."""
    if family(dtype) == "c":
        return np.array(complex(-0.0, -0.0)).astype(dtype).tobytes()
    return np.array(-0.0).astype(dtype).tobytes() if family(dtype) == "f" else bytes(dtype.itemsize)


def keep_mask(dtype: Dtype) -> bytes:
    """The bits of which one must be set in a number that is not zero: all but floating signs."""
    return bytes(255 - byte for byte in sign_mask(dtype))


# ---------------------------------------------------------------- out=


def check_writeable(half: Array) -> None:
    """Refuse to write into memory that is read-only."""
    if not half.flags.writeable:
        raise ValueError("the half is read-only: copy() gives a matrix that can be changed")


def check_out(
    out: Any, shape: tuple[int, ...], dtype: Dtype, *inputs: Array, hint: Callable[[], str] = str
) -> None:
    """Refuse an `out` of another shape or dtype, read-only, with repeats, or sharing an input's memory."""
    if type(out) is not np.ndarray and (
        not isinstance(out, np.ndarray) or isinstance(out, (np.ma.MaskedArray, np.matrix))
    ):
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(
            f"out has dtype {out.dtype} ({out.dtype.str}), but the result has {dtype} ({dtype.str})"
        )
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but the result has {shape}{hint()}")
    flags = out.flags
    if not flags.writeable:
        raise ValueError("out is read-only")
    if not flags.c_contiguous and _repeats(out):
        raise ValueError("out has elements that share memory with each other: pass an array without repeats")
    for array in inputs:
        if shares_memory(out, array):
            raise ValueError(
                "out shares memory with the input: pass an array of its own, or a copy of the input"
            )


def shares_memory(a: Array, b: Array) -> bool:
    """Whether two arrays have a byte in common (or cannot be shown not to)."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _repeats(array: Array) -> bool:
    reach = array.itemsize
    for stride, size in sorted(
        (abs(s), k) for s, k in zip(array.strides, array.shape, strict=True) if k != 1
    ):
        if stride < reach:
            return array.size > 0
        reach += stride * (size - 1)
    return False


# ---------------------------------------------------------------- threads and memory


def resolve_threads(threads: int | None, nbytes: int) -> int:
    """How many threads may share work on so many bytes."""
    if threads is None:
        return 1 if nbytes < SERIAL_BYTES else default_threads()
    if is_count(threads):
        return min(threads, MOST_THREADS)
    if isinstance(threads, bool):
        raise TypeError(f"threads must be a positive integer or None, not {threads!r}")
    try:
        count = operator.index(threads)
    except TypeError:
        raise TypeError(f"threads must be a positive integer or None, not {threads!r}") from None
    if count < 1:
        raise ValueError(f"threads must be at least 1, not {count}")
    return min(count, MOST_THREADS)


def threads_to_move(threads: int | None, nbytes: int) -> int:
    """How many threads may share reading or writing so many bytes."""
    return 1 if threads is None and nbytes < MOVED_BYTES else resolve_threads(threads, nbytes)


def is_count(threads: Any) -> bool:
    """Whether it is a number of threads as most are given, which needs no second look."""
    return type(threads) is int and threads > 0


def default_threads() -> int:
    """The smallest of OMP_NUM_THREADS, the processors this process may use, and its cgroup's share."""
    affinity = getattr(os, "sched_getaffinity", None)
    limits = [len(affinity(0)) if affinity else os.cpu_count() or 1, MOST_THREADS]
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        limits.append(int(wanted))
    quota = cpu_quota()
    if quota is not None:
        limits.append(quota)
    return min(limits)


@lru_cache(maxsize=1)
def cpu_quota() -> int | None:
    """Processors that the cgroup of this process may keep busy, rounded up; None without a limit."""
    limits = [*_cgroup("cpu", "cpu.max"), *_cgroup("cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us")]
    shares = [int(quota) / int(period) for quota, period in limits if quota not in ("max", "-1")]
    return max(1, math.ceil(min(shares))) if shares else None


def check_memory(nbytes: int, hint: str) -> None:
    """MemoryError, before anything is allocated, for what neither memory nor swap can hold."""
    if nbytes >= UNCHECKED_BYTES and nbytes > memory_limit():
        raise MemoryError(
            f"the result needs {nbytes} bytes ({nbytes / 2**30:.1f} GiB), and {memory_limit()} "
            f"({memory_limit() / 2**30:.1f} GiB) is all there is here: {hint}"
        )


def block_memory(shape: tuple[int, ...], dtype: Dtype, out: Array | None, *inputs: Array) -> Array:
    """Where rows or a block of a store go: `out` if it fits and shares no input's memory, else new memory."""
    if out is None:
        nbytes = math.prod(shape) * dtype.itemsize
        check_memory(nbytes, "take fewer rows at a time, expand(rows=), or give out= a memory map")
        return np.empty(shape, dtype)
    check_out(out, shape, dtype, *inputs)
    return out


@lru_cache(maxsize=1)
def memory_limit() -> int:
    """Bytes of physical memory and swap, or the limit of this process's cgroup where that is less."""
    limits = [sys.maxsize, *(int(limit) for [limit] in _cgroup("memory", "memory.max") if limit != "max")]
    limits += [int(limit) for [limit] in _cgroup("memory", "memory.limit_in_bytes")]
    with contextlib.suppress(AttributeError, OSError, ValueError):  # not every system answers
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + _swap())
    return min(limits)


def _swap() -> int:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("SwapTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _cgroup(controller: str, *names: str) -> Iterator[list[str]]:
    """The words of these files of the process's cgroup, and of each cgroup around it."""
    for line in _read("/proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number != "0" and controller not in controllers.split(","):
            continue
        root = os.path.join("/sys/fs/cgroup", controllers)
        parts = path.strip("/").split("/")
        for depth in range(len(parts), -1, -1):
            found = [_read(os.path.join(root, *parts[:depth], name)).split() for name in names]
            if all(found):
                yield [word for words_ in found for word in words_]


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def check_progress(progress: Any) -> None:
    """Refuse what cannot be called."""
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress must be a function of (done, total), not {progress!r} of type "
            f"{type(progress).__name__}"
        )


def is_real(x: Any) -> bool:
    """Whether this is one real number, as an argument is: no truth value, no text, no array."""
    return isinstance(x, Real) and not isinstance(x, bool)


def is_finite(number: Any) -> bool:
    """Whether float64 holds a real number: no NaN, no infinity, no 10**400."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def as_float(what: str, number: Any) -> float:
    """A real number in float64; ValueError for one that has no place there, such as 10**400."""
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{what} is beyond float64, which ends at 1.8e308: give a smaller one") from None


def is_even(array: Array) -> bool:
    """Whether kernels can read the array where it lies."""
    even = all(stride % array.itemsize == 0 for stride in array.strides)
    return even and array.flags.aligned and array.dtype.isnative
