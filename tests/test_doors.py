"""One door: whatever takes numbers takes them from every library, and refuses what would lose something."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech import covariance, images, linalg, pairwise

N = 4
RNG = np.random.default_rng(7)
X = RNG.normal(size=(16, N))
A = X.T @ X
LABELS = list("abcd")
S = vech.Packed(vech.pack(A))
H = vech.SparseHalf.from_half(S.half)
NAMED = vech.Packed(S.half, labels=LABELS)
HALF, VECTOR, ONES = S.half, np.arange(1.0, N + 1), np.ones(N)


def changed(name, x):
    """The half after a method that works in place."""
    store = S.copy()
    getattr(store, name)(x)
    return store.half


def factored(name, x):
    factor = linalg.cholesky(S)
    getattr(factor, name)(x)
    return factor.half


def assigned(x):
    store = S.copy()
    store[1] = x
    return store.half


def streamed(method, X=X, weights=None, **options):
    stream = covariance.Stream(method, **options)
    stream.update(X, weights=weights)
    return stream.result().half


def estimated(name, X):
    return getattr(covariance, name)(X).half


def beside(function, name):
    return lambda x: function(X, **{name: x}).half


SIGNS = np.sign(X)

# name: (call of one array, an array for it)
CALLS = {
    "pack": (vech.pack, A),
    "from_full": (lambda x: vech.Packed.from_full(x).half, A),
    "Packed": (lambda x: vech.Packed(x).half, HALF),
    "expand": (vech.expand, HALF),
    "convert": (lambda x: vech.convert(x, "vech", "numpy-tril"), HALF),
    "nonzeros": (lambda x: vech.nonzeros(x)[2], HALF),
    "to_coo": (lambda x: vech.to_coo(x).data, HALF),
    "to_csr": (lambda x: vech.to_csr(x).data, HALF),
    "to_csc": (lambda x: vech.to_csc(x).data, HALF),
    "identify": (lambda x: [str(found) for found in vech.identify(x, matrix=A)], HALF),
    "identify by a matrix": (lambda x: [str(found) for found in vech.identify(HALF, matrix=x)], A),
    "from_half": (lambda x: vech.SparseHalf.from_half(x).data, HALF),
    "data of a SparseHalf": (
        lambda x: vech.SparseHalf([0, 1, 3], [0, 0, 1], x, 2, triangle="lower").data,
        ONES[:3],
    ),
    "data of from_coo": (lambda x: vech.SparseHalf.from_coo([0, 1], [0, 1], x, 2).data, ONES[:2]),
    "matmul": (S.matmul, VECTOR),
    "matmul of columns": (S.matmul, X.T),
    "quadratic": (S.quadratic, VECTOR),
    "congruence of a diagonal": (lambda x: S.congruence(x).half, VECTOR),
    "congruence": (lambda x: S.congruence(x).half, X),
    "add_outer": (partial(changed, "add_outer"), VECTOR),
    "set_diagonal": (partial(changed, "set_diagonal"), VECTOR),
    "add_diagonal": (partial(changed, "add_diagonal"), VECTOR),
    "assignment": (assigned, VECTOR),
    "matmul of a SparseHalf": (H.matmul, VECTOR),
    "rmatvec of a SparseHalf": (H.rmatvec, VECTOR),
    "quadratic of a SparseHalf": (H.quadratic, VECTOR),
    "cholesky": (lambda x: linalg.cholesky(x).half, A),
    "inverse": (lambda x: linalg.inverse(x).half, A),
    "slogdet": (lambda x: linalg.slogdet(x)[1], A),
    "cond": (linalg.cond, A),
    "eigh": (lambda x: linalg.eigh(x)[0], A),
    "norm": (linalg.norm, A),
    "inner": (lambda x: linalg.inner(S, x), A),
    "eigsh": (lambda x: linalg.eigsh(x, 1)[0], A),
    "M of eigsh": (lambda x: linalg.eigsh(S, 1, M=x)[0], A),
    "v0": (lambda x: linalg.eigsh(S, 1, v0=x)[0], VECTOR),
    "OPinv": (lambda x: linalg.eigsh(S, 1, sigma=0.5, OPinv=x)[0], np.linalg.inv(A - 0.5 * np.eye(N))),
    "X of lobpcg": (lambda x: linalg.lobpcg(S, x, tol=1e-3, maxiter=90)[0], ONES[:, None]),
    "B of lobpcg": (lambda x: linalg.lobpcg(S, ONES[:, None], B=x, tol=1e-3, maxiter=90)[0], A),
    "solve": (lambda x: linalg.solve(x, VECTOR), A),
    "b of solve": (lambda x: linalg.solve(S, x), VECTOR),
    "b of solve, sparse": (lambda x: linalg.solve(H, x), VECTOR),
    "x0": (lambda x: linalg.solve(H, VECTOR, solver="cg", x0=x), VECTOR),
    "M of cg": (lambda x: linalg.solve(H, VECTOR, solver="cg", M=x), A),
    "b of a factor": (linalg.cholesky(S).solve, VECTOR),
    "L @ z": (lambda x: linalg.cholesky(S).L @ x, VECTOR),
    "L.solve": (linalg.cholesky(S).L.solve, VECTOR),
    "update": (partial(factored, "update"), VECTOR),
    "downdate": (partial(factored, "downdate"), VECTOR / 100),
    "nearest_correlation": (lambda x: linalg.nearest_correlation(x).matrix.half, A),
    "nearest_psd": (lambda x: linalg.nearest_psd(x).matrix.half, A),
    "shrink_to_psd": (lambda x: linalg.shrink_to_psd(x).matrix.half, A),
    "target": (lambda x: linalg.shrink_to_psd(S, x).matrix.half, A),
    "kronecker_square": (linalg.kronecker_square, A),
    "covariance_of_vech": (lambda x: linalg.covariance_of_vech(x, 9).half, A),
    "empirical_covariance_of_vech": (lambda x: linalg.empirical_covariance_of_vech(x).half, X),
    **{name: (partial(estimated, name), X) for name in cases.ESTIMATORS},
    **{name: (partial(estimated, name), SIGNS) for name in ("jaccard", "hamming", "matching")},
    "Stream.update": (lambda x: streamed("sample", x), X),
    "Stream of gerber": (lambda x: streamed("gerber", x, thresholds=0.5), X),
    "weights": (beside(covariance.sample, "weights"), np.ones(16)),
    "weights of a correlation": (beside(covariance.correlation, "weights"), np.ones(16)),
    "weights of gerber": (beside(covariance.gerber, "weights"), np.ones(16)),
    "weights of a stream": (lambda x: streamed("sample", weights=x), np.ones(16)),
    "threshold": (beside(covariance.gerber, "threshold"), ONES / 2),
    "thresholds": (lambda x: streamed("gerber", thresholds=x), ONES / 2),
    "center": (lambda x: streamed("gerber", thresholds=0.5, center=x), ONES / 9),
    "scale": (lambda x: streamed("gerber", thresholds=0.5, scale=x), ONES),
    "gram": (lambda x: pairwise.gram(x, store="packed").half, X),
    "cosine": (lambda x: pairwise.cosine(x, store="packed").half, X),
    "cooccurrence": (lambda x: pairwise.cooccurrence(x, store="packed").half, X),
    "distances": (lambda x: pairwise.distances(x).half, X),
    "nearest": (lambda x: pairwise.nearest(x, 2).values, X),
    "kernel between rows": (lambda x: pairwise.kernel(x).half, X),
    "product_codes": (lambda x: pairwise.product_codes(x, parts=1, codes=2).to_packed().half, X),
    "sampled_gram": (lambda x: covariance.sampled_gram(x, 4).gram.half, X),
    "kernel": (lambda x: images.convolution(x, (3, 3)).toarray(), ONES.reshape(2, 2)),
    "image": (lambda x: images.laplacian(x, beta=2.0).data, X),
}
INDICES = {
    "submatrix": lambda index: S.submatrix(index).half,
    "permute": lambda index: S.permute(index).half,
    "block": lambda index: S.block(index, [0]),
    "getitem": lambda index: S[index],
    "submatrix of a SparseHalf": lambda index: H.submatrix(index).expand(),
    "permute of a SparseHalf": lambda index: H.permute(index).expand(),
    "submatrix by places of a store with labels": lambda index: NAMED.submatrix(index).half,
}
NAN_ALLOWED = {  # moves keep NaN, products spread it, distances and masks count it, an image may have holes
    name
    for names in (
        "pack, from_full, Packed, expand, convert, nonzeros, to_coo, to_csr, to_csc",
        "identify, identify by a matrix, from_half, data of a SparseHalf, data of from_coo",
        "set_diagonal, add_diagonal, assignment, add_outer",
        "matmul, matmul of columns, quadratic, congruence, congruence of a diagonal, kronecker_square, L @ z",
        "matmul of a SparseHalf, rmatvec of a SparseHalf, quadratic of a SparseHalf",
        "norm, inner, kernel, image, gram, cooccurrence",
    )
    for name in names.split(", ")
}
pytestmark = pytest.mark.filterwarnings("ignore:lobpcg expands S")
LENGTH_FREE = {  # any length, or any number of rows, is one
    *(name for name, (_, good) in CALLS.items() if good is X or good is SIGNS),
    *("kernel", "kronecker_square", "congruence", "matmul of columns"),
}
every_call = cases.each(("call", "good"), CALLS.values(), ids=CALLS)


def frame_of(pandas, good):
    """A series or a frame, of equal labels where it is a square."""
    if good.ndim == 1:
        return pandas.Series(good)
    square = good is A
    return pandas.DataFrame(good, index=LABELS if square else None, columns=LABELS if square else None)


def same(found, wanted):
    if isinstance(wanted, list):
        assert found == wanted
        return
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(wanted, float), rtol=1e-6, atol=1e-9)


@every_call
def test_pandas_is_taken(call, good):
    pandas = pytest.importorskip("pandas")
    same(call(frame_of(pandas, good)), call(good))
    same(call(frame_of(pandas, good).astype("Float64")), call(good))


@every_call
def test_polars_is_taken(call, good):
    polars = pytest.importorskip("polars")
    same(call(polars.DataFrame(good) if good.ndim == 2 else polars.Series(good)), call(good))


@every_call
def test_xarray_is_taken(call, good):
    xarray = pytest.importorskip("xarray")
    same(call(xarray.DataArray(good)), call(good))


@every_call
def test_tensors_of_torch_are_taken(call, good):
    torch = pytest.importorskip("torch")
    same(call(torch.tensor(good)), call(good))


@every_call
def test_arrays_of_jax_are_taken(call, good):
    jax = pytest.importorskip("jax")
    with jax.enable_x64():
        same(call(jax.numpy.asarray(good)), call(good))


@every_call
def test_datasets_are_taken(call, good, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["good"] = good
        same(call(file["good"]), call(good))


REFUSED = {
    "a mask": (lambda good: np.ma.array(good, mask=good > good.mean()), TypeError, "a mask would be lost"),
    "a row with a mask": (
        lambda good: [np.ma.array(row, mask=True) for row in good],
        TypeError,
        "a mask would be lost",
    ),
    "a matrix": (np.matrix, TypeError, "must be a NumPy array, not numpy.matrix"),
    "objects": (lambda good: good.astype(object), TypeError, "object"),
    "text": (lambda good: good.astype(str), TypeError, "text"),
    "longdouble": (lambda good: good.astype(np.longdouble), TypeError, "differs between machines"),
    "a word": (lambda good: "half", TypeError, "half|str|text"),
    "a dict": (lambda good: dict(enumerate(good)), TypeError, "dict"),
}


@every_call
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_what_would_lose_something_is_refused(call, good):
    for name, (make, error, words) in REFUSED.items():
        if name == "longdouble" and np.finfo(np.longdouble).bits == 64:
            continue  # it is double here
        with pytest.raises(error, match=words):
            call(make(good))
            pytest.fail(f"{name} is taken")


@cases.each("name", sorted(CALLS.keys() - NAN_ALLOWED))
def test_nan_is_refused_where_nothing_can_be_made_of_it(name):
    call, good = CALLS[name]
    holed = np.full_like(good, np.nan)
    with pytest.raises(ValueError, match=r"(?i)nan"):
        call(holed)


@cases.each("name", sorted(CALLS.keys() - LENGTH_FREE))
def test_a_wrong_length_is_refused(name):
    call, good = CALLS[name]
    with pytest.raises(ValueError, match=r"shape|length|weights for|thresholds? for|for 4 columns|side"):
        call(np.ones((5, 3)) if good.ndim == 2 else np.ones(good.size + 1))


@pytest.mark.parametrize("call", INDICES.values(), ids=INDICES)
def test_indices_come_from_every_library(call):
    pandas, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    index = np.array([2, 0, 3, 1])
    for make in (list, pandas.Series, pandas.Index, torch.tensor):
        same(call(make(index)), call(index))
    for wrong in (np.ma.array(index, mask=index == 2), pandas.array([2, 0, 3, None]), index.astype(object)):
        with pytest.raises((TypeError, IndexError, KeyError, ValueError)):
            call(wrong)


TAKE_SPARSE = {"from_full", "M of eigsh", "OPinv", "M of cg"}
TAKE_SPARSE |= {"gram", "cosine", "cooccurrence", "distances", "nearest", "kernel between rows"}


@pytest.mark.parametrize("name", [name for name, (_, good) in CALLS.items() if np.ndim(good) == 2])
def test_sparse_matrices_are_taken_or_sent_where_they_are(name):
    call, good = CALLS[name]
    sparse = scipy.sparse.csr_array(good)
    if name in TAKE_SPARSE:
        same(call(sparse), call(good))
    elif name != "B of lobpcg":  # SciPy's own
        with pytest.raises(TypeError, match=r"toarray|from_sparse|from_full") as caught:
            call(sparse)
        said = str(caught.value)
        if "toarray()" in said:
            same(call(sparse.toarray()), call(good))
        if "use vech.from_sparse(x)" in said:
            same(vech.from_sparse(sparse), call(good))
        if "Packed.from_full(S)" in said:
            same(call(vech.Packed.from_full(sparse)), call(good))
        if "SparseHalf.from_sparse(S)" in said:
            call(vech.SparseHalf.from_sparse(sparse))


def test_places_and_known_numbers_have_no_mask():
    hidden = np.ma.array([1, 2], mask=[True, False])
    for call in (lambda: vech.Layout().position(hidden, 0, N), lambda: vech.Layout().pair(hidden, N)):
        with pytest.raises(TypeError, match="has no mask, which would be lost: fill it first"):
            call()
    with pytest.raises(
        TypeError, match=r"known\[0, 1\] must be a NumPy array, not numpy.ma.*a mask would be lost"
    ):
        vech.identify(HALF, known={(0, 1): np.ma.masked})


def test_operators_of_vech_algebra_take_and_refuse_the_same():
    D = linalg.kronecker_square(A, as_operator=True)
    pandas = pytest.importorskip("pandas")
    same(D @ pandas.Series(HALF), D @ HALF)
    for call in (D.matvec, D.dot, D.rmatvec):
        with pytest.raises(TypeError, match="a mask would be lost"):
            call(np.ma.array(HALF, mask=HALF > 0))


def test_what_has_no_labels_gives_plain_arrays():
    assert type(S @ VECTOR) is np.ndarray
    assert type(S @ list(VECTOR)) is np.ndarray


def test_every_estimator_is_in_this_file():
    """A new one is tried with everything above, or this fails."""
    others = {"Stream", "exponential_weights", "from_blocks", "Mantel", "mantel"}  # which take no X
    others |= {"ProductCodes", "SampledGram"}
    names = {*covariance.__all__, *pairwise.__all__} - others
    assert names <= CALLS.keys(), names - CALLS.keys()


# ---- one number --------------------------------------------------------------------------------------------


DEFINITE = vech.Packed(vech.pack(A + 4 * np.eye(N)))
NUMBERS = {
    "nearest_correlation tol": lambda x: linalg.nearest_correlation(DEFINITE, tol=x),
    "nearest_correlation floor": lambda x: linalg.nearest_correlation(DEFINITE, floor=x),
    "nearest_psd floor": lambda x: linalg.nearest_psd(DEFINITE, floor=x),
    "shrink_to_psd tol": lambda x: linalg.shrink_to_psd(DEFINITE, tol=x),
    "cg rtol": lambda x: linalg.solve(DEFINITE, ONES, solver="cg", rtol=x),
    "minres shift": lambda x: linalg.solve(DEFINITE, ONES, solver="minres", shift=x),
    "covariance_of_vech": lambda x: linalg.covariance_of_vech(DEFINITE, x),
    "eigsh sigma": lambda x: linalg.eigsh(DEFINITE, 1, sigma=x),
    "eigsh tol": lambda x: linalg.eigsh(DEFINITE, 1, tol=x),
    "lobpcg tol": lambda x: linalg.lobpcg(DEFINITE, ONES[:, None], tol=x),
    "power": lambda x: linalg.power(DEFINITE, x),
    "pack tolerance": lambda x: vech.pack(A, tolerance=x),
    "add_outer alpha": lambda x: S.copy().add_outer(ONES, x),
    "identify tolerance": lambda x: vech.identify(HALF, tolerance=x),
    "ddof": lambda x: covariance.sample(X, ddof=x),
    "half_life": lambda x: covariance.exponential_weights(3, x),
    "variance": lambda x: covariance.denoise(X, variance=x),
    "requantize": lambda x: vech.quantized.requantize(np.array([1, 2, 3], np.int32), x),
    "momentum": lambda x: vech.quantized.Observer("moving-average", momentum=x),
    "threshold": lambda x: vech.quantized.outliers(DEFINITE, "int8", threshold=x),
}
NONE_OF_IT = {
    "bool": True,
    "np.bool": np.True_,
    "text": "1_0",
    "masked": np.ma.masked,
    "masked array": np.ma.array(1.0, mask=True),
    "too large": 10**400,
}


@cases.each("call", NUMBERS.values(), ids=NUMBERS)
def test_an_argument_of_one_number_is_one(call):
    for value in NONE_OF_IT.values():
        with pytest.raises((TypeError, ValueError, OverflowError)) as caught:
            call(value)
        assert "too large to convert" not in str(caught.value) and len(str(caught.value)) < 200


@cases.each("store", [S, H], ids=["packed", "sparse"])
def test_a_number_that_is_masked_is_no_operand(store):
    for x in (np.ma.masked, np.ma.array(1.0, mask=True)):
        for compute in (np.add, np.multiply, np.equal):
            with pytest.raises(TypeError, match="an operand is a masked array, whose mask would be lost"):
                compute(store, x)
        with pytest.raises(TypeError, match="an operand is a masked array"):
            store * x


def test_a_matrix_of_weights_has_the_same_labels_on_both_axes():
    frame = pytest.importorskip("pandas").DataFrame(np.eye(N), index=LABELS, columns=list("dcba"))
    for call in (pairwise.distances, partial(pairwise.nearest, k=2)):
        with pytest.raises(ValueError, match="VI has rows 'a', 'b', 'c', "):
            call(X, metric="mahalanobis", VI=frame)
