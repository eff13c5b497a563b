"""What other libraries offer for the same job; None where a library is not installed."""

import functools
import importlib
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

NAMES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "kmedoids",
    "scikit-bio",
    "statsmodels",
    "pyscf",
    "triarray",
    "skfolio",
    "riskfolio-lib",
    "pandas",
    "sparse_dot_mkl",
    "sparse_dot_topn",
    "python-graphblas",
)

Array = np.ndarray[Any, Any]
Call = Callable[[], object]


@functools.cache
def blas_threads() -> Any | None:
    """What changes the number of BLAS threads while a program runs."""
    threadpoolctl = load("threadpoolctl")
    return threadpoolctl and threadpoolctl.ThreadpoolController()


def threaded(count: int, **calls: Call) -> dict[str, Call]:
    """The same calls with so many BLAS threads, by their names; none without threadpoolctl."""
    controller = blas_threads()

    def run(call: Call) -> None:
        with controller.limit(limits=count):
            call()

    return (
        {f"{name}, {count} threads": partial(run, call) for name, call in calls.items()} if controller else {}
    )


@functools.cache
def load(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def pyscf_unpack(half: Array, out: Array | None = None) -> Call | None:
    """numpy-tril to full, symmetric or Hermitian."""
    pyscf = load("pyscf.lib")
    return pyscf and partial(pyscf.unpack_tril, half, out=out)


def pyscf_pack(full: Array, out: Array) -> Call | None:
    """Full to numpy-tril."""
    pyscf = load("pyscf.lib")
    return pyscf and partial(pyscf.pack_tril, full, out=out)


def squareform(half_or_full: Array) -> Call | None:
    """condensed to full, and back."""
    distance = load("scipy.spatial.distance")
    return distance and partial(distance.squareform, half_or_full, checks=False)


def lapack(name: str, *arguments: Any, **options: Any) -> Call | None:
    """One of LAPACK's own conversions, into new memory."""
    routines = load("scipy.linalg.lapack")
    return routines and partial(getattr(routines, name), *arguments, **options)


def scipy_linkage(half: Array, method: str) -> Call | None:
    """The tree of condensed distances."""
    hierarchy = load("scipy.cluster.hierarchy")
    return hierarchy and partial(hierarchy.linkage, half, method)


def pdist(X: Array, metric: str, **arguments: Any) -> Call | None:
    """Condensed distances between rows."""
    spatial = load("scipy.spatial.distance")
    return spatial and partial(spatial.pdist, X, metric, **arguments)


def statsmodels_unvech(half: Array) -> Call | None:
    """vech to full, in float64."""
    tools = load("statsmodels.tsa.tsatools")
    return tools and partial(tools.unvech, half)


def statsmodels_vech(full: Array) -> Call | None:
    """Full to vech."""
    tools = load("statsmodels.tsa.tsatools")
    return tools and partial(tools.vech, full)


def statsmodels_nearest_correlation(full: Array) -> Call | None:
    """The nearest correlation, full to full, in at most 100 n steps."""
    tools = load("statsmodels.stats.correlation_tools")

    def call() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it stops at its limit
            return tools.corr_nearest(full)

    return tools and call


def triarray_matrix(half: Array) -> Call | None:
    """condensed to full."""
    triarray = load("triarray")
    return triarray and partial(triarray.tri_to_matrix, half, upper=True)


def triarray_half(full: Array, out: Array) -> Call | None:
    """Full to condensed."""
    triarray = load("triarray")
    return triarray and partial(triarray.matrix_to_tri, full, out=out, upper=True)


def numpy_expand(half: Array, n: int) -> Array:
    """vech to full in three lines of NumPy."""
    full = np.empty((n, n), half.dtype)
    i, j = np.triu_indices(n)
    full[i, j] = half
    full[j, i] = half
    return full


def scipy_triangle(half: Array, n: int, grow: bool) -> Any:
    """A half to the triangle its scan gives: NumPy places the nonzeros, SciPy makes the CSR array."""
    from scipy import sparse

    found = np.flatnonzero(half)
    slots = found if grow else half.size - 1 - found
    i = ((np.sqrt(8.0 * slots + 1) - 1) / 2).astype(np.int64)
    j = slots - i * (i + 1) // 2
    if not grow:
        i, j = n - 1 - i, n - 1 - j
    return sparse.coo_array((half[found], (i, j)), shape=(n, n)).tocsr()


def scipy_full(half: Array, n: int) -> Array:
    """vech to full by way of a sparse matrix."""
    upper = scipy_triangle(half, n, grow=False)
    full: Array = upper.toarray()
    mirror = upper.T.tocoo()
    full[mirror.row, mirror.col] = mirror.data
    return full


def symv(full: Array, x: Array) -> Call | None:
    """BLAS on one triangle of the full matrix: dsymv, ssymv."""
    blas = load("scipy.linalg.blas")
    return blas and partial(blas.dsymv if full.dtype == np.float64 else blas.ssymv, 1.0, full.T, x)


def spmv(half: Array, x: Array) -> Call | None:
    """BLAS on a half: dspmv, sspmv."""
    blas = load("scipy.linalg.blas")
    return blas and partial(blas.dspmv if half.dtype == np.float64 else blas.sspmv, x.size, 1.0, half, x)


def floats_gerber(x: Array, threshold: float) -> Call | None:
    """The Gerber covariance GS1 by BLAS: signs and moves in float32, one triangle of the products of each."""
    blas = load("scipy.linalg.blas")

    def call() -> Array:
        deviation = x.std(axis=0)
        bound = threshold * deviation
        above, below = x >= bound, x <= -bound
        signs, moves = np.subtract(above, below, dtype=np.float32), (above | below).astype(np.float32)
        over = blas.ssyrk(1.0, signs.T, lower=True)
        both = blas.ssyrk(1.0, moves.T, lower=True)
        n = both.diagonal()
        over /= n[:, None] + n - both
        return over * deviation[:, None] * deviation

    return blas and call


def two_syrk(X: Array) -> Call | None:
    """One triangle of the products of the columns of a float32 matrix, twice."""
    blas = load("scipy.linalg.blas")

    def call() -> object:
        return blas.ssyrk(1.0, X.T, lower=True), blas.ssyrk(1.0, X.T, lower=True)

    return blas and call


def skfolio_gerber(X: Array, threshold: float) -> Call | None:
    """The Gerber covariance GS1, full, without a look at its eigenvalues."""
    moments = load("skfolio.moments")
    if moments is None:
        return None
    return partial(moments.GerberCovariance(threshold=threshold, psd_variant=True, nearest=False).fit, X)


def riskfolio_gerber(X: Array, threshold: float) -> Call | None:
    """The Gerber covariance GS1, full."""
    statistics = load("riskfolio.src.GerberStatistic")
    return statistics and partial(statistics.gerber_cov_stat1, X, threshold)


def scipy_kendall(X: Array, every: int) -> Call | None:
    """tau-b of one pair of columns in so many."""
    stats = load("scipy.stats")
    columns = np.ascontiguousarray(X.T)
    pairs = np.transpose(np.triu_indices(len(columns), 1))[::every]

    def call() -> list[float]:
        return [stats.kendalltau(columns[i], columns[j]).statistic for i, j in pairs]

    return stats and call


def pandas_kendall(X: Array) -> Call | None:
    """tau-b of all pairs of columns, full."""
    pandas = load("pandas")
    return pandas and partial(pandas.DataFrame(X).corr, "kendall")


def syrk(X: Array) -> Call | None:
    """One triangle of the products of the columns, by BLAS, not centred."""
    blas = load("scipy.linalg.blas")
    return blas and partial(blas.dsyrk, 1.0, X.T)


def scikit_learn_covariance(name: str, X: Array) -> Call | None:
    """An estimator of scikit-learn's, without its precision."""
    estimators = load("sklearn.covariance")
    return estimators and partial(getattr(estimators, name)(store_precision=False).fit, X)


def scipy_spearman(X: Array) -> Call | None:
    """Spearman's correlation of all pairs of columns, full."""
    stats = load("scipy.stats")
    return stats and partial(stats.spearmanr, X)


def pandas_spearman(X: Array) -> Call | None:
    """Spearman's correlation of all pairs of columns, full."""
    pandas = load("pandas")
    return pandas and partial(pandas.DataFrame(X).corr, "spearman")


def product(X: Any, Y: Any) -> Any:
    """Both triangles, and columns in no order."""
    return X @ Y


def mkl_gram(X: Any, **options: Any) -> Call | None:
    """The upper triangle of X X^T by mkl_sparse_syrk."""
    mkl = _mkl()
    return mkl and partial(mkl.gram_matrix_mkl, X, transpose=True, **options)


def topn_product(X: Any) -> Call | None:
    """Both triangles of X X^T."""
    topn = load("sparse_dot_topn")
    if topn is None:
        return None
    from scipy.sparse import csr_matrix  # it takes no arrays

    return partial(topn.sp_matmul, csr_matrix(X), csr_matrix(X.T), n_threads=1)


def cosines(X: Any) -> Call | None:
    """Both triangles of the cosines between rows."""
    metrics = load("sklearn.metrics.pairwise")
    return metrics and partial(metrics.cosine_similarity, X, dense_output=False)


def pairwise_distances(X: Any, metric: str) -> Call | None:
    """Both triangles of the distances between rows."""
    metrics = load("sklearn.metrics")
    return metrics and partial(metrics.pairwise_distances, X, metric=metric)


def pairwise_kernels(X: Array, metric: str) -> Call | None:
    """Both triangles of the kernel between rows."""
    metrics = load("sklearn.metrics.pairwise")
    return metrics and partial(metrics.pairwise_kernels, X, metric=metric)


def fitted(name: str, **parameters: Any) -> Any | None:
    """scikit-learn's clusters of a full matrix of distances."""
    module = load("sklearn.cluster")
    return module and getattr(module, name)(metric="precomputed", **parameters).fit


def silhouettes(labels: Array) -> Any | None:
    metrics = load("sklearn.metrics")
    return metrics and partial(metrics.silhouette_samples, labels=labels, metric="precomputed")


def fasterpam(begin: Array) -> Any | None:
    """The medoids of Schubert's own package, from the same beginning, in one thread."""
    module = load("kmedoids")
    return module and partial(module.fasterpam, medoids=begin.astype(np.uint64), n_cpu=1)


def scikit_bio_pcoa(half: Array, k: int) -> Call | None:
    skbio, ordination = load("skbio"), load("skbio.stats.ordination")
    if not (skbio and ordination):
        return None
    return partial(ordination.pcoa, skbio.DistanceMatrix(half), dimensions=k, warn_neg_eigval=False)


def scikit_bio_mantel(half: Array, other: Array, permutations: int) -> Call | None:
    skbio, distance = load("skbio"), load("skbio.stats.distance")
    if not (skbio and distance):
        return None
    matrices = (skbio.DistanceMatrix(half), skbio.DistanceMatrix(other))
    return partial(distance.mantel, *matrices, permutations=permutations, seed=0)


def scikit_learn_kernel_pca(full: Array, k: int) -> Call | None:
    module = load("sklearn.decomposition")
    return module and partial(module.KernelPCA(k, kernel="precomputed").fit_transform, full)


def scikit_learn_smacof(full: Array, start: Array, iterations: int) -> Call | None:
    module = load("sklearn.manifold")
    return module and partial(module.smacof, full, init=start, n_init=1, max_iter=iterations)


def scikit_learn_spectral(graph: Any, k: int) -> Call | None:
    module = load("sklearn.manifold")
    return module and partial(module.spectral_embedding, graph, n_components=k, random_state=0)


def mkl_product(matrix: Any, x: Array) -> Call | None:
    """MKL's product of a full CSR matrix, which it inspects anew for each product."""
    mkl = _mkl()
    return mkl and partial(mkl.dot_product_mkl, matrix, x)


def mkl_prepared_product(matrix: Any, x: Array) -> Call | None:
    """MKL's product with a vector of a full CSR matrix that it has optimized for many: that is not timed."""
    if _mkl() is None:
        return None
    from sparse_dot_mkl import _mkl_interface as mkl

    handle, double, _ = mkl._create_mkl_sparse(matrix)
    general, plain, y = mkl.matrix_descr(), 10, np.empty_like(x)
    library = mkl._cfunctions._libmkl
    for status in (
        library.mkl_sparse_set_mv_hint(handle, plain, general, 1000),
        library.mkl_sparse_optimize(handle),
    ):
        if status:
            raise RuntimeError(f"MKL does not optimize: status {status}")
    multiply = mkl.MKL._mkl_sparse_d_mv if double else mkl.MKL._mkl_sparse_s_mv

    def call() -> Array:
        multiply(plain, 1.0, handle, general, x, 0.0, y)
        return y

    call.matrix = matrix  # type: ignore[attr-defined]  # whose arrays MKL reads
    return call


def _mkl() -> Any:
    libraries = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))
    if libraries:
        os.environ.setdefault("MKL_RT", str(libraries[-1]))
    return load("sparse_dot_mkl")


def graphblas(matrix: Any) -> Any:
    """A full matrix as GraphBLAS holds it, of one thread: making it is not timed."""
    library = load("graphblas")
    if library is None:
        return None
    library.ss.config["nthreads"] = 1
    return library.io.from_scipy_sparse(matrix)


def graphblas_product(held: Any, x: Array) -> Call | None:
    if held is None:
        return None
    vector = load("graphblas").Vector.from_dense(x)  # type: ignore[union-attr]
    return lambda: held.mxv(vector).new().wait()


def graphblas_triangle(held: Any) -> Call | None:
    return None if held is None else lambda: held.select("tril").new().wait()


def graphblas_mirror(held: Any) -> Call | None:
    """Full from the lower triangle."""
    if held is None:
        return None
    lower, strict = held.select("tril").new(), held.select("tril", -1).new()
    return lambda: lower.ewise_add(strict.T, "plus").new().wait()


def pandas_table(path: Path) -> Call | None:
    """The parser in C, which is what pandas takes where nothing else is said."""
    pandas = load("pandas")
    return pandas and partial(pandas.read_csv, path)
