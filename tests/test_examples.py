"""The examples run, and what they find is what other programs find."""

import contextlib
import functools
import io
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import vech

pytest.importorskip(
    "sklearn", reason="the examples use the data sets of scikit-learn, which is not installed"
)
plt = pytest.importorskip("matplotlib.pyplot", reason="each example draws a picture")

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
SLOW = {"inverse_roots", "quantized_training", "shampoo_digits"}


def described():
    """docs/needs.py, which says what an example needs."""
    return runpy.run_path(str(EXAMPLES.parent / "docs" / "needs.py"))


def load(name):
    """What an example defines and finds; each runs once, and is skipped where its libraries are missing."""
    need(name)
    return run(name).found


def need(name):
    if missing := described()["missing"](name):
        pytest.skip(f"{name} needs {', '.join(missing)}, which is not installed")


class Run(NamedTuple):
    """The names of an example, what it printed, and how many pictures it drew."""

    found: SimpleNamespace
    printed: str
    drawn: int


@functools.cache
def run(name):
    """An example as it runs where there is no screen."""
    printed, drawn = io.StringIO(), 0
    plt.switch_backend("agg")
    plt.close("all")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", [f"{name}.py"])
        patch.setattr(plt, "show", lambda: None)
        found = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.canvas.draw()
        drawn += bool(figure.axes)
    plt.close("all")
    return Run(SimpleNamespace(**found), printed.getvalue(), drawn)


@pytest.fixture(scope="module")
def equations():
    return load("structural_equations")


@pytest.fixture(scope="module")
def process():
    return load("gaussian_process")


def test_the_gallery_has_fifteen_examples_and_more():
    assert len(NAMES) >= 15


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]
)
def test_an_example_prints_its_results_and_draws_them(name):
    load(name)
    example = run(name)
    assert len(re.findall(r"\d\.\d", example.printed)) > 3
    assert "nan" not in example.printed
    assert example.drawn >= 1


@pytest.mark.parametrize("name", NAMES)
def test_an_example_reads_as_a_page(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    _, title, line = text.removeprefix("r").split("\n")[:3]
    assert set(line) == {"="} and len(line) == len(title)
    assert "\nYou learn: " in text or " You learn: " in text
    *cells, following = text.split("\n# %%\n")[1:]
    assert len(cells) >= 3 and all(cell.startswith("# ") for cell in cells)
    assert cells[-1].endswith("plt.show()\n")
    example, page = re.fullmatch(r"# Next: (examples/\w+\.py), .+; (docs/[\w/-]+\.md)\n", following).groups()
    assert (EXAMPLES.parent / example).exists() and (EXAMPLES.parent / page).exists()
    assert Path(example).stem != name


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_is_said_in_one_line(name, monkeypatch):
    need(name)  # one of several that are missing would be named
    text = (EXAMPLES / f"{name}.py").read_text()
    guard = text[text.index("\ntry:\n") : text.index("except ImportError as error:")]
    libraries = sorted(set(re.findall(r"^    (?:from|import) (\w+)", guard, re.MULTILINE)))
    assert "matplotlib" in libraries
    for library in libraries:
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            for loaded in [library, *sys.modules]:
                if loaded.partition(".")[0] == library:
                    patch.setitem(sys.modules, loaded, None)
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        said = str(ended.value)
        assert library in said.partition(": pip install ")[0] and "\n" not in said
        assert "matplotlib" in said.partition(": pip install ")[2]


def test_what_an_example_needs_is_what_it_imports(tmp_path):
    found = described()
    assert found["names"]() == NAMES
    (tmp_path / "one.py").write_text(
        "import json, no_such.part\nfrom numpy import pi\ntry:\n    from nor_this.one import x\n"
        "except ImportError:\n    raise\n"
    )
    found["missing"].__globals__["FOLDER"] = tmp_path
    assert found["missing"]("one") == ["no_such", "nor_this"]


def derivative(function, theta, step=1e-6):
    """Central differences, one row a parameter."""
    return np.array(
        [(function(theta + e) - function(theta - e)) / (2 * step) for e in step * np.eye(theta.size)]
    )


# ---------------------------------------------------------------- structural equations


def test_the_implied_covariance_and_the_discrepancy_are_their_formulas(equations):
    X = equations.wine()
    model = equations.Model(list(equations.VARIABLES.values()))
    S = np.cov(X.T, bias=True)
    theta = model.start() + 0.1 * np.arange(model.start().size) / 15
    loadings, own, factors = model.parts(theta)
    sigma = loadings @ factors.expand() @ loadings.T + np.diag(own)
    np.testing.assert_allclose(model.sigma(theta).expand(), sigma, rtol=1e-13)
    value, _ = equations.discrepancy(theta, model, vech.Packed(vech.pack(S)))
    want = np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(S)[1] + np.trace(S @ np.linalg.inv(sigma)) - 7
    assert value == pytest.approx(want, rel=1e-12)


def test_the_derivatives_of_the_discrepancy_are_right(equations):
    X = equations.wine()
    model = equations.Model(list(equations.VARIABLES.values()))
    S = vech.Packed(vech.pack(np.cov(X.T, bias=True)))
    theta = model.start() + 0.1 * np.arange(model.start().size) / 15
    np.testing.assert_allclose(
        model.jacobian(theta).T, derivative(lambda at: model.sigma(at).half, theta), atol=1e-9
    )
    gradient = equations.discrepancy(theta, model, S)[1]
    np.testing.assert_allclose(
        gradient, derivative(lambda at: equations.discrepancy(at, model, S)[0], theta), atol=1e-7
    )


def test_one_factor_is_found_where_scikit_learn_finds_it(equations):
    from sklearn.decomposition import FactorAnalysis

    X = equations.wine()[:, :4]
    found = equations.fit(X, [0, 0, 0, 0])
    other = FactorAnalysis(1, tol=1e-12, max_iter=20_000, svd_method="lapack").fit(X)
    np.testing.assert_allclose(np.abs(found.theta[:4]), np.abs(other.components_[0]), atol=1e-4)
    np.testing.assert_allclose(np.exp(found.theta[4:]), other.noise_variance_, atol=1e-4)
    S = np.cov(X.T, bias=True)
    normal = -(np.linalg.slogdet(S)[1] + 4 * (1 + np.log(2 * np.pi))) / 2
    assert normal - found.discrepancy / 2 == pytest.approx(other.score(X), abs=1e-8)


def test_standard_errors_are_those_of_repeated_samples(equations):
    rng = np.random.default_rng(0)
    truth = np.array([0.8, 0.7, 0.6, 0.5, 0.9])
    estimates, errors, robust = [], [], []
    for _ in range(30):
        X = rng.normal(size=(300, 1)) * truth + rng.normal(size=(300, 5)) * np.sqrt(1 - truth**2)
        found = equations.fit(X, [0] * 5)
        estimates.append(np.abs(found.theta[:5]))
        errors.append(found.errors[:5])
        robust.append(found.robust_errors[:5])
    np.testing.assert_allclose(np.mean(estimates, axis=0), truth, atol=0.03)
    for said in (errors, robust):
        ratio = np.mean(said, axis=0) / np.std(estimates, axis=0)
        assert 0.7 < np.mean(ratio) < 1.3


# ---------------------------------------------------------------- the Gaussian process


def regressor(theta):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    scale, length, noise = np.exp(theta)
    kernel = ConstantKernel(scale) * RBF(length) + WhiteKernel(noise)
    return GaussianProcessRegressor(kernel, alpha=0, optimizer=None)


def test_the_likelihood_and_its_gradient_are_those_of_scikit_learn(process):
    from scipy.spatial.distance import pdist

    X, y = process.diabetes()
    theta = np.array([0.3, 1.2, -0.4])
    value, gradient = process.log_likelihood(theta, pdist(X, "sqeuclidean"), y)
    want, slopes = regressor(theta).fit(X, y).log_marginal_likelihood(theta, eval_gradient=True)
    assert value == pytest.approx(want, rel=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-9)


def test_the_predictions_are_those_of_scikit_learn(process):
    X, y = process.diabetes()
    fitted = process.fit(X[:200], y[:200])
    mean, deviation = process.predict(fitted, X[200:])
    other = regressor(fitted.theta).fit(X[:200], y[:200])
    want = other.predict(X[200:], return_std=True)
    np.testing.assert_allclose(mean, want[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(deviation, want[1], rtol=1e-8)
    slopes = other.log_marginal_likelihood(fitted.theta, eval_gradient=True)[1]
    assert np.abs(slopes).max() < 0.01


# ---------------------------------------------------------------- kernel ridge regression


def test_the_regression_is_that_of_scikit_learn():
    from sklearn.kernel_ridge import KernelRidge

    example = load("kernel_ridge")
    X, y = example.diabetes()
    found = example.fit(X[:200], y[:200], 0.02, 0.5)
    other = KernelRidge(alpha=0.5, kernel="rbf", gamma=0.02).fit(X[:200], y[:200])
    np.testing.assert_allclose(found.weights, other.dual_coef_, rtol=1e-9)
    np.testing.assert_allclose(example.predict(found, X[200:]), other.predict(X[200:]), rtol=1e-9, atol=1e-12)
    without = np.arange(200) != 7
    other.fit(X[:200][without], y[:200][without])
    assert found.left_out[7] == pytest.approx(y[7] - other.predict(X[7:8])[0], rel=1e-9)


# ---------------------------------------------------------------- portfolios


def test_the_portfolios_are_optimal():
    from scipy.optimize import minimize

    example = load("gerber_portfolios")
    returns, _ = example.data()
    window = returns[200:224]
    mean, S = window.mean(axis=0), np.cov(window.T)
    root = example.square_root(vech.covariance.sample(window))
    np.testing.assert_allclose(root @ root.T, S, atol=1e-15)
    held = np.full(12, 1 / 12)
    gain = lambda w: mean @ w - example.COST * np.abs(w - held).sum()
    for target in (0.03, 0.045):
        weights = example.choose(mean, root, target, held)
        assert np.sqrt(weights @ S @ weights) <= target * (1 + 1e-6)
        assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
        limits = [
            {"type": "eq", "fun": lambda w: w.sum() - 1},
            {"type": "ineq", "fun": lambda w, t=target: (t**2 - w @ S @ w) * 1e3},
        ]
        other = minimize(lambda w: -gain(w) * 1e3, held, bounds=[(0, 1)] * 12, constraints=limits, tol=1e-10)
        assert gain(weights) >= -other.fun / 1e3 - 1e-6
    assert example.choose(mean, root, 1e-4, held) is None
    least = example.least_variance(root)
    other = minimize(lambda w: w @ S @ w * 1e4, held, bounds=[(0, 1)] * 12, constraints=limits[:1], tol=1e-14)
    assert least @ S @ least * 1e4 == pytest.approx(other.fun, rel=1e-4)


def test_a_performance_is_its_formula():
    example = load("gerber_portfolios")
    earned = np.array([-0.1, 0.2, -0.05, 0.1] * 6)
    found = example.performance(earned, np.full(24, 0.01))
    assert found.geometric == pytest.approx((0.9 * 1.2 * 0.95 * 1.1) ** 3 - 1)
    assert found.volatility == pytest.approx(earned.std(ddof=1) * 12**0.5)
    assert found.sharpe == pytest.approx((earned.mean() - 0.01) / earned.std(ddof=1) * 12**0.5)
    assert found.drawdown == pytest.approx(-0.1)


# ---------------------------------------------------------------- similar documents, similar items


def test_the_nearest_documents_are_those_of_the_full_matrix():
    from sklearn.metrics.pairwise import cosine_similarity

    example = load("document_similarity")
    names, texts = example.documents()
    assert len(set(names)) == len(names) > 500
    X = example.tfidf(texts)
    full = cosine_similarity(X)
    S = vech.pairwise.cosine(X, threshold=example.THRESHOLD)
    assert S.nbytes < full.nbytes / 10
    np.testing.assert_allclose(S.expand(), np.where(full > example.THRESHOLD, full, 0), atol=1e-12)
    np.fill_diagonal(full, -1)
    for name in example.ASKED:
        row = names.index(name)
        order, similarities = example.nearest(S, row, 4)
        np.testing.assert_allclose(similarities, np.sort(full[row])[:-5:-1], atol=1e-12)
        np.testing.assert_allclose(full[row, order], similarities, atol=1e-12)
    i, j, value = example.most_similar(S, 5)
    np.testing.assert_allclose(value, np.sort(full[np.triu_indices_from(full)])[:-6:-1], atol=1e-12)
    np.testing.assert_allclose(full[i, j], value, atol=1e-12)


def test_similar_films_are_those_of_the_full_matrix():
    from sklearn.metrics.pairwise import cosine_similarity

    example = load("item_similarity")
    X, titles = example.movielens()
    X, titles = X[:, :1500], titles[:1500]
    S, together = example.similarities(X)
    rated = (X.toarray() != 0).astype(int)
    counts = rated.T @ rated
    counts[counts < example.LEAST] = 0
    np.testing.assert_array_equal(together.expand(), counts)
    centred = X.toarray() - rated * (X.sum(axis=1) / np.maximum(rated.sum(axis=1), 1))[:, None]
    want = cosine_similarity(centred.T) * counts / (counts + example.SHRINKAGE)
    np.testing.assert_allclose(S.expand(), want, atol=1e-12)
    row = int(np.flatnonzero(titles == "Toy Story")[0])
    order, values = example.nearest(S, row, 3)
    np.testing.assert_allclose(values, np.sort(np.delete(want[row], row))[:-4:-1], atol=1e-12)
    assert row not in order


# ---------------------------------------------------------------- groups of sentences


def test_groups_of_sentences_are_those_of_the_full_matrix():
    from itertools import islice

    from scipy.sparse.csgraph import connected_components
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics.pairwise import cosine_distances
    from sklearn.neighbors import kneighbors_graph

    example = load("sentence_clusters")
    E, found, _, _ = example.embeddings(list(islice(example.sentences(), 500)))
    assert len(E) == len(found) == len(set(found))
    D = vech.pairwise.distances(E, "cosine")
    full = D.expand()
    np.testing.assert_allclose(full, cosine_distances(E), atol=1e-12)
    groups, parts = example.groups(D)
    their = HDBSCAN(min_cluster_size=example.SMALLEST, min_samples=3, metric="precomputed", copy=True).fit(
        full
    )
    np.testing.assert_array_equal(groups.labels, their.labels_)
    graph = kneighbors_graph(full, example.NEIGHBOURS, metric="precomputed")
    _, theirs = connected_components(graph.minimum(graph.T), directed=False)
    assert len(set(zip(parts, theirs, strict=True))) == len(set(parts)) == len(set(theirs))


# ---------------------------------------------------------------- Poisson's equation


def test_the_error_of_five_points_falls_with_the_square_of_their_distance():
    poisson = load("poisson")
    errors = []
    for m in (15, 31, 63):
        u, true = poisson.solution(m)
        errors.append(np.abs(u - true).max())
    assert np.divide(errors[:-1], errors[1:]) == pytest.approx(4, abs=0.1)
    h = 1 / 32
    exact = [
        sum(4 / h**2 * np.sin(np.pi * k * h / 2) ** 2 for k in pair)
        for pair in ((1, 1), (1, 2), (2, 1), (2, 2))
    ]
    assert poisson.vibrations(31, 4) * np.pi**2 == pytest.approx(exact)


# ---------------------------------------------------------------- regions of a photograph


def test_the_walker_finds_the_regions_that_one_sees():
    segmentation = load("image_segmentation")
    picture = segmentation.photograph()
    L, marked = segmentation.alikeness(picture), segmentation.marks(picture.shape[:2])
    probabilities = segmentation.walk(L, marked.ravel())
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities.min() > -1e-9
    air, temple, trees = (probabilities.reshape(*marked.shape, 3)[..., k] > 0.5 for k in range(3))
    h, w = marked.shape
    assert air[: h // 12].all() and air[: h // 2, 3 * w // 5 : 4 * w // 5].all()
    assert temple[h // 3 : 3 * h // 4, w // 5 : 2 * w // 5].all()
    assert trees[9 * h // 10 :].mean() > 0.95
    brightness = picture.mean(axis=2)
    assert brightness[air].mean() > brightness[temple].mean() + 0.1 > brightness[trees].mean() + 0.1


def test_harmonic_functions_are_those_of_a_dense_solution():
    segmentation = load("image_segmentation")
    picture = np.random.default_rng(0).random((6, 7, 3))
    L, marked = segmentation.alikeness(picture), np.full(42, -1)
    marked[[0, 20, 41]] = 0, 1, 1
    full, unknown = L.expand(), marked < 0
    want = np.linalg.solve(
        full[unknown][:, unknown], -full[unknown][:, ~unknown] @ np.eye(2)[marked[~unknown]]
    )
    np.testing.assert_allclose(segmentation.walk(L, marked)[unknown], want, atol=1e-9)


# ---------------------------------------------------------------- orthogonal matching pursuit


def test_the_pursuit_on_a_half_is_that_of_scikit_learn_on_the_full_matrix():
    from sklearn.linear_model import orthogonal_mp_gram

    recovery = load("patch_recovery")
    D = recovery.cosines()
    for _, patch in recovery.patches():
        A = D[np.random.default_rng(1).random(patch.size) < 0.5]
        A /= np.linalg.norm(A, axis=0)
        product = A.T @ patch.ravel()[: A.shape[0]]
        gram = vech.Packed(vech.pack(A.T @ A))
        want = orthogonal_mp_gram(A.T @ A, product, n_nonzero_coefs=10)
        np.testing.assert_allclose(recovery.pursue(gram, product, 10), want, rtol=1e-8, atol=1e-10)


def test_most_of_a_patch_comes_back():
    recovery = load("patch_recovery")
    D = recovery.cosines()
    for _, patch in recovery.patches():
        seen = np.random.default_rng(0).random(patch.shape) < 0.5
        found, gram = recovery.recover(patch, seen, D)
        lost = np.where(seen, patch, patch[seen].mean())
        assert recovery.decibels(np.where(seen, patch, found), patch) > recovery.decibels(lost, patch) + 2
        assert gram.n == D.shape[1]


# ---------------------------------------------------------------- the tree of a gene


def test_the_tree_of_a_gene_is_that_of_scikit_bio():
    skbio = pytest.importorskip("skbio", reason="it has the gene, and trees")
    from skbio.alignment import align_dists
    from skbio.tree import upgma

    gene = load("gene_tree")
    names, sequences = gene.alignment()
    D = gene.distances(names, sequences)
    rows = [skbio.DNA("".join("-" if base < 0 else "AGCT"[base] for base in row)) for row in sequences]
    theirs = align_dists(skbio.TabularMSA(rows, index=names), "k2p", shared_by_all=False)
    np.testing.assert_allclose(D.expand(), theirs.data, rtol=1e-12)
    tree = skbio.TreeNode.read([vech.cluster.to_newick(gene.Z, names)])
    other = upgma(theirs)
    assert tree.compare_rfd(other) == 0
    apart = [t.cophenet().filter(names).data for t in (tree, other)]
    np.testing.assert_allclose(apart[0], apart[1], rtol=1e-9)


# ---------------------------------------------------------------- preconditioners in few bits


@pytest.mark.slow
def test_what_was_published_of_inverse_roots_is_found_and_halves_are_nearer():
    example = load("inverse_roots")
    found = {line.held: line for line in example.once(320)}
    for held in ("eigenvectors, 4 bits, made orthogonal again", "A^(-1/4), 4 bits"):
        assert found[held].nre == pytest.approx(float(found[held].published.split()[0]), rel=0.2)
    best = found["eigenvectors, 4 bits, made orthogonal again"]
    same, half = found["half of log A, int8"], found["half of log A, linear2-4"]
    assert same.bits < 1.05 * best.bits and same.nre < best.nre / 10
    assert half.bits < 0.57 * best.bits and half.nre < best.nre
    assert found["half of Cholesky factor, linear2-4"].nre < found["A, 4 bits"].nre / 2


@pytest.mark.slow
def test_roots_of_moving_averages_are_nearest_by_logarithms_and_with_feedback():
    found = {line.held: line.nre for line in load("inverse_roots").averaged(128, 40)}
    for encoding in ("linear2-4", "int8"):
        entries, cholesky, log = (
            found[f"half of {held}, {encoding}"] for held in ("A", "Cholesky factor", "log A")
        )
        assert log < cholesky < entries
        assert found[f"half of log A, {encoding}, fed back"] < 0.9 * log


@pytest.mark.slow
def test_eigenvectors_in_4_bits_are_as_they_were_published():
    example = load("shampoo_digits")
    import torch

    square = torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    codes = example.Columns(square)
    blocks = [square[:64], square[64:]]
    scales = torch.cat([block.abs().amax(dim=0).expand(len(block), -1) for block in blocks])
    widest = np.diff(example.LEVELS).max() / 2
    assert ((codes.square() - square).abs() <= (widest + 1e-6) * scales).all()
    assert codes.nbytes == 100 * 100 // 2 + 4 * 2 * 100
    state, S = example.Eigenvectors(100), 1e-6 * torch.eye(100)
    for _ in range(30):
        G = square * torch.logspace(0, -2, 100) @ torch.randn(100, 200)
        state.update(factor=G, beta=0.9)
        S = 0.9 * S + 0.1 * G @ G.T
    values, vectors = torch.linalg.eigh(S.double())
    want = (vectors * (values + 1e-3 * values[-1]) ** -0.25) @ vectors.T
    assert (state.root(4, 1e-3) - want).norm() < 0.2 * want.norm()  # of codes of eigenvectors: measured .17


@pytest.mark.slow
@pytest.mark.parametrize(("network", "epochs", "least"), [("mlp", 4, 93), ("cnn", 5, 95)])
def test_shampoo_in_few_bits_learns_as_in_32_and_is_smaller_than_what_was_published(network, epochs, least):
    example = load("shampoo_digits")
    page = (EXAMPLES.parent / "docs" / "learning.md").read_text()
    table = page[page.index("**E3. Digits**") :].splitlines()
    cells = [line.strip("| ").split(" | ") for line in table]
    held = {row[0]: row[2 if network == "mlp" else 5] for row in cells if len(row) == 7}
    names = (
        "Shampoo, float32 halves",
        "4-bit Shampoo, as published",
        "ours, log int8, roots 4 bits",
        "ours, log 4 bits",
        "ours, Cholesky 4 bits, fed back",
    )
    found = {
        name: [example.train(getattr(example, network), name, seed, epochs) for seed in range(2)]
        for name in names
    }
    for name in names:
        assert f"{found[name][0].nbytes:,}" == held[name]
    full, published, *ours = found.values()
    mean = lambda runs: np.mean([run.accuracy for run in runs])
    assert mean(full) > least
    for runs in ours:
        assert mean(runs) > mean(full) - 1.5
        assert runs[0].nbytes < published[0].nbytes and runs[0].nbytes < runs[0].squares / 7


# ---------------------------------------------------------------- digits in few bits


@pytest.mark.slow
def test_few_bits_find_the_digits_that_float32_finds():
    begun, _, tuned = load("quantized_training").compare(1, 5, 2)
    (full,), (after,) = begun["float32"], tuned["float32"]
    assert full > 88
    for bits in (3, 4):
        assert tuned[f"LSQ, {bits} bits"][0] > after - 2
    assert tuned["k-means, 4 bits"][0] > after - 4
    assert tuned["signs"][0] > 75
    assert begun["4 bits"][0] > full - 4


@pytest.mark.slow
def test_the_layer_of_the_example_in_four_bits_learns_its_first_step_from_rows():
    example = load("quantized_training")
    import torch

    layer = example.Int4(64)
    rows = torch.randn(500, 64)
    found, full = layer(rows), torch.from_numpy(vech.expand(layer.weight.detach().numpy()))
    exact = rows @ full + layer.bias
    assert (found - exact).norm() < 0.35 * exact.norm()
    assert layer.step.item() == pytest.approx(2 * 0.8 / 7**0.5, rel=0.1)


@pytest.mark.slow
def test_the_normalisation_of_the_example_is_in_the_scales_and_its_rows_are_nearly_all():
    example = load("quantized_training")
    np.testing.assert_allclose(example.folded, example.plain, rtol=1e-9)
    assert 0 < example.lost < 0.3
    assert example.sampled(example.X, 1e9)[1] < 1e-12  # all of them


# ---------------------------------------------------------------- correlations repaired


def test_the_repaired_correlation_is_that_of_higham_and_nothing_nearer():
    example = load("nearest_correlation")
    broken, repaired = example.broken.expand(), example.repaired.expand()
    frame = example.returns.corr(min_periods=2).to_numpy()
    np.testing.assert_allclose(broken, frame, atol=1e-12)
    assert np.linalg.eigvalsh(broken)[0] < -0.1
    assert np.linalg.eigvalsh(repaired)[0] == pytest.approx(1e-5, rel=1e-3)
    np.testing.assert_array_equal(repaired.diagonal(), 1)

    def projected(A):
        values, vectors = np.linalg.eigh(A)
        return (vectors * np.maximum(values, 1e-5)) @ vectors.T

    X, correction = broken.copy(), np.zeros_like(broken)  # alternating projections, Dykstra's correction
    for _ in range(3000):
        R = X - correction
        definite = projected(R)
        correction = definite - R
        X = definite.copy()
        np.fill_diagonal(X, 1)
    np.testing.assert_allclose(repaired, X, atol=1e-5)


# ---------------------------------------------------------------- a map of distances


def test_the_map_of_species_is_that_of_scikit_bio():
    ordination = pytest.importorskip("skbio.stats.ordination", reason="it has principal coordinates")
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform
    from skbio import DistanceMatrix

    example = load("species_map")
    full = example.D.expand()
    theirs = ordination.pcoa(DistanceMatrix(full), dimensions=2, warn_neg_eigval=False).samples.to_numpy()
    np.testing.assert_allclose(np.abs(example.found.coordinates), np.abs(theirs), atol=1e-8)
    single = linkage(squareform(full), "single")  # its links are those of the spanning tree
    assert example.tree.data.sum() == pytest.approx(single[:, 2].sum())


# ---------------------------------------------------------------- larger than memory


def test_the_file_and_the_tiles_have_the_distances_of_scipy():
    from scipy.spatial.distance import cdist

    example = load("larger_than_memory")
    rows = np.arange(0, example.COUNT, 400)
    want = cdist(example.X[rows], example.X)
    for store in (example.D, example.T):
        np.testing.assert_allclose(store.block(rows, slice(None)), want, atol=1e-5)
    want[np.arange(rows.size), rows] = np.inf
    np.testing.assert_allclose(example.nearest.values[rows, 0], want.min(axis=1), atol=1e-5)
