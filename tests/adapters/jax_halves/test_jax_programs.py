"""What is JAX's own about its adapter: programs, transformations, pytrees; the contract holds the numbers."""

from functools import partial

import numpy as np
import pytest

import reference
import vech

jax = pytest.importorskip("jax", reason="the adapter of JAX needs jax>=0.4.36")
import jax.numpy as jnp

from vech.adapters import jax as vj
from vech.adapters.jax import foreign, plain
from vech.adapters.jax.primitives import convert_p, expand_p, fold_p, matmul_p, outer_p

try:
    from jax.experimental import enable_x64
except ImportError:
    enable_x64 = jax.enable_x64

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def usual_precision():
    """As JAX begins; some libraries set 64 bits for the whole process."""
    with enable_x64(False):
        yield


N = 5
LAYOUTS = (
    "vech",
    "numpy-tril",
    "numpy-triu",
    "condensed",
    "strict-triu",
    "lapack-rfp-nl",
    "tfp-fill-triangular-upper",
)


def definite(n=N, layout="vech", dtype="float32"):
    A = RNG.normal(size=(n, n))
    return vech.pack((A @ A.T / n + np.eye(n)).astype(dtype), layout)


HALF = definite()
X = RNG.normal(size=N).astype("float32")
SCALARS = {
    "expand": lambda h, x: (vj.expand(h) ** 2).sum(),
    "matmul": lambda h, x: (vj.matmul(h, x) ** 2).sum(),
    "quadratic": vj.quadratic,
    "congruence": lambda h, x: (vj.congruence(h, jnp.outer(x, x) + 1) ** 2).sum(),
    "gram": lambda h, x: vj.inner(vj.gram(x[:, None] + jnp.eye(N)), h),
    "cholesky": lambda h, x: (vj.cholesky(h) ** 3).sum(),
    "solve": lambda h, x: (vj.solve(h, x) ** 2).sum(),
    "inverse": lambda h, x: (vj.inverse(h) ** 2).sum(),
    "logdet": lambda h, x: vj.logdet(h) ** 2,
    "eigh": lambda h, x: (vj.eigh(h).values ** 3).sum() + (vj.eigh(h).vectors ** 4).sum(),
    "log": lambda h, x: (vj.log(h) ** 2).sum(),
    "exp": lambda h, x: (vj.exp(h) ** 2).sum(),
    "power": lambda h, x: (vj.power(h, -0.5) ** 2).sum(),
    "norm": lambda h, x: vj.norm(h) ** 3,
    "spd": lambda h, x: vj.logdet(vj.spd(h)) ** 2 + (vj.spd(h, by="softplus") ** 2).sum(),
}


# ---------------------------------------------------------------- primitives


@pytest.mark.parametrize("kind", ("symmetric", "hermitian", "skew", "triangular"))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_ways_of_a_primitive_give_the_same(layout, kind):
    """Kernels on the processor, and JAX's own operations, which other devices get."""
    order = vech.as_layout(layout)
    if layout.startswith("lapack-rfp") and kind not in ("hermitian", "triangular"):
        pytest.skip("rectangular full packed has no such form")
    n = 70  # products are by kernels from 64 on
    half = (RNG.normal(size=order.length(n)) + 1j * RNG.normal(size=order.length(n))).astype("complex64")
    full = (RNG.normal(size=(n, n)) + 1j * RNG.normal(size=(n, n))).astype("complex64")
    x, y = full[:, :2], full[:, 2:4]
    cases = [
        (expand_p, plain.expand, (half,), {"layout": order}),
        (fold_p, plain.fold, (full,), {"layout": order}),
    ]
    if kind != "triangular":
        cases += [
            (matmul_p, plain.matmul, (half, x), {"layout": order}),
            (outer_p, plain.outer, (x, y), {"layout": order}),
            (convert_p, plain.convert, (half,), {"source": order, "target": vech.as_layout("numpy-triu")}),
            (
                convert_p,
                plain.convert,
                (vech.pack(full, "vech", kind=kind, use="lower"),),
                {"source": vech.as_layout("vech"), "target": order},
            ),
        ]
    for primitive, anywhere, given, settings in cases:
        given = tuple(map(jnp.asarray, given))
        got = primitive.bind(*given, kind=kind, **settings)
        want = jax.jit(partial(anywhere, kind=kind, **settings))(*given)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4, err_msg=primitive.name)


def test_kernels_are_called_over_the_memory_of_xla():
    assert foreign.is_there()
    assert "custom_call" in jax.jit(vj.expand).lower(HALF).as_text()


@pytest.mark.parametrize("grow", (True, False))
def test_places_are_found_by_integers_of_32_bits(grow):
    """At the largest sides float32 is off by a row, which is put right."""
    n = 46_000
    layout = vech.as_layout("numpy-tril" if grow else "vech")
    ends = np.cumsum(np.arange(1, n + 1) if grow else np.arange(n, 0, -1))
    for place in (0, *ends[[0, 1, 4095, 33333, -2]] - 1, *ends[[0, 1, 4095, 33333, -2]], ends[-1] - 1):
        i, j = jax.jit(lambda k: plain.pair(k, layout, n))(jnp.int32(place))
        assert (int(i), int(j)) == tuple(map(int, layout.pair(int(place), n)))


def test_transposes_are_adjoints():
    """<c, f(x)> = <f^T(c), x> for the form Re(x y), which is JAX's."""
    order = vech.as_layout("numpy-triu")
    half = (RNG.normal(size=15) + 1j * RNG.normal(size=15)).astype("complex64")
    full = (RNG.normal(size=(5, 5)) + 1j * RNG.normal(size=(5, 5))).astype("complex64")
    for kind in ("symmetric", "hermitian", "skew", "skew-hermitian", "triangular"):
        expand = partial(expand_p.bind, layout=order, kind=kind)
        [back] = jax.linear_transpose(expand, half)(full)
        left, right = (full * expand(half)).sum().real, (back * half).sum().real
        np.testing.assert_allclose(left, right, rtol=1e-5)


# ---------------------------------------------------------------- transformations


@pytest.mark.slow
@pytest.mark.parametrize("name", SCALARS)
def test_derivatives_of_both_orders_and_modes(name):
    from jax.test_util import check_grads

    with enable_x64(True):
        apart = vech.pack(2 * np.diag(range(N)))  # eigenvalues, whose differences are divided by
        h, x = jnp.asarray(HALF + apart, float), jnp.asarray(X, float)
        check_grads(SCALARS[name], (h, x), order=2, modes=("fwd", "rev"), rtol=1e-4, atol=1e-4)


def test_programs_of_batches_of_gradients():
    h, xs = jnp.asarray(HALF), jnp.stack([X, 2 * X])
    by_h, by_x = jax.jit(jax.vmap(jax.grad(vj.quadratic, argnums=(0, 1)), in_axes=(None, 0)))(h, xs)
    full = reference.expand(HALF, vech.as_layout("vech"))
    for k, x in enumerate(np.asarray(xs)):
        np.testing.assert_allclose(by_x[k], 2 * full @ x, rtol=1e-4, atol=1e-4)
        outer = 2 * np.outer(x, x) - np.diag(x * x)
        np.testing.assert_allclose(by_h[k], vech.pack(outer), rtol=1e-5)
    hessian = jax.hessian(lambda x: vj.quadratic(h, x))(xs[0])
    np.testing.assert_allclose(hessian, 2 * full, rtol=1e-5)
    _, along = jax.jvp(vj.logdet, (h,), (h,))
    np.testing.assert_allclose(along, N, rtol=1e-4)  # d/dt log det((1 + t) S)


@pytest.mark.parametrize("axes", ((0, 0), (None, 1), (1, None)))
def test_vmap_over_any_axis(axes):
    halves, xs = np.stack([HALF, 2 * HALF]), np.stack([X, -X, X])
    halves = halves.T if axes[0] == 1 else halves[0] if axes[0] is None else halves
    xs = xs.T if axes[1] == 1 else xs[:2] if axes[1] == 0 else X
    got = jax.vmap(vj.matmul, in_axes=axes)(halves, xs)
    full = reference.expand(HALF, vech.as_layout("vech"))
    want = {
        (0, 0): [full @ X, -2 * full @ X],
        (None, 1): [full @ X, -full @ X, full @ X],
        (1, None): [full @ X, 2 * full @ X],
    }[axes]
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_metric_is_a_matter_of_gradients_alone():
    loss = lambda h, metric: (vj.matmul(h, X, metric=metric) ** 2).sum()
    packed, full = (jax.grad(loss)(HALF, metric) for metric in ("packed", "full"))
    np.testing.assert_allclose(full, vj.to_metric(packed), rtol=1e-6)
    assert loss(HALF, "packed") == loss(HALF, "full")


# ---------------------------------------------------------------- what is kept


def residuals(function, *given):
    kept = jax.tree_util.tree_leaves(jax.vjp(function, *map(jnp.asarray, given))[1])
    return sorted((int(x.size) for x in kept if hasattr(x, "size")), reverse=True)


@pytest.mark.parametrize("name", ("expand", "cholesky", "inverse", "logdet", "log", "exp"))
def test_no_square_is_kept_for_a_gradient(name):
    half = definite(70)
    kept = residuals(lambda h: getattr(vj, name)(h), half)
    assert sum(kept) <= half.size + 70 * 4, kept


def test_products_keep_a_half_at_most():
    half, x = definite(70), np.ones(70, "float32")
    assert sum(residuals(vj.matmul, half, x)) <= half.size + 70
    assert sum(residuals(vj.quadratic, half, x)) <= 2 * 70 + 8
    assert sum(residuals(vj.solve, half, x)) <= half.size + 2 * 70


def test_no_table_of_indices_is_a_part_of_a_program():
    h, x = jax.ShapeDtypeStruct((2048 * 2049 // 2,), "float32"), jax.ShapeDtypeStruct((2048,), "float32")
    for function, given in ((vj.expand, (h,)), (vj.quadratic, (h, x)), (vj.logdet, (h,))):
        traced = jax.make_jaxpr(jax.grad(lambda *given, f=function: f(*given).sum()))(*given)
        assert all(np.size(constant) <= 2048 for constant in traced.consts)
    text = jax.jit(partial(plain.expand, layout=vech.as_layout("vech"), kind="symmetric")).lower(h).as_text()
    assert len(text) < 20_000


def test_forward_and_backward_of_a_form_make_no_square():
    n = 1024
    h, x = jax.ShapeDtypeStruct((n * (n + 1) // 2,), "float32"), jax.ShapeDtypeStruct((n,), "float32")
    program = jax.jit(jax.value_and_grad(vj.quadratic, argnums=(0, 1))).lower(h, x).compile()
    assert program.memory_analysis().temp_size_in_bytes < n * n


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("dtype", ("bfloat16", "float16"))
def test_narrow_floats_are_added_up_in_float32(dtype):
    n = 600
    half = jnp.ones(n * (n + 1) // 2, dtype)
    x = jnp.full(n, 0.5, dtype)
    assert vj.matmul(half, x).dtype == dtype
    assert float(vj.matmul(half, x)[0]) == pytest.approx(n / 2, rel=2**-8)
    assert float(vj.quadratic(half, x)) == pytest.approx(n * n / 4, rel=2**-7) or dtype == "float16"
    assert float(vj.norm(half)) == pytest.approx(n, rel=2**-7)
    assert vj.expand(half, "svec-lower").dtype == dtype
    assert jax.grad(lambda h: vj.matmul(h, x).astype("float32").sum())(half).dtype == dtype
    with pytest.raises(
        TypeError, match=f"half has dtype {dtype}, with which cholesky does not compute: astype"
    ):
        vj.cholesky(half)


@pytest.mark.filterwarnings("error")
def test_float32_stays_float32():
    for name, function in SCALARS.items():
        assert jax.eval_shape(jax.grad(function), HALF, X).dtype == "float32", name
    assert vj.expand(HALF.astype(float)).dtype == "float32"  # as everywhere in JAX
    with enable_x64(True):
        assert vj.expand(HALF.astype(float)).dtype == "float64"


def test_dtypes_of_two_arguments_are_promoted():
    assert vj.matmul(HALF, X.astype("complex64")).dtype == "complex64"
    assert vj.matmul(jnp.asarray(HALF, "bfloat16"), X).dtype == "float32"


# ---------------------------------------------------------------- tracing


def test_shapes_are_told_without_computing():
    h = jax.ShapeDtypeStruct((3, 10), "float32")
    assert jax.eval_shape(vj.expand, h).shape == (3, 4, 4)
    assert jax.eval_shape(partial(vj.convert, source="vech", target="numpy-triu"), h).shape == (3, 10)
    assert jax.eval_shape(vj.gram, jax.ShapeDtypeStruct((2, 5, 3), "float32")).shape == (2, 15)
    assert jax.eval_shape(vj.eigh, h).vectors.shape == (3, 4, 4)


def test_wrong_shapes_are_one_error_when_they_are_traced():
    with pytest.raises(ValueError, match="a half of length 7 fits no n: with its diagonal"):
        jax.jit(vj.expand)(jnp.ones(7))
    with pytest.raises(
        ValueError, match=r"x has shape \(3,\), but beside a half of shape \(15,\), n = 5, fits"
    ):
        jax.jit(jax.grad(vj.quadratic))(HALF, jnp.ones(3))
    with pytest.raises(TypeError, match="half is int32, and only floating and complex numbers compute"):
        jax.jit(vj.matmul)(jnp.arange(15), X)


def test_static_arguments():
    by_name = jax.jit(vj.expand, static_argnames=("layout", "kind"))
    np.testing.assert_array_equal(by_name(HALF, layout="numpy-triu"), vech.expand(HALF, "numpy-triu"))
    layout = vech.Layout("upper", "rows")
    np.testing.assert_array_equal(jax.jit(vj.expand)(HALF, layout), vech.expand(HALF, layout))


def test_what_a_program_cannot_raise_is_nan():
    crooked = np.array([[1, 2], [3, 4]], "float32")
    assert np.isnan(jax.jit(vj.pack)(crooked)).all()
    assert np.isnan(jax.jit(partial(vj.pack, layout="condensed"))(np.eye(2, dtype="float32"))).all()
    assert np.isnan(jax.jit(partial(vj.convert, source="vech", target="condensed"))(HALF)).all()
    np.testing.assert_array_equal(jax.jit(partial(vj.pack, use="lower"))(crooked), [1, 3, 4])
    np.testing.assert_array_equal(jax.jit(partial(vj.pack, tolerance=1))(crooked), [1, 3, 4])
    with pytest.raises(TypeError, match="pack compares numbers here, and of traced int32 it cannot tell"):
        jax.jit(vj.pack)(crooked.astype("int32"))
    np.testing.assert_array_equal(vj.pack(np.eye(2, dtype="int32")), [1, 0, 1])
    assert np.isnan(vj.cholesky(-HALF)).any() and np.isnan(vj.logdet(-HALF))


def test_donated_buffers():
    h = jnp.asarray(HALF)
    got = jax.jit(partial(vj.convert, source="vech", target="numpy-triu"), donate_argnums=0)(h)
    np.testing.assert_array_equal(got, vech.convert(HALF, "vech", "numpy-triu"))


def test_a_fault_in_a_kernel_is_an_error_of_the_program():
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"OverflowError: .* has no negative in int8"):
        smallest = jnp.full(3, -128, "int8")
        vj.expand(smallest, kind="skew").block_until_ready()


def test_powers_are_numbers():
    with pytest.raises(
        TypeError, match=r"p must be a finite real number, and is .*: the exponent is never traced"
    ):
        jax.jit(vj.power)(HALF, 0.5)


# ---------------------------------------------------------------- pytrees


def test_stores_are_pytrees_of_their_halves():
    S = vech.Packed(HALF, labels="abcde")
    twice = jax.tree_util.tree_map(lambda x: 2 * x, S)
    assert isinstance(twice, vech.Packed) and twice.labels == S.labels
    np.testing.assert_array_equal(twice @ X, 2 * (S @ X))
    doubled = jax.jit(lambda S: jax.tree_util.tree_map(lambda x: 2 * x, S))(S)
    assert isinstance(doubled.half, np.ndarray)
    np.testing.assert_array_equal(doubled.expand(), twice.expand())
    gradient = jax.grad(lambda S: vj.quadratic(S.half, X, S.layout, kind=S.kind))(S)
    np.testing.assert_allclose(gradient.half, jax.grad(vj.quadratic)(HALF, X), rtol=1e-6)
    leaves, structure = jax.tree_util.tree_flatten(S)
    assert len(leaves) == 1
    for stand_in in (object(), None, True, np.zeros(3)):
        assert jax.tree_util.tree_unflatten(structure, [stand_in]).half is stand_in
    [(path, _)] = jax.tree_util.tree_flatten_with_path(S)[0]
    assert jax.tree_util.keystr(path) == ".half"


def test_layouts_are_a_part_of_the_structure():
    for name in ("svec-lower", "lapack-rfp-nl", "tfp-fill-triangular-lower", "voigt-stress"):
        layout = vech.as_layout(name)
        assert jax.tree_util.tree_leaves(layout) == []
        assert jax.jit(lambda layout: jnp.ones(layout.length(3)))(layout).shape == (6,)
    traced = []
    program = jax.jit(lambda h, layout: traced.append(layout) or vj.expand(h, layout))
    for layout in ("vech", "vech", "numpy-triu"):
        program(HALF, vech.as_layout(layout))
    assert len(traced) == 2
