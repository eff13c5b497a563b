"""Programs that call vech's kernels: how they end, are interrupted, and what they are handed."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the adapter of JAX needs jax>=0.4.36")
import jax.numpy as jnp

from vech.adapters import jax as vj
from vech.adapters.jax import foreign

PROGRAM = """
import os, signal, threading
import jax, jax.numpy as jnp
from vech.adapters import jax as vj
n = 600
h, x = jnp.ones(n * (n + 1) // 2), jnp.ones((n, n))
f = jax.jit(lambda h: vj.matmul(vj.convert(h, "vech", "numpy-triu"), x, "numpy-triu").sum())
f(h).block_until_ready()
def several(kept):
    for _ in range(10):
        kept.append(f(h))
kept = []
"""
ENDS = {
    "one": "kept.append(f(h))",
    "many": "several(kept); several(kept)",
    "dropped": "several([])",
    "donated": "g = jax.jit(lambda h: 2 * vj.convert(h, 'vech', 'numpy-triu'), donate_argnums=0)\n"
    "y = g(g(h + 1))",
    "threads": "ts = [threading.Thread(target=several, args=(kept,)) for _ in range(2)]\n"
    "[t.start() for t in ts]; [t.join() for t in ts]",
}


def ran(code):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + code], capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize(
    "end",
    [pytest.param(end, marks=pytest.mark.slow if end in ("one", "donated") else ()) for end in ENDS],
)
def test_a_process_ends_with_programs_in_flight(end):
    done = ran(f"{ENDS[end]}\nprint('ok')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_an_interrupt_is_an_interrupt():
    code = """
h = jnp.ones(4000 * 4001 // 2).block_until_ready()
for _ in range(3):
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            vj.expand(h)
    except KeyboardInterrupt:
        print("interrupted")
"""
    done = ran(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n" * 3, "")


@pytest.mark.parametrize(
    "dtype",
    ("float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "int4", "uint4", "bool", "int8", "bfloat16"),
)
def test_dtypes_of_few_bits_are_moved(dtype):
    if not hasattr(jnp, dtype) and dtype != "bool":
        pytest.skip(f"this JAX has no {dtype}")
    half = jnp.array([1, 0, 1], dtype)
    full = vj.expand(half)
    assert full.dtype == half.dtype
    np.testing.assert_array_equal(full.astype("float32"), np.eye(2))
    np.testing.assert_array_equal(vj.pack(full).astype("float32"), [1, 0, 1])


def test_the_version_is_found_behind_other_extensions():
    """XLA asks for it by a chain of extensions, of which it need not be the first."""
    metadata = foreign._Metadata()
    wanted = foreign._MetadataExtension()
    wanted.base.type, wanted.metadata = foreign.METADATA, ctypes.pointer(metadata)
    other = foreign._Extension(ctypes.sizeof(foreign._Extension), 7, ctypes.addressof(wanted))
    foreign._handle(foreign._Frame(extension=ctypes.addressof(other)))
    assert (metadata.version.major, metadata.version.minor) == foreign.VERSION


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    (
        (
            lambda: vj.matmul(np.ones((4, 1, 3)), np.ones((3, 3, 2, 2))),
            r"half has the batch \(4, 1\) and x \(3, 3\)",
        ),
        (lambda: vj.solve(np.ones((2, 3)), np.ones((3, 2))), r"half has the batch \(2,\) and b \(3,\)"),
        (
            lambda: vj.congruence(np.ones((2, 3)), np.ones((3, 2, 2))),
            r"half has the batch \(2,\) and X \(3,\)",
        ),
        (lambda: vj.congruence(np.ones((2, 3)), np.ones((3, 2))), r"half has the batch \(2,\) and X \(3,\)"),
        (lambda: vj.inner(np.ones((2, 3)), np.ones((3, 3))), r"half has the batch \(2,\) and b \(3,\)"),
        (
            lambda: vj.symmetric_linear(np.ones(3), np.ones(2), np.ones(3)),
            r"bias has shape \(3,\), but a layer with n = 2 takes \(2,\)",
        ),
        (
            lambda: vj.initializer(jax.random.normal)(jax.random.key(0), (3, 4)),
            r"shape is \(3, 4\), and halves are drawn as squares: \(\.\.\., n, n\)",
        ),
        (lambda: vj.initializer(jax.random.normal)(jax.random.key(0), (6,)), r"shape is \(6,\), and halves"),
        (lambda: vj.expand(np.zeros(3, "M8[D]")), r"half is datetime64\[D\], and JAX has no dates"),
        (
            lambda: vj.expand(np.array([2**40, 1, 1])),
            "half holds int64 that int32 does not: set jax_enable_x64 first",
        ),
        (lambda: vj.solve(np.ones(3, int), np.ones(2)), r"half is int32, and only floating and complex"),
    ),
)
def test_errors_say_what_came_and_what_fits(call, message):
    # other libraries' tests switch it on for the whole process
    with jax.enable_x64(False), pytest.raises((TypeError, ValueError), match=message):
        call()


def test_arrays_of_another_order_of_bytes_are_taken():
    np.testing.assert_array_equal(vj.expand(np.array([1, 2, 3], ">f4")), [[1, 2], [2, 3]])
