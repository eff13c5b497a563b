"""One contract for all adapters that compute with halves of other array libraries: found, and asked the same.

What is expected is NumPy on the full matrices that `reference` makes, and its central differences.
"""

import ast
import contextlib
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import cases
import reference
import vech
import vech.adapters
from vech.layouts.kind import Kind

FUNCTIONS = (
    *(
        "pack",
        "expand",
        "convert",
        "matmul",
        "quadratic",
        "congruence",
        "gram",
        "cholesky",
        "solve",
        "inverse",
    ),
    *("logdet", "eigh", "log", "exp", "power", "norm", "inner", "to_metric"),
)


# ---------------------------------------------------------------- libraries


class Torch:
    """PyTorch: how arrays come and go, and gradients of a real number."""

    def __init__(self):
        self.torch = pytest.importorskip("torch", reason="the adapter of torch needs torch>=2.5")
        self.adapter = import_module("vech.adapters.torch")

    def array(self, numbers):
        if numbers.dtype == "bfloat16":
            return self.torch.from_numpy(numbers.astype(np.float32)).bfloat16()
        return self.torch.from_numpy(np.array(numbers))

    def numbers(self, x):
        x = x.detach().resolve_conj().resolve_neg()
        if x.dtype is self.torch.bfloat16:
            return x.float().numpy().astype(cases.SMALL["bfloat16"])
        return x.numpy()

    def gradients(self, function, *arrays):
        given = [self.array(numbers).requires_grad_() for numbers in arrays]
        function(*given).backward()
        return [self.numbers(x.grad) for x in given]

    def precise(self):
        return contextlib.nullcontext()

    def real_sum(self, x):
        return (x.real if x.is_complex() else x).sum()


class Jax:
    """JAX: the same; its gradient by a complex number is the conjugate of PyTorch's."""

    def __init__(self):
        self.jax = pytest.importorskip("jax", reason="the adapter of JAX needs jax>=0.4.36")
        self.adapter = import_module("vech.adapters.jax")

    def array(self, numbers):
        return self.jax.numpy.asarray(numbers)

    def numbers(self, x):
        return np.asarray(x)

    def gradients(self, function, *arrays):
        found = self.jax.grad(function, argnums=tuple(range(len(arrays))))(*map(self.array, arrays))
        return [np.asarray(x).conj() for x in found]

    def precise(self):
        """Numbers of 64 bits, which JAX has to be told of."""
        try:
            from jax.experimental import enable_x64
        except ImportError:  # since jax 0.9
            enable_x64 = self.jax.enable_x64
        return enable_x64(True)

    def real_sum(self, x):
        return x.real.sum()


LIBRARIES = {"jax": Jax, "torch": Torch}


def offered(name):
    """What a module or package of `vech.adapters` offers, read without importing it."""
    folder = Path(vech.adapters.__path__[0])
    file = folder / f"{name}.py" if (folder / f"{name}.py").exists() else folder / name / "__init__.py"
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


FOUND = sorted(
    module.name
    for module in pkgutil.iter_modules(vech.adapters.__path__)
    if {"expand", "quadratic"} <= offered(module.name)
)


THERE = [name for name in FOUND if find_spec(name)]  # a thousand skipped tests take seconds


@pytest.fixture(scope="module", params=THERE or FOUND[:1])
def library(request):
    return LIBRARIES[request.param]()


def test_every_adapter_is_asked():
    assert sorted(LIBRARIES) == FOUND, "a new adapter needs a class here that says how its arrays are made"
    for name in FOUND:
        assert set(FUNCTIONS) <= offered(name), f"{name} lacks {set(FUNCTIONS) - offered(name)}"


@pytest.mark.parametrize("name", FOUND)
def test_an_adapter_loads_its_own_library_alone(name):
    LIBRARIES[name]()
    others = [other for other in LIBRARIES if other != name]
    code = f"""
import sys, vech, vech.linalg, vech.io, vech.adapters
assert not [x for x in {[*LIBRARIES]} if x in sys.modules], "by vech itself"
import vech.adapters.{name}
assert not [x for x in {others} if x in sys.modules], "by the adapter of another library"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- what is expected, of full matrices


def settled(full, kind):
    """What computing takes of a matrix: of its diagonal what the kind has."""
    full = full.copy()
    i = np.arange(full.shape[-1])
    full[..., i, i] = Kind(kind).of(full.dtype).settled(full[..., i, i])
    return full


def to_half(full, layout, kind):
    return reference.pack(full, layout, kind)


def adjoint(x):
    return np.swapaxes(x, -1, -2).conj()


def congruence(S, X, kind):
    return X @ S @ (adjoint(X) if "hermitian" in kind else np.swapaxes(X, -1, -2))


def through(S, function):
    values, vectors = np.linalg.eigh(S)
    return (vectors * function(values)[..., None, :]) @ adjoint(vectors)


def factor(S, layout):
    lower = np.linalg.cholesky(S)
    return lower if layout.triangle == "lower" else adjoint(lower)


def triangular(full, layout):
    return reference.pack(full, layout, "triangular")


def quadratic(S, x, kind):
    found = (x.conj() * (S @ x)).sum(-2)
    return found.real if kind == "hermitian" else found


def inner(S, kind):
    found = (S.conj() * S).sum((-2, -1))
    return found.real if "hermitian" in kind else found


class Case:
    """A function of a half and of what else it takes, in an adapter and, of the full matrix, in NumPy."""

    def __init__(self, call, expected, *, definite=False, whole=False, moves=False):
        self.call, self.expected = call, expected
        self.definite, self.whole, self.moves = definite, whole, moves


SCALED = cases.LAYOUTS["svec-upper"]  # what halves of all layouts become
CASES = {
    "expand": Case(lambda a, h, y, **o: a.expand(h, **o), lambda S, y, **o: S, moves=True),
    "convert": Case(
        lambda a, h, y, layout, **o: a.convert(h, layout, SCALED, **o),
        lambda S, y, layout, kind: to_half(S, SCALED, kind),
        moves=True,
    ),
    "matmul": Case(lambda a, h, y, **o: a.matmul(h, y, **o), lambda S, y, **o: S @ y),
    "quadratic": Case(
        lambda a, h, y, **o: a.quadratic(h, y, **o), lambda S, y, layout, kind: quadratic(S, y, kind)
    ),
    "congruence": Case(
        lambda a, h, y, **o: a.congruence(h, y.swapaxes(-1, -2), **o),
        lambda S, y, layout, kind: to_half(congruence(S, np.swapaxes(y, -1, -2), kind), layout, kind),
        whole=True,
    ),
    "cholesky": Case(
        lambda a, h, y, **o: a.cholesky(h, **o),
        lambda S, y, layout, kind: triangular(factor(S, layout), layout),
        definite=True,
        whole=True,
    ),
    "solve": Case(
        lambda a, h, y, **o: a.solve(h, y, **o), lambda S, y, **o: np.linalg.solve(S, y), definite=True
    ),
    "inverse": Case(
        lambda a, h, y, **o: a.inverse(h, **o),
        lambda S, y, layout, kind: to_half(np.linalg.inv(S), layout, kind),
        definite=True,
        whole=True,
    ),
    "logdet": Case(
        lambda a, h, y, **o: a.logdet(h, **o), lambda S, y, **o: np.linalg.slogdet(S)[1], definite=True
    ),
    "eigh": Case(
        lambda a, h, y, **o: a.eigh(h, **o)[0], lambda S, y, **o: np.linalg.eigvalsh(S), definite=True
    ),
    "log": Case(
        lambda a, h, y, **o: a.log(h, **o),
        lambda S, y, layout, kind: to_half(through(S, np.log), layout, kind),
        definite=True,
        whole=True,
    ),
    "exp": Case(
        lambda a, h, y, **o: a.exp(h, **o),
        lambda S, y, layout, kind: to_half(through(S, np.exp), layout, kind),
        definite=True,
        whole=True,
    ),
    "power": Case(
        lambda a, h, y, **o: a.power(h, -0.5, **o),
        lambda S, y, layout, kind: to_half(through(S, lambda w: w**-0.5), layout, kind),
        definite=True,
        whole=True,
    ),
    "norm": Case(lambda a, h, y, **o: a.norm(h, **o), lambda S, y, **o: np.linalg.norm(S, axis=(-2, -1))),
    "norm-max": Case(
        lambda a, h, y, **o: a.norm(h, ord="max", **o), lambda S, y, **o: np.abs(S).max((-2, -1), initial=0)
    ),
    "norm-1": Case(
        lambda a, h, y, **o: a.norm(h, ord=1, **o), lambda S, y, **o: np.linalg.norm(S, 1, axis=(-2, -1))
    ),
    "norm-2": Case(
        lambda a, h, y, **o: a.norm(h, ord=2, **o), lambda S, y, **o: np.linalg.norm(S, 2, axis=(-2, -1))
    ),
    "inner": Case(lambda a, h, y, **o: a.inner(h, h, **o), lambda S, y, layout, kind: inner(S, kind)),
}
LAYOUTS = {
    name: vech.as_layout(name)
    for name in ("vech", "numpy-tril", "lapack-upper", "numpy-triu", "svec-lower", "svec-upper", "condensed")
} | {
    name: cases.LAYOUTS[name]
    for name in (
        "both-scaled",
        "strict-doubled",
        "lower-rows-one",
        "lapack-rfp-nl",
        "lapack-rfp-tu",
        "tfp-upper",
        "tensor-lower",
    )
}
DTYPES = {name: np.dtype(name) for name in ("float32", "float64", "complex64", "complex128")}
BATCHES = {"one": (), "batch": (2, 3), "none": (0,)}
COLUMNS = 3


def side(layout):
    return 3 if isinstance(layout, vech.TensorOrder) else 4


def valid(name, layout, kind, dtype, batch=()):
    case = CASES[name]
    if case.definite and kind != ("hermitian" if dtype.kind == "c" else "symmetric"):
        return False
    if (case.whole and layout.diagonal != "stored") or (case.definite and layout.diagonal == "zero"):
        return False
    return cases.fits(layout, dtype, kind, side(layout))


def numbers(name, layout, kind, dtype, batch):
    """A half, definite where that is needed, and what stands beside it."""
    n, rng = side(layout), cases.generator(name, layout, kind, dtype.name, batch)
    full = cases.matrix(np.dtype(np.complex128 if dtype.kind == "c" else float), kind, n, batch=batch)
    if CASES[name].definite:
        full = full @ adjoint(full) / n + np.eye(n)
        if layout.diagonal != "stored":
            full = np.eye(n) + (full - full * np.eye(n)) / 20
    elif layout.diagonal != "stored":
        full = full * (1 - np.eye(n)) + (layout.diagonal == "one") * np.eye(n)
    beside = rng.normal(size=(*batch, n, COLUMNS))
    if dtype.kind == "c":
        beside = beside + 1j * rng.normal(size=beside.shape)
    return to_half(full, layout, kind).astype(dtype), beside.astype(dtype)


def expected(name, half, beside, layout, kind):
    full = reference.expand(half, layout, kind)
    full = full if CASES[name].moves else settled(full, kind)
    return CASES[name].expected(full, beside, layout=layout, kind=kind)


def sampled(names, chosen):
    """The cases as tests, every 24th of them quick: JAX makes a program for each."""
    return pytest.mark.parametrize(
        names,
        [
            pytest.param(*case.values, id=case.id, marks=[pytest.mark.slow] if k % 24 else [])
            for k, case in enumerate(chosen if THERE else ())
        ],
    )


@sampled(
    ("name", "layout", "kind", "dtype", "batch"),
    cases.pairwise(
        valid, name=list(CASES), layout=LAYOUTS, kind=cases.STORE_KINDS, dtype=DTYPES, batch=BATCHES
    ),
)
def test_functions_give_what_numpy_gives_of_full_matrices(library, name, layout, kind, dtype, batch):
    half, beside = numbers(name, layout, kind, dtype, batch)
    wide = np.complex128 if dtype.kind == "c" else np.float64
    want = expected(name, half.astype(wide), beside.astype(wide), layout, kind)
    with library.precise():
        got = CASES[name].call(
            library.adapter, library.array(half), library.array(beside), layout=layout, kind=kind
        )
        got = library.numbers(got)
    assert got.shape == want.shape
    assert got.dtype.itemsize == (dtype.itemsize if want.dtype.kind == dtype.kind else dtype.itemsize // 2)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(got, want, rtol=200 * eps, atol=200 * eps * (1 + np.abs(want).max(initial=0)))


@sampled(
    ("name", "layout", "kind", "dtype", "metric"),
    cases.pairwise(
        lambda metric, **what: valid(**what),
        name=list(CASES),
        layout=LAYOUTS,
        kind=cases.STORE_KINDS,
        dtype={name: dtype for name, dtype in DTYPES.items() if dtype.itemsize >= 8 and name != "complex64"},
        metric=("packed", "full"),
    ),
)
def test_gradients_are_central_differences_in_both_metrics(library, name, layout, kind, dtype, metric):
    half, beside = numbers(name, layout, kind, dtype, ())
    weights = cases.generator("weights", name).normal(
        size=np.shape(expected(name, half, beside, layout, kind))
    )
    with library.precise():

        def loss(h):
            found = CASES[name].call(
                library.adapter, h, library.array(beside), layout=layout, kind=kind, metric=metric
            )
            return library.real_sum(found * library.array(weights))

        [got] = library.gradients(loss, half)
    want = differences(
        lambda h: (expected(name, h, beside, layout, kind) * weights).real.sum(),
        half,
        layout,
        None if CASES[name].moves else kind,
    )
    if metric == "full":
        want = want * metric_factors(layout)
    np.testing.assert_allclose(got, want, rtol=2e-7, atol=2e-7 * (1 + np.abs(want).max(initial=0)))


def differences(function, half, layout, kind):
    """dL/da + i dL/db of each number a + ib of a half; of a diagonal, what the kind has of it."""
    found, step = np.zeros_like(half), 1e-5
    diagonal = [i == j for i, j in reference.cells(layout, side(layout))]
    for k in range(half.size):
        for part in (1, 1j) if half.dtype.kind == "c" else (1,):
            move = np.array(step * part, half.dtype)
            if kind and diagonal[k] and Kind(kind).of(half.dtype).settled(np.array([move]))[0] == 0:
                continue
            ahead, back = half.copy(), half.copy()
            ahead[k] += move
            back[k] -= move
            found[k] += part * (function(ahead) - function(back)) / (2 * step)
    return found


def metric_factors(layout):
    """From the derivative by stored numbers to the half of the full matrix's gradient, cell by cell."""
    factors = [
        layout.diagonal_scale**2 if i == j else layout.offdiagonal_scale**2 / 2
        for i, j in reference.cells(layout, side(layout))
    ]
    return np.array(factors)


# ---------------------------------------------------------------- moves


MOVED = ("bool", "int8", "int32", "float16", "bfloat16", "float32", "complex64")


def moves(layout, kind, dtype):
    dtype = cases.DTYPES[dtype]
    return cases.fits(layout, dtype, kind, side(layout))


@sampled(("layout", "kind", "dtype"), cases.pairwise(moves, layout=LAYOUTS, kind=cases.KINDS, dtype=MOVED))
def test_moves_keep_every_number_of_every_dtype(library, layout, kind, dtype):
    half = cases.half(cases.DTYPES[dtype], layout, kind, side(layout), batch=(2,), values=cases.moderate)
    full = reference.expand(half, layout, kind)
    h = library.array(half)
    got = library.adapter.expand(h, layout, kind=kind)
    close(library.numbers(got), full, layout)
    close(library.numbers(library.adapter.pack(got, layout, kind=kind)), half, layout)


@sampled(
    ("source", "target", "kind"),
    cases.pairwise(
        lambda source, target, kind: (
            cases.convertible(source, target, np.dtype("complex64"), kind, side(source))
            and side(source) == side(target)
        ),
        source=LAYOUTS,
        target=LAYOUTS,
        kind=cases.KINDS,
    ),
)
def test_convert_is_the_same_matrix_in_another_layout(library, source, target, kind):
    half = cases.half(np.dtype("complex64"), source, kind, side(source), batch=(2,), values=cases.moderate)
    if target.diagonal != "stored" and source.diagonal == "stored":
        cases.set_diagonal(half, source, side(source), int(target.diagonal == "one"))
        if target.diagonal == "one" and kind.startswith("skew"):
            pytest.skip("the diagonal of a skew matrix is zero")
    got = library.adapter.convert(library.array(half), source, target, kind=kind)
    close(library.numbers(got), reference.convert(half, source, target, kind), source)


def close(got, want, layout):
    """The same bits, or, scaled, two roundings apart."""
    assert got.dtype == want.dtype and got.shape == want.shape
    if not cases.is_scaled(layout) and got.dtype.kind != "c":
        assert got.tobytes() == want.tobytes()
        return
    wide = np.complex128 if got.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(got.astype(wide), want.astype(wide), rtol=4 * cases.tolerance(want.dtype, 0))


@pytest.mark.parametrize(
    ("layout", "use"),
    [
        *(("vech", use) for use in ("both", "lower", "upper", "mean")),
        *(
            pytest.param(layout, use, marks=pytest.mark.slow)
            for layout in ("svec-upper", "lapack-rfp-tu")
            for use in ("both", "lower", "upper")
        ),
    ],
)
def test_pack_is_differentiated_as_what_it_reads(library, layout, use):
    full = cases.matrix(np.dtype(float), "symmetric", 4)
    weights = np.arange(1.0, 11.0)
    with library.precise():
        [got] = library.gradients(
            lambda A: (library.adapter.pack(A, layout, use=use) * library.array(weights)).sum(), full
        )
    want = np.zeros((4, 4))
    order = vech.as_layout(layout)
    for weight, (i, j) in zip(weights, reference.cells(order, 4), strict=True):
        weight = weight * reference.scale(order, i, j)
        row, column = (max(i, j), min(i, j)) if use == "lower" else (min(i, j), max(i, j))
        if use in ("both", "mean"):
            want[i, j] += weight / 2
            want[j, i] += weight / 2
        else:
            want[row, column] += weight
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("layout", ("vech", "both-scaled", "lapack-rfp-nl"))
def test_to_metric_goes_there_and_back(library, layout):
    order = LAYOUTS[layout]
    gradient = cases.generator("metric").normal(size=(2, order.length(4)))
    with library.precise():
        there = library.adapter.to_metric(library.array(gradient), order)
        back = library.adapter.to_metric(there, order, "packed")
        np.testing.assert_allclose(library.numbers(there), gradient * metric_factors(order), rtol=1e-14)
        np.testing.assert_allclose(library.numbers(back), gradient, rtol=1e-14)


@pytest.mark.parametrize(
    ("layout", "dtype"),
    [
        *(("vech", "float32"), ("svec-upper", "complex64")),
        *(
            pytest.param(layout, "complex64", marks=pytest.mark.slow)
            for layout in ("numpy-triu", "lapack-rfp-nl")
        ),
    ],
)
def test_gram_and_its_gradient(library, layout, dtype):
    X = cases.moderate(np.dtype(dtype), (2, 4, 3))
    order = vech.as_layout(layout)
    kind = "hermitian" if X.dtype.kind == "c" else "symmetric"
    got = library.adapter.gram(library.array(X), layout)
    full = X @ adjoint(X)
    np.testing.assert_allclose(library.numbers(got), to_half(full, order, kind), rtol=1e-5, atol=1e-5)
    [gradient] = library.gradients(
        lambda X: library.real_sum(
            library.adapter.norm(library.adapter.gram(X, layout), layout, kind=kind) ** 2
        ),
        X,
    )
    np.testing.assert_allclose(gradient, 4 * full @ X, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layout", ("vech", "condensed", "lapack-rfp-nl"))
def test_congruence_by_a_diagonal(library, layout):
    order = vech.as_layout(layout)
    half = cases.half(np.dtype("complex64"), order, "hermitian", 4, values=cases.moderate)
    d = cases.moderate(np.dtype("complex64"), (4,))
    got = library.adapter.congruence(library.array(half), library.array(d), layout, kind="hermitian")
    full = d[:, None] * reference.expand(half, order, "hermitian") * d.conj()
    np.testing.assert_allclose(library.numbers(got), to_half(full, order, "hermitian"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ("skew", "skew-hermitian"))
@pytest.mark.parametrize("dtype", ("float32", "complex64"))
def test_ones_on_the_diagonal_of_a_skew_matrix_are_moved_and_do_not_count(library, dtype, kind):
    layout, half = vech.Layout(diagonal="one"), np.array([2.0, 3.0, -1.0], dtype)
    S, x = vech.Packed(half, layout, kind=kind), np.ones(3, dtype)
    h, y, options = library.array(half), library.array(x), {"layout": layout, "kind": kind}
    moved = library.adapter.expand(h, **options)
    np.testing.assert_array_equal(library.numbers(moved), S.expand())
    for name, found, want in (
        ("matmul", library.adapter.matmul(h, y, **options), S @ x),
        ("quadratic", library.adapter.quadratic(h, y, **options), x @ (S @ x)),
        ("inner", library.adapter.inner(h, h, **options), vech.linalg.inner(S, S)),
        *(
            (f"norm {ord}", library.adapter.norm(h, ord=ord, **options), vech.linalg.norm(S, ord))
            for ord in ("fro", "max", 1, 2)
        ),
    ):
        np.testing.assert_allclose(library.numbers(found), want, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
@pytest.mark.parametrize("ord", ("fro", "max", 1, 2))
def test_norms_of_narrow_floats_are_those_of_float32_rounded(library, ord, dtype):
    half = np.array([1.0, 0.1, -3.0, 2.0, 0.7, 0.3], "float32").astype(cases.DTYPES[dtype])
    got = library.numbers(library.adapter.norm(library.array(half), ord=ord))
    want = library.numbers(library.adapter.norm(library.array(half.astype("float32")), ord=ord))
    assert got.dtype == half.dtype and got == want.astype(half.dtype)


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize("name", ("matmul", "solve"))
def test_vectors_columns_and_batches_stand_beside_a_half(library, name):
    call = getattr(library.adapter, name)
    full = cases.matrix(np.dtype("float32"), "symmetric", 4, batch=(2, 1))
    full = full @ adjoint(full) + np.eye(4, dtype="float32")
    halves = to_half(full, LAYOUTS["vech"], "symmetric")
    inverse = np.linalg.inv(full) if name == "solve" else full
    for half, x, want in (
        (halves[0, 0], (4,), lambda x: inverse[0, 0] @ x),
        (halves[0, 0], (4, 3), lambda x: inverse[0, 0] @ x),
        (halves, (1, 5, 4), lambda x: (inverse @ x[..., None])[..., 0]),
        (halves, (2, 5, 4, 3), lambda x: inverse @ x),
        (halves[0, 0], (0, 4, 3), lambda x: inverse[0, 0] @ x),
    ):
        x = cases.moderate(np.dtype("float32"), x)
        got = library.numbers(call(library.array(half), library.array(x)))
        assert got.shape == want(x).shape
        np.testing.assert_allclose(got, want(x), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("n", (0, 1))
def test_smallest_matrices(library, n):
    half = library.array(np.ones(n, "float32"))
    assert tuple(library.adapter.expand(half).shape) == (n, n)
    assert float(library.adapter.logdet(half)) == 0
    assert float(library.adapter.norm(half)) == n
    assert tuple(library.adapter.cholesky(half).shape) == (n,)
    assert tuple(library.adapter.eigh(half)[0].shape) == (n,)


@pytest.mark.parametrize(
    "name",
    ("log", *(pytest.param(x, marks=pytest.mark.slow) for x in ("exp", "power", "inverse", "cholesky"))),
)
def test_gradients_are_finite_and_right_where_eigenvalues_are_equal(library, name):
    half = to_half(2 * np.eye(4), LAYOUTS["vech"], "symmetric")
    beside = cases.moderate(np.dtype(float), (4, COLUMNS))
    with library.precise():

        def loss(h):
            found = CASES[name].call(library.adapter, h, library.array(beside), layout="vech", kind=None)
            return (found * found).sum()

        [got] = library.gradients(loss, half)
    want = differences(
        lambda h: (expected(name, h, beside, LAYOUTS["vech"], "symmetric") ** 2).sum(),
        half,
        LAYOUTS["vech"],
        "symmetric",
    )
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- errors


H = np.arange(1.0, 11.0, dtype="float32")
FAULTS = {
    "a list": (
        lambda a, x: a.expand([1.0, 2.0, 3.0]),
        TypeError,
        "half must be .*, not list: pass .*asarray|as_tensor",
    ),
    "a store": (
        lambda a, x: a.expand(vech.Packed(H)),
        TypeError,
        r"half must be .*, not vech\S*\.Packed: pass",
    ),
    "a number": (lambda a, x: a.expand(x(H[0])), ValueError, r"half is a single number: a half is a vector"),
    "a length": (
        lambda a, x: a.expand(x(H[:7])),
        ValueError,
        r"a half of length 7 fits no n: with its diagonal",
    ),
    "a layout": (
        lambda a, x: a.expand(x(H), "vehc"),
        ValueError,
        r"unknown layout 'vehc': did you mean 'vech'",
    ),
    "a kind": (
        lambda a, x: a.expand(x(H), kind="symetric"),
        ValueError,
        r"unknown kind 'symetric': did you mean",
    ),
    "a metric": (
        lambda a, x: a.expand(x(H), metric="both"),
        ValueError,
        r"unknown metric 'both': choose from",
    ),
    "no kind": (
        lambda a, x: a.expand(x(H.astype("complex64"))),
        ValueError,
        r"complex numbers mirror in more than one way: say kind='symmetric' or kind='hermitian'",
    ),
    "integers": (
        lambda a, x: a.matmul(x(np.arange(10, dtype="int32")), x(H[:4])),
        TypeError,
        r"half is (torch\.)?int32, and only floating and complex numbers compute",
    ),
    "scaled integers": (
        lambda a, x: a.expand(x(np.arange(10, dtype="int32")), "svec-lower"),
        TypeError,
        r"layout svec-lower scales what it stores, and (torch\.)?int32 is exact",
    ),
    "no square": (
        lambda a, x: a.pack(x(H.reshape(2, 5))),
        ValueError,
        r"matrix has shape \(2, 5\): its last two axes must be a square, \(\.\.\., n, n\)",
    ),
    "a use": (
        lambda a, x: a.pack(x(H[:4].reshape(2, 2)), use="lowr"),
        ValueError,
        r"unknown use 'lowr': did you",
    ),
    "no symmetry": (
        lambda a, x: a.pack(x(H[:4].reshape(2, 2))),
        ValueError,
        r"matrix is not symmetric: a\[1, 0\] is 3\.0, but a\[0, 1\] is 2\.0; say what to believe",
    ),
    "a diagonal": (
        lambda a, x: a.convert(x(H), "vech", "condensed"),
        ValueError,
        r"the diagonal of layout condensed is zero, but a\[0, 0\] is stored as 1\.0",
    ),
    "no other triangle": (
        lambda a, x: a.convert(x(H), "vech", "numpy-triu", kind="triangular"),
        ValueError,
        r"a lower triangular half cannot become one of the upper triangle: that is all zero",
    ),
    "a vector": (
        lambda a, x: a.matmul(x(H), x(H[:5])),
        ValueError,
        r"x has shape \(5,\), but beside a half of shape \(10,\), n = 4, fits \(\.\.\., 4\)",
    ),
    "a right side": (
        lambda a, x: a.solve(x(H), x(H[:5])),
        ValueError,
        r"b has shape \(5,\), but beside a half of shape \(10,\), n = 4, fits \(\.\.\., 4\)",
    ),
    "a factor": (
        lambda a, x: a.congruence(x(H), x(H.reshape(2, 5))),
        ValueError,
        r"X has shape \(2, 5\), but beside a half of shape \(10,\), n = 4, fits \(\.\.\., m, 4\)",
    ),
    "one row": (
        lambda a, x: a.gram(x(H)),
        ValueError,
        r"X has shape \(10,\), but a Gram matrix needs \(\.\.\., n, k\): a vector is X\[:, None\]",
    ),
    "two sides": (
        lambda a, x: a.inner(x(H), x(H[:6])),
        ValueError,
        r"a and b have halves of length 10 and 6: both need one side",
    ),
    "an exponent": (lambda a, x: a.power(x(H), 1j), TypeError, r"p must be a finite real number"),
    "an exponent beyond float64": (
        lambda a, x: a.power(x(H), 10**400),
        TypeError,
        r"p must be a finite real number, and is 10000",
    ),
    "a tolerance beyond float64": (
        lambda a, x: a.pack(x(np.eye(2, dtype="float32")), tolerance=10**400),
        ValueError,
        r"tolerance is 10000\S*, beyond float64: inf lets all differences pass",
    ),
    "a norm": (
        lambda a, x: a.norm(x(H), ord=3),
        ValueError,
        r"unknown ord 3: choose from 'fro', 'max', 1, 2, inf",
    ),
}


@cases.each("fault", list(FAULTS))
def test_errors_say_the_same(library, fault):
    call, error, message = FAULTS[fault]
    with pytest.raises(error) as caught:
        call(library.adapter, library.array)
    assert re.search(message, str(caught.value)), str(caught.value)


@cases.each("name", ("cholesky", "inverse", "logdet", "eigh", "log", "exp", "power", "solve"))
def test_what_is_not_its_own_adjoint_is_refused(library, name):
    for kind, numbers in (("skew", H), ("symmetric", H.astype("complex64"))):
        with pytest.raises(TypeError, match=f"{name} needs a matrix of kind .*, not a {kind} one of"):
            CASES[name].call(
                library.adapter,
                library.array(numbers),
                library.array(np.ones((4, 1), numbers.dtype)),
                layout="vech",
                kind=kind,
            )


@cases.each("name", ("congruence", "gram", "cholesky", "inverse", "log", "exp", "power"))
def test_a_diagonal_is_not_lost(library, name):
    call = CASES.get(name) or Case(lambda a, h, y, layout, kind: a.gram(y, layout), None)
    with pytest.raises(ValueError, match=r"has a diagonal, which .* does not store: take 'vech'"):
        call.call(
            library.adapter,
            library.array(np.zeros(6, "float32")),
            library.array(np.ones((4, 2), "float32")),
            layout="condensed",
            kind=None,
        )


@cases.each("half", ([1.0, np.nan, 2.0], [4.0, 1.0, np.inf], [np.inf, 0.0, 1.0]), ids=str)
@cases.each("name", ("cholesky", "inverse", "logdet", "log", "eigh", "solve"))
def test_what_is_not_finite_never_becomes_a_number(library, name, half):
    """It is told of, or NaN comes of it."""
    half, beside = (library.array(np.array(x, "float32")) for x in (half, np.ones((2, 1))))
    try:
        got = CASES[name].call(library.adapter, half, beside, layout="vech", kind=None)
    except (ValueError, RuntimeError) as error:
        assert re.search("finite|NaN|not positive|converge", str(error)), str(error)
    else:
        assert np.isnan(library.numbers(got)).any()
