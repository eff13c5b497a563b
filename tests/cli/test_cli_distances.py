"""`vech distances`, `neighbors` and `cluster`: from a table to a tree, with labels all the way."""

import csv
import json
import shlex
import signal
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import cdist, pdist, squareform

import vech
from vech.pairwise import distances as made_by

RNG = np.random.default_rng(7)
X = np.concatenate([RNG.normal(size=(9, 4)) + centre for centre in (0, 9, 18)])
HOLED = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
NAMES = [f"g{k}" for k in range(len(X))]


def table(matrix):
    lines = (f"{name}," + ",".join(map(repr, row)) for name, row in zip(NAMES, matrix.tolist(), strict=True))
    return "gene,a,b,c,d\n" + "\n".join(lines).replace("nan", "NA") + "\n"


@pytest.fixture(autouse=True)
def files(there):
    np.save("x.npy", X)
    (there / "x.csv").write_text(table(X))
    (there / "holed.csv").write_text(table(HOLED))
    vech.write("d.npy", vech.Packed(pdist(X), "condensed", labels=NAMES))


# ---- distances ---------------------------------------------------------------------------------------------

OPTIONS = {
    "euclidean": ((), lambda: pdist(X)),
    "cosine": (("--metric", "cosine"), lambda: pdist(X, "cosine")),
    "minkowski": (("--metric", "minkowski", "-p", 3), lambda: pdist(X, "minkowski", p=3)),
    "an alias": (("--metric", "manhattan"), lambda: pdist(X, "cityblock")),
}


@pytest.mark.parametrize("out", ["new.npy", "new.npz"])
@pytest.mark.parametrize("arguments, wanted", OPTIONS.values(), ids=OPTIONS)
def test_distances_are_those_of_pdist_and_keep_labels(works, out, arguments, wanted):
    works("distances", "x.csv", "--index", "gene", "-o", out, *arguments)
    found = vech.read(out)
    np.testing.assert_allclose(found.half, wanted(), rtol=1e-12)
    assert found.layout.name == "condensed" and found.labels == tuple(NAMES)


def test_dtype_layout_and_missing_reach_the_function(works):
    works("distances", "x.npy", "-o", "f.npy", "--dtype", "float32", "--layout", "numpy-tril")
    found = vech.read("f.npy")
    assert (found.dtype, found.layout.name, found.labels) == (np.float32, "numpy-tril", None)
    np.testing.assert_allclose(found.expand(), squareform(pdist(X)), rtol=1e-6)
    works("distances", "holed.csv", "--index", "gene", "-o", "h.npy", "--missing", "pairwise")
    np.testing.assert_array_equal(vech.read("h.npy").half, made_by(HOLED, missing="pairwise").half)


def test_a_table_from_stdin_goes_to_stdout(vech_run):
    code, out, err = vech_run(
        "distances", "-", "--in-format", "csv", "--index", "gene", "-o", "-", "--out-format", "csv",
        stdin=table(X).encode(),
    )  # fmt: skip
    assert code == 0 and err.startswith("stdout: 27 x 27 float64")
    lines = out.decode().splitlines()
    assert lines[0].split(",")[1:] == NAMES and lines[3].startswith("g2,")


PEOPLE = {"name": ["ann", "bob", "cy", "dee"], "age": [20, 30, None, 50], "town": ["u", "v", "u", None]}


def people(there, *more, suffix):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(PEOPLE).assign(**dict(more)).set_index("name")
    path = there / f"people{suffix}"
    if suffix in (".parquet", ".feather"):
        pytest.importorskip("pyarrow")
    {
        ".csv": frame.to_csv,
        ".tsv": lambda to: frame.to_csv(to, sep="\t"),
        ".parquet": frame.to_parquet,
        ".feather": frame.to_feather,
        ".xlsx": frame.to_excel,
    }[suffix](path)
    return frame


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather", ".xlsx"])
def test_gower_takes_columns_of_several_sorts(works, there, suffix):
    frame = people(there, ("ok", [True, False, True, True]), suffix=suffix)
    works(
        *("distances", f"people{suffix}", "-o", "g.npy", "--index", "name"),
        *("--metric", "Gower", "--missing", "pairwise"),
    )
    D = vech.read("g.npy")
    assert D.labels == tuple(PEOPLE["name"])
    assert D.half.tolist() == made_by(frame, "gower", missing="pairwise").half.tolist()
    np.testing.assert_allclose(D["ann", "bob"], (10 / 30 + 1 + 1) / 3)


def test_gower_takes_dates_of_parquet_and_refuses_those_of_text(works, fails, there):
    when = ("when", np.array(["2020-01-01", "2020-01-03", "2020-01-02", "2020-01-05"], "M8[ns]"))
    frame = people(there, when, suffix=".parquet")
    works("distances", "people.parquet", "-o", "g.npz", "--metric", "gower", "--missing", "pairwise")
    assert vech.read("g.npz").half.tolist() == made_by(frame, "gower", missing="pairwise").half.tolist()
    people(there, when, suffix=".csv")
    given = (
        "distances",
        "people.csv",
        "-o",
        "g.npy",
        "--index",
        "name",
        "--metric",
        "gower",
        "--missing",
        "pairwise",
    )
    assert (
        "line 2: column 'when' holds '2020-01-01', which is a date: leave it out by --drop 'when'"
        in fails(*given)
    )
    works(*given, "--dates", "drop")


def test_gower_takes_tables_of_numbers(works, fails, there):
    for arguments in (("x.npy",), ("x.csv", "--index", "gene")):
        works("distances", *arguments, "-o", "g.npy", "--metric", "gower", "--force")
        assert vech.read("g.npy").half.tolist() == made_by(X, "gower").half.tolist()
        assert vech.read("g.npy").labels == (tuple(NAMES) if "--index" in arguments else None)
    read = vech.io.read_table("x.csv", index="gene")
    assert made_by(read, "gower").labels == tuple(NAMES)
    assert made_by(read, "gower").half.tolist() == made_by(X, "gower").half.tolist()
    works("distances", "x.npy", "-o", "i.npy", "--index", "0", "--metric", "gower")
    assert vech.read("i.npy").half.tolist() == made_by(X[:, 1:], "gower").half.tolist()
    (there / "odd.csv").write_text("name,a\nx,1\ny,u\n")
    message = fails("distances", "odd.csv", "-o", "new.npy", "--index", "name", "--metric", "gower")
    assert "odd.csv, line 3: column 'a' holds 'u', which is no number, and numbers in other rows" in message
    (there / "odd.csv").write_text("name,a\nx,u\ny,u,7\n")
    message = fails("distances", "odd.csv", "-o", "new.npy", "--index", "name", "--metric", "gower")
    assert "odd.csv, line 3: has 3 cells, and there are 2 columns" in message
    (there / "odd.csv").write_text("name,a\n")
    assert "has no rows" in fails(
        "distances", "odd.csv", "-o", "new.npy", "--index", "name", "--metric", "gower"
    )


FAULTS = {
    "metric": (("x.npy", "--metric", "minkowsky"), "unknown metric 'minkowsky': did you mean 'minkowski'"),
    "p": (("x.npy", "-p", 3), "metric 'euclidean' takes no p: 'minkowski' does"),
    "missing": (
        ("holed.csv", "--index", "gene"),
        "holed.csv holds nan in row 1 ('g1'), column 1 ('b'): fill it, or pass --missing 'pairwise'",
    ),
    "text": (("x.csv",), "leave it out by --drop 'gene', or make it labels of rows by --index 'gene'"),
    "no layout": (("x.npy", "--layout", "vecg"), "'vecg'"),
    "no file": (("y.npy",), "y.npy: No such file or directory"),
    "a half": (("d.npy",), "d.npy"),
}


@pytest.mark.parametrize("arguments, said", FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_is_said_in_words_of_the_command_line(fails, arguments, said):
    message = fails("distances", *arguments, "-o", "new.npy")
    assert said in message and "(--" not in message


def test_nothing_is_overwritten_unless_told(fails, works):
    assert fails("distances", "x.npy", "-o", "d.npy") == (
        "d.npy exists: choose another name, or --force to overwrite it"
    )
    assert (
        fails("distances", "x.npy", "-o", "x.npy", "--force") == "x.npy is the input: write to another file"
    )
    works("distances", "x.npy", "-o", "d.npy", "--force")
    assert vech.read("d.npy").labels is None


# ---- interrupted, and gone on with -------------------------------------------------------------------------


@pytest.fixture
def interrupted(vech_run, monkeypatch):
    """A run with Ctrl-C after the first tile: what it says."""

    def stops(*arguments):
        from vech.cli.options import Bar

        def tick(bar, done, total):
            signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patched:
            patched.setattr(Bar, "__call__", tick)
            code, out, err = vech_run(*arguments)
        assert (code, out) == (130, b"")
        return err.strip().splitlines()[-1]

    return stops


def test_ctrl_c_says_how_to_go_on(interrupted, works, there):
    run = ("distances", "x.csv", "--index", "gene", "-o", "new.npy", "--metric", "cosine")
    assert interrupted(*run) == "vech: interrupted; the same command with --resume goes on with new.npy"
    assert not (there / "new.npy").exists() and (there / "new.npy.journal").exists()
    works(*run, "--resume")
    np.testing.assert_allclose(vech.read("new.npy").half, pdist(X, "cosine"), rtol=1e-12)
    assert not (there / "new.npy.journal").exists()
    before = (there / "new.npy").stat().st_mtime_ns
    works(*run, "--resume")  # complete: nothing is left to do
    assert (there / "new.npy").stat().st_mtime_ns == before


def test_ctrl_c_without_a_journal_left_nothing(interrupted, there):
    before = sorted(there.iterdir())
    assert interrupted("distances", "x.npy", "-o", "new.npz") == "vech: interrupted; nothing was written"
    assert sorted(there.iterdir()) == before


def test_another_run_is_not_gone_on_with(interrupted, vech_run):
    interrupted("distances", "x.npy", "-o", "new.npy")
    code, _, err = vech_run("distances", "x.npy", "-o", "new.npy", "--resume", "--metric", "cosine")
    assert code == 2 and len(err.splitlines()) == 1
    assert "metric was 'euclidean' and is 'cosine'" in err and err.endswith("start anew without --resume\n")


def test_a_run_goes_on_behind_a_link(interrupted, works, there):
    (there / "link.npy").symlink_to("behind.npy")
    run = ("distances", "x.npy", "-o", "link.npy")
    assert interrupted(*run) == "vech: interrupted; the same command with --resume goes on with link.npy"
    assert (there / "behind.npy.journal").exists()
    for _ in range(2):
        works(*run, "--resume")
        np.testing.assert_allclose(vech.read("behind.npy").half, pdist(X), rtol=1e-12)


def test_resume_overwrites_no_file_that_no_run_made(fails):
    assert "d.npy exists" in fails("distances", "x.npy", "-o", "d.npy", "--resume")
    vech.write("named.npy", vech.Packed(np.arange(3.0), labels=["made", "b"]))
    assert "named.npy exists" in fails("distances", "x.npy", "-o", "named.npy", "--resume")
    assert fails("distances", "x.npy", "-o", "new.npz", "--resume") == (
        "--resume goes on with a .npy or .zarr file, and OUT is new.npz: name one that ends so"
    )


# ---- neighbors ---------------------------------------------------------------------------------------------


def nearest(k):
    """Each row and its k nearest."""
    full = squareform(pdist(X))
    np.fill_diagonal(full, np.inf)
    near = np.argsort(full, axis=1, kind="stable")[:, :k]
    return {(i, j) for i, row in enumerate(near.tolist()) for j in row}


@pytest.mark.parametrize("mutual", [False, True])
def test_the_graph_has_each_pair_once_with_its_distance(works, there, mutual):
    near = nearest(3)
    meets = (
        (lambda i, j: (i, j) in near and (j, i) in near) if mutual else (lambda i, j: {(i, j), (j, i)} & near)
    )
    pairs = {(i, j) for i in range(len(X)) for j in range(i + 1, len(X)) if meets(i, j)}
    said = works("neighbors", "d.npy", "-k", 3, "-o", "graph.npz", *["--mutual"] * mutual)
    assert said.startswith(f"graph.npz: 27 rows, {len(pairs)} pairs, ")
    graph = vech.read("graph.npz")
    assert graph.labels == tuple(NAMES) and graph.nnz == len(pairs)
    i, j, value, _ = graph.to_pairs()
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == pairs
    np.testing.assert_array_equal(value, squareform(pdist(X))[i, j])
    works("neighbors", "d.npy", "-k", 3, "-o", "edges.csv", *["--mutual"] * mutual)
    head, *lines = (there / "edges.csv").read_text().splitlines()
    assert head == "i,j,value"
    assert lines == [
        f"g{a},g{b},{v!r}" for a, b, v in zip(i.tolist(), j.tolist(), value.tolist(), strict=True)
    ]


@pytest.mark.parametrize("largest", [False, True])
def test_all_in_reach(works, largest):
    works("neighbors", "d.npy", "--within", 2.5, "-o", "near.npz", *["--largest"] * largest)
    full = squareform(pdist(X))
    wanted = np.where(full >= 2.5 if largest else full <= 2.5, full, 0)
    np.testing.assert_array_equal(vech.read("near.npz").expand(), wanted)


def test_identical_rows_are_joined(works, there):
    vech.write("zero.npy", vech.Packed(np.array([0.0, 2, 3]), "condensed", labels=["a,b", "c", "d"]))
    works("neighbors", "zero.npy", "-k", 1, "-o", "edges.tsv")
    assert (there / "edges.tsv").read_text() == "i\tj\tvalue\na,b\tc\t0.0\na,b\td\t2.0\n"
    works("neighbors", "zero.npy", "--within", 0, "-o", "edges.csv")
    assert (there / "edges.csv").read_text() == 'i,j,value\n"a,b",c,0.0\n'


NEIGHBOR_FAULTS = {
    "neither": ((), "-k, so many of the nearest rows, or --within, all in reach: one of them is needed"),
    "both": (
        ("-k", 3, "--within", 1),
        "-k, so many of the nearest rows, or --within, all in reach: say one of them, not both",
    ),
    "mutual": (("--within", 1, "--mutual"), "--mutual is for -k"),
    "too many": (("-k", 27), "27"),
    "nan": (("--within", "nan"), "limit is nan"),
}


@pytest.mark.parametrize("arguments, said", NEIGHBOR_FAULTS.values(), ids=NEIGHBOR_FAULTS)
def test_what_is_no_graph_is_said(fails, arguments, said):
    assert said in fails("neighbors", "d.npy", "-o", "graph.npz", *arguments)


# ---- cluster -----------------------------------------------------------------------------------------------

TREES = ("average", "single", "complete", "weighted", "ward", "centroid", "median")


@pytest.mark.parametrize("method", TREES)
def test_a_tree_is_scipys(works, there, method):
    works("cluster", "d.npy", "--method", method, "-o", "tree.npy")
    np.testing.assert_allclose(np.load("tree.npy"), hierarchy.linkage(pdist(X), method), rtol=1e-12)
    works("cluster", "d.npy", "--method", method, "-o", "tree.nwk")
    text = (there / "tree.nwk").read_text()
    assert text == vech.cluster.to_newick(vech.cluster.linkage(vech.read("d.npy"), method), NAMES) + "\n"


CLUSTERS = {
    "tree": ("--k", 3),
    "medoids": ("--method", "medoids", "-k", 3, "--seed", 1),
    "dbscan": ("--method", "dbscan", "--eps", 3, "--min-samples", 4),
    "hdbscan": ("--method", "hdbscan", "--min-cluster-size", 4),
}


@pytest.mark.parametrize("arguments", CLUSTERS.values(), ids=CLUSTERS)
def test_three_heaps_are_three_clusters(works, there, arguments):
    said = works("cluster", "d.npy", "-o", "clusters.csv", *arguments)
    assert "27 rows" in said and "3 clusters" in said
    head, *lines = (cells.split(",") for cells in (there / "clusters.csv").read_text().splitlines())
    assert head[:2] == ["row", "cluster"] and [line[0] for line in lines] == NAMES
    of = {name: int(cluster) for name, cluster, *_ in lines if cluster != "-1"}
    heaps = [{of[name] for name in NAMES[k : k + 9] if name in of} for k in (0, 9, 18)]
    assert sorted(map(len, heaps)) == [1, 1, 1] and len(set.union(*heaps)) == 3
    if head[2:] == ["medoid"]:
        centres = {name: X[NAMES.index(medoid)] for name, _, medoid in lines}
        assert all(cdist([X[k]], [centres[name]])[0, 0] < 6 for k, name in enumerate(NAMES))


def test_rows_without_a_cluster_are_counted(works, there):
    said = works("cluster", "d.npy", "-o", "c.tsv", "--method", "dbscan", "--eps", 0.01)
    assert "0 clusters, 27 rows in none" in said
    assert (there / "c.tsv").read_text().splitlines()[1] == "g0\t-1"


def test_a_tree_goes_to_stdout(vech_run):
    code, out, _ = vech_run("cluster", "d.npy", "-o", "-", "--out-format", "nwk")
    assert code == 0 and out.startswith(b"(") and out.endswith(b";\n") and b"g26:" in out


CLUSTER_FAULTS = {
    "no k": (
        ("c.csv",),
        "--k is missing, without which --method average has no clusters: say it, or a file ",
    ),
    "no eps": (
        ("c.csv", "--method", "dbscan"),
        "--eps is missing, without which --method dbscan has no clusters",
    ),
    "no tree": (
        ("t.nwk", "--method", "hdbscan"),
        "t.nwk: --method hdbscan makes no tree: write clusters, .csv",
    ),
    "k of a tree": (("t.nwk", "--k", 3), "t.nwk: --k is for clusters, .csv"),
    "suffix": (("t.png",), "t.png: has no suffix of clusters, .csv"),
    "eps": (("c.csv", "--k", 3, "--eps", 1), "--eps is for --method dbscan, not average"),
    "too many": (("c.csv", "--k", 28), "28"),
}


@pytest.mark.parametrize("arguments, said", CLUSTER_FAULTS.values(), ids=CLUSTER_FAULTS)
def test_what_is_no_cluster_is_said(fails, arguments, said):
    assert said in fails("cluster", "d.npy", "-o", *arguments)


@pytest.mark.parametrize("text", ["a\rb", "a\nb", 'a"b', "a,b", "a\tb", " a", ""])
def test_labels_come_back_out_of_texts(works, there, text):
    D = vech.Packed(np.array([1.0, 2, 3]), "condensed", labels=[text, "c", "d"])
    vech.write("odd.npz", D)
    for suffix, mark in ((".csv", ","), (".tsv", "\t"), (".txt", "\t")):
        works("neighbors", "odd.npz", "-k", 1, "-o", f"edges{suffix}")
        works("cluster", "odd.npz", "-k", 1, "-o", f"rows{suffix}")
        for name, wanted in (
            ("edges", [["i", "j", "value"], [text, "c", "1.0"], [text, "d", "2.0"]]),
            ("rows", [["row", "cluster"], [text, "0"], ["c", "0"], ["d", "0"]]),
        ):
            with (there / f"{name}{suffix}").open(newline="") as file:
                assert list(csv.reader(file, delimiter=mark)) == wanted


@pytest.mark.parametrize("out", ["tree.nwk", "tree.npy", "clusters.csv"])
def test_no_rows_have_no_tree(fails, works, there, out):
    vech.write("none.npz", vech.Packed(np.zeros(0)))
    more = ("-k", 1) if out == "clusters.csv" else ()
    assert fails("cluster", "none.npz", "-o", out, *more) == "there are no rows, and a tree has at least one"
    works("cluster", "none.npz", "-o", "c.csv", "--method", "hdbscan", "--min-samples", 1)
    assert (there / "c.csv").read_text() == "row,cluster\n"


def test_advice_is_of_commands(fails):
    vech.write("same.npz", vech.Packed(np.ones(3), "condensed", labels=["a", "b", "a"]))
    said = fails("cluster", "same.npz", "-o", "t.nwk")
    assert said.endswith("leaves of a tree need names that differ: say vech convert --drop-labels")
    vech.write("q.npz", vech.quantize(vech.Packed(vech.pack(np.eye(4) + 0.5)), "float16"))
    assert "a distance to itself is 0: vech distances makes such a matrix" in fails(
        "cluster", "q.npz", "-o", "t.nwk"
    )
    pytest.importorskip("matplotlib")
    vech.write("sparse.npz", vech.SparseHalf.from_sparse(scipy.sparse.eye_array(4)))
    said = "clusters of a SparseHalf need all numbers: vech convert writes all of them, or give --distance"
    assert fails("plot", "sparse.npz", "-o", "p.png", "--cluster") == said


def test_what_is_no_distance_is_refused(fails):
    vech.write("s.npy", vech.Packed(vech.pack(np.eye(4) + 0.5)))
    refused = fails("cluster", "s.npy", "-o", "t.nwk")
    assert refused == "S[0, 0] is 1.5, and a distance to itself is 0: vech distances makes such a matrix"


def test_a_picture_of_clusters_takes_the_same_tree(works, there):
    pytest.importorskip("matplotlib")
    works("plot", "d.npy", "-o", "p.png", "--cluster")
    assert (there / "p.png").stat().st_size > 1000


def test_letters_that_a_font_lacks_are_said_in_a_line(vech_run, there):
    pytest.importorskip("matplotlib")
    D = vech.Packed(
        np.array([1.0, 2, 3]), "condensed", labels=["\N{CJK UNIFIED IDEOGRAPH-4E2D}", "a\x01b", "c"]
    )
    vech.write("odd.npz", D)
    code, out, err = vech_run("plot", "odd.npz", "-o", "p.png", "--cluster")
    assert (code, out) == (0, b"p.png: 3 x 3, a heatmap\n")
    assert err == "2 letters of labels, which the font of pictures lacks, drawn as boxes\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("neighbors", "--within", "1e300", "-o", "edges.csv"),
        ("cluster", "--method", "dbscan", "--eps", "1e300", "-o", "clusters.csv"),
    ],
)
def test_a_reach_beyond_float32_is_everything(works, there, arguments):
    command, *more = arguments
    vech.write("single.npz", vech.read("d.npy").astype(np.float32))
    works(command, "single.npz", *more)
    lines = (there / more[-1]).read_text().splitlines()[1:]
    assert len(lines) == (27 * 13 if command == "neighbors" else 27)


def test_the_description_says_what_a_half_was_made_of(works, there):
    works("distances", "x.npy", "-o", "new.npy", "--metric", "cityblock")
    assert json.loads((there / "new.npy.json").read_text())["made"]["metric"] == "cityblock"


def test_what_the_page_shows_runs(works, there):
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    section = page.split("## vech distances, neighbors, cluster")[1].split("\n## ")[0]
    commands = [
        shlex.split(line, comments=True)[1:] for line in section.splitlines() if line.startswith("vech ")
    ]
    assert {arguments[0] for arguments in commands} == {"distances", "neighbors", "cluster", "plot"}
    (there / "d.npy").unlink()
    (there / "d.npy.json").unlink()
    (there / "x.csv").rename("genes.csv")
    for arguments in commands:
        works(*arguments)
    assert vech.read("d.npy").labels == tuple(NAMES)
    assert len({line.split(",")[1] for line in (there / "clusters.csv").read_text().splitlines()[1:]}) == 8


def test_what_a_killed_run_left_is_not_dropped_without_a_word(works, fails):
    np.save("rows.npy", np.random.default_rng(0).normal(size=(5, 2)))
    journal = Path("begun.npy.journal")
    journal.touch()
    said = fails("distances", "rows.npy", "-o", "begun.npy")
    assert said == "begun.npy was begun by a run that ended: --resume goes on with it, --force starts over"
    assert journal.exists()
    works("distances", "rows.npy", "-o", "begun.npy", "--force")
    assert not journal.exists() and vech.read("begun.npy").n == 5
