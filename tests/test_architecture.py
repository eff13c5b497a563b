"""The picture of layers, held by reading the imports; and what `import vech` may cost."""

import ast
import functools
import importlib.metadata
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import vech

PACKAGE = Path(vech.__file__).parent
ROOT = Path(__file__).parent.parent

# top to bottom: a room imports from lower rows only
LAYERS = (
    ("cli", "demo"),
    ("viewer",),
    ("adapters", "plot"),
    ("covariance", "pairwise", "images", "cluster", "embedding"),
    ("neighbors",),
    ("results", "dissimilarities"),
    ("tiled",),
    ("io",),
    ("counts", "linalg"),
    ("sparse", "quantized"),
    ("packed", "identify"),
    ("moves",),
    ("layouts",),
    ("derived",),
    ("arrays", "operators"),
    ("frames", "tensors"),
    ("store", "_core"),
    ("elsewhere", "executors", "refusals", "workers"),
    ("labels",),
    ("maps",),
)
# within a folder, top to bottom; above them all is its __init__
INSIDE = {
    "cli": (
        (
            *("algebra", "cluster", "covariance", "data", "distances", "files", "info", "layouts"),
            *("neighbors", "quantized", "tiles", "view"),
        ),
        ("making", "tables"),
        ("executors", "groups", "options", "pictures", "records"),
        ("streams",),
        ("root",),
        ("wording",),
    ),
    "io": (
        ("npy", "hdf5", "zarr", "cooler", "coolers", "magenpy"),
        ("pixels", "zarr_vectors"),
        ("npz",),
        (
            "quantized",
            "pair",
            "tables",
            "datasets",
            "parquet",
            "excel",
            "plink",
            "harwell_boeing",
            "fcidump",
            "fchk",
            "hail",
        ),
        ("mixed_tables",),
        ("delimited", "delimited_matrix", "r_print", "phylip", "plink_text", "grm_text"),
        ("pieces",),
        ("columnar", "workbook", "individuals", "raw", "matrix_market", "arrays", "description", "info"),
        ("triangles", "number_lines", "text_rows"),
        ("hdf5_file", "panels", "columns", "dtypes", "lines"),
        ("cells", "content", "digests", "drafts", "filled", "gz", "labels"),
        ("errors",),
    ),
    "adapters": (
        (
            *(
                "anndata",
                "dask",
                "jax",
                "pandas",
                "pypfopt",
                "skbio",
                "skfolio",
                "sklearn",
                "solvers",
                "torch",
            ),
            "xarray",
        ),
        ("estimates", "graphs", "tables"),
    ),
    "adapters.jax": (
        ("parameters", "trees"),
        ("spectral",),
        ("definite",),
        ("metric", "moves", "products"),
        ("halves",),
        ("primitives",),
        ("kernels", "plain", "small"),
        ("checks", "divided", "foreign"),
    ),
    "adapters.torch": (
        ("modules", "training"),
        ("shampoo", "factors"),
        ("state",),
        ("dropin", "held"),
        ("definite", "metric", "moves", "products", "spectral"),
        ("factored", "spectra"),
        ("bilinear", "halves", "small"),
        ("operators",),
        ("plain",),
        ("checks", "divided", "functions", "kept"),
        ("precision",),
    ),
    "adapters.torch.modules": (("owning",), ("parametrizations",), ("linear",), ("loading",)),
    "adapters.torch.training": (
        ("codebooks", "fake", "folding", "integers", "signs"),
        ("steps",),
        ("places",),
    ),
    "covariance": (
        ("sampled", "stream", "spectrum", "shrinkage"),
        ("scatter",),
        ("gerber", "one_bit", "sample"),
        ("agreement", "kendall", "products"),
        ("incomplete", "weighted"),
        ("medians", "moments", "ranks", "spread"),
        ("data",),
    ),
    "results": (
        ("making",),
        ("result",),
        ("codes",),
        ("tiles",),
        ("executing",),
        ("file",),
        ("journal", "wanted"),
        ("identity",),
    ),
    "tiled": (
        ("foreign", "opening"),
        ("factor",),
        ("store",),
        ("group", "growing", "products", "writing"),
        ("squares", "tiles"),
        ("encoding", "objects"),
        ("description",),
        ("codes", "grid"),
    ),
    "neighbors": (("graphs", "strongest"), ("rows",), ("strips", "zeros"), ("arguments", "lists")),
    "pairwise": (
        ("nearest", "product_codes"),
        ("coded",),
        ("blocks", "distances", "kernels", "mantel", "similarities"),
        ("metrics", "winners"),
        ("gower",),
        ("sparse_rows", "dense_rows", "sparse_distances", "whitening"),
        ("tiles",),
        ("mixed", "points", "products"),
        ("rows",),
    ),
    "cluster": (("density", "linkage", "medoids", "silhouette", "trees"), ("arguments", "extraction")),
    "embedding": (("scaling", "spectral"), ("principal",), ("checks", "coordinates", "tiles")),
    "counts": (("codes",),),
    "linalg": (
        ("functions",),
        ("randomized", "spectral"),
        ("generalised",),
        ("semidefinite", "solving"),
        ("correlation", "iterative", "nearest"),
        ("factor",),
        ("batches",),
        ("units",),
        ("norms",),
        ("algebra", "quadrature", "sparse_norms"),
        ("checks", "columns", "lanczos", "metric", "newton"),
    ),
    "linalg.factor": (
        ("choice", "cholesky"),
        ("bunch_kaufman", "lu", "rectangle", "sparse", "triangle"),
        ("answers", "full"),
        ("promise",),
    ),
    "sparse": (
        ("half",),
        ("conversions",),
        ("pack", "products", "arithmetic", "index", "exports"),
        ("snapshot", "whole"),
        ("arrays", "pattern"),
    ),
    "quantized": (
        ("hadamard", "low_rank", "outliers"),
        ("quantizing", "tilewise"),
        ("making", "observing", "requantizing"),
        ("store",),
        ("selection", "certificate", "levels", "scales", "spectrum"),
        ("domains", "sources"),
        ("parts",),
        ("encodings",),
        ("kernels",),
    ),
    "packed": (
        ("packed",),
        ("casts",),
        ("forms",),
        ("assign", "norms", "tiles"),
        ("arithmetic", "entries", "products", "updates"),
        ("indexing",),
    ),
    "moves": (
        ("nonzeros", "packing", "runs"),
        ("converting", "expanding", "folding"),
        ("judging", "sizes"),
        ("memory", "recipe"),
        ("explicit", "foreign", "rounding"),
    ),
    "plot": (
        ("certificate", "error", "graph", "heatmap", "layout", "spectrum"),
        ("matrix",),
        ("content", "dendrogram", "frame", "groups"),
        ("cells", "linkage", "place"),
        ("axes",),
    ),
    "viewer": (("viewing",), ("server",), ("scene",), ("look", "pyramid"), ("cells", "numbers")),
    "layouts": (("pictures",), ("dialects",), ("kind", "orders"), ("layout",)),
    "derived": (("portrait", "prints", "scaling", "summaries"), ("pairs",), ("tiles",)),
}
# the arrows up, each inside a function: what is exported, solved or framed there is asked for here
UP = {
    ("packed.packed", "vech.adapters.pandas"),
    ("embedding.coordinates", "vech.adapters.pandas"),
    ("packed.packed", "vech.sparse.pack"),
    ("sparse.conversions", "vech.adapters.pandas"),
    ("sparse.__init__", "vech.images"),
    ("sparse.exports", "vech.io.matrix_market"),
    ("linalg.factor.cholesky", "vech.tiled.factor"),
    ("linalg.factor.sparse", "vech.adapters.solvers"),
    *(("store", f"vech.adapters.{name}") for name in ("dask", "pandas", "xarray")),
    ("tiled.store", "vech.adapters.dask"),
    ("io.zarr", "vech.tiled.description"),
    ("io.zarr", "vech.tiled.opening"),
    ("io.hail", "vech.tiled.foreign"),
    ("io.magenpy", "vech.tiled.foreign"),
    ("io.pieces", "vech.tiled.foreign"),
    *(
        ("quantized.low_rank", f"vech.linalg.{name}")
        for name in ("checks", "factor.sparse", "solving", "spectral")
    ),
    ("quantized.spectrum", "vech.linalg.lanczos"),
    ("quantized.store", "vech.linalg"),
    ("quantized.tilewise", "vech.linalg"),
    ("store", "vech.moves.nonzeros"),
    *(
        ("store", f"vech.derived.{name}")
        for name in ("pairs", "portrait", "prints", "scaling", "summaries", "tiles")
    ),
}
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}

# where a library beside NumPy may be imported, at the top of a module or only inside a function
OPTIONAL = {
    "click": {"cli": "top"},
    "rich": {"cli": "top", "demo": "top"},
    "sklearn": {"demo": "inside", "adapters": "top", "pairwise": "inside"},
    "faiss": {"pairwise": "inside"},
    "openpyxl": {"io": "inside"},
    "dask": {"adapters": "inside"},
    "distributed": {"cli": "inside"},
    "pandas": {"adapters": "top", "io": "inside"},
    "xarray": {"adapters": "inside"},
    "skbio": {"adapters": "top"},
    "skfolio": {"adapters": "top"},
    "matplotlib": {"demo": "inside", "plot": "inside", "cli": "inside"},
    "mpl_toolkits": {"plot": "inside"},
    "pyarrow": {"io": "inside"},
    "h5py": {"io": "inside"},
    "cloudpickle": {"executors": "inside"},
    "zarr": {"io": "inside", "tiled": "inside"},
    "numcodecs": {"io": "inside", "tiled": "inside"},
    "google_crc32c": {"tiled": "inside"},
    "fsspec": {"tiled": "inside"},
    "PIL": {"demo": "inside"},
    "scipy": {name: "inside" for name in LEVEL} | {"demo": "top", "cli": "inside"},
    "torch": {"adapters": "top"},
    "jax": {"adapters": "top"},
    "sksparse": {"adapters": "inside"},
    "pypardiso": {"adapters": "inside"},
    "qdldl": {"adapters": "inside"},
    "ml_dtypes": {"arrays": "inside", "moves": "inside", "io": "inside"},
}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."), path


@functools.cache
def imports(module, path):
    """(module or vech submodule, whether inside a function) of every import statement."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    inside = {
        child
        for function in nodes
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(function)
    }
    package = ["vech", *module.split(".")[:-1]]
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(name.name, node in inside) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*package[: len(package) - node.level + 1], node.module or ""])
                if node.level
                else node.module
            )
            base = base.rstrip(".")
            for name in node.names:
                is_module = base.split(".")[0] == "vech" and is_a_module(base, name.name)
                found.append((f"{base}.{name.name}" if is_module else base, node in inside))
    return found


def is_a_module(base, name):
    folder = PACKAGE.joinpath(*base.split(".")[1:])
    return name == "_core" or (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()


@functools.cache
def arrows():
    """(module, target, whether inside a function) of every import of one of our own modules."""
    return [
        (module, target, inside)
        for module, path in modules()
        for target, inside in imports(module, path)
        if target.split(".")[0] == "vech"
    ]


def test_there_is_something_to_test():
    assert {"layouts.layout", "arrays", "packed.packed", "__init__"} <= {module for module, _ in modules()}
    assert ("moves.runs", "vech.arrays", False) in arrows()


def test_every_module_has_its_place_in_the_picture():
    places = {module.split(".")[0] for module, _ in modules()} - {"__init__", "__main__"}
    assert places <= set(LEVEL), (
        f"no layer for {places - set(LEVEL)}: put it into LAYERS and docs/architecture.md"
    )


def test_imports_go_down():
    up = []
    for module, target, inside in arrows():
        if inside and (module, target) in UP:
            continue
        place, other = module.split(".")[0], target.split(".")[1] if "." in target else "__init__"
        if place in ("__init__", "__main__"):
            continue
        if place in ("cli", "demo"):
            if other in ("cli", "demo") and other != place and (place, other) != ("cli", "demo"):
                up.append((module, target))
        elif other == "__init__" or (LEVEL.get(other, -1) <= LEVEL[place] and other != place):
            up.append((module, target))
    assert not up, f"arrows that are not in the picture: {up}"


@pytest.mark.parametrize("package", INSIDE)
def test_imports_go_down_inside_a_package_too(package):
    levels = {name: level for level, row in enumerate(INSIDE[package]) for name in row}

    def place(module):
        """The file or folder in the package that a module is, or is in."""
        return module.removeprefix(f"{package}.").split(".")[0] if module.startswith(f"{package}.") else None

    names = {place(module) for module, _ in modules()} - {None}
    unplaced = names - {"__init__", "__main__"} ^ levels.keys()
    assert not unplaced, f"put {unplaced} into INSIDE, or take it out"
    up = [
        (module, target)
        for module, target, _ in arrows()
        if (name := place(module)) not in (None, "__init__", "__main__")
        if f"{target}.".startswith(f"vech.{package}.")
        if (other := place(target.removeprefix("vech."))) != name and levels.get(other, -1) <= levels[name]
    ]
    assert not up, f"arrows that are not in the picture: {up}"


def test_every_package_has_its_order():
    assert {module.rpartition(".")[0] for module, _ in modules() if "." in module} == set(INSIDE)


def test_file_formats_do_not_know_each_other():
    known = [
        (module, target)
        for module, target, _ in arrows()
        if module.startswith("io.") and module != "io.__init__" and target.startswith("vech.io.")
    ]
    siblings = [(m, t) for m, t in known if is_a_file_format(m) and is_a_file_format(t.removeprefix("vech."))]
    assert not siblings


def is_a_file_format(module):
    return module.removeprefix("io.") in vech.io.FORMATS.values()


def test_layout_and_store_import_nothing_of_vech():
    """But for labels, refused operators, maps, what follows from the promise, and names that it has not."""
    found = {
        arrow
        for arrow in arrows()
        if arrow[0] in ("layouts.layout", "store", "elsewhere", "labels", "refusals", "maps")
        and arrow[1] != "vech.maps"
    }
    inside = {target for module, target in UP if module == "store"} | {"vech.elsewhere"}
    assert found == {("store", f"vech.{low}", False) for low in ("labels", "refusals")} | {
        ("store", target, True) for target in inside
    }


def test_only_the_lower_layers_touch_the_core():
    assert {module.split(".")[0] for module, target, _ in arrows() if target == "vech._core"} <= {
        "__init__",
        *(
            "layouts",
            "moves",
            "packed",
            "sparse",
            "quantized",
            "counts",
            "covariance",
            "pairwise",
            "cluster",
            "neighbors",
            "io",
            "linalg",
            "results",
            "tiled",
        ),
    }


PICTURE = Path(__file__).parent.parent / "docs" / "architecture.md"


@pytest.mark.skipif(not PICTURE.exists(), reason="docs/ is not beside the tests")
def test_the_picture_names_every_module():
    page = PICTURE.read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", page[page.index("    cli/") : page.index("    bind/")]))
    every = {part for module, _ in modules() for part in module.split(".")} - {"__init__", "__main__"}
    assert not every - named


def test_init_only_reexports():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr, ast.FunctionDef, ast.ClassDef)
    checked = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    assert all(isinstance(node, allowed) or node in checked for node in tree.body)
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert functions <= {"__getattr__", "__dir__", "targets", "Targets"}, "only names belong here"


@pytest.mark.parametrize("library", OPTIONAL)
def test_optional_libraries_stay_where_they_belong(library):
    allowed, strays = OPTIONAL[library], []
    for module, path in modules():
        for target, inside in imports(module, path):
            if target.split(".")[0] == library:
                place = allowed.get(module.split(".")[0])
                if place is None or (place == "inside" and not inside):
                    strays.append((module, target))
    assert not strays


def test_no_folder_of_tests_is_named_as_a_library():
    """Where the library is missing the folder would be imported for it."""
    folders = {path.name for path in Path(__file__).parent.rglob("*") if path.is_dir()}
    assert not folders & set(OPTIONAL)


def test_nothing_else_is_imported():
    known = {"numpy", "vech", *OPTIONAL} | sys.stdlib_module_names
    strays = {(m, t) for m, path in modules() for t, _ in imports(m, path) if t.split(".")[0] not in known}
    assert not strays


def run_fresh(program):
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)
    return done.stdout


def test_import_loads_numpy_and_the_core_only():
    loaded = run_fresh("""
        import sys, numpy
        before = set(sys.modules)
        import vech
        names = {name.split(".")[0] for name in set(sys.modules) - before} - {"numpy"}
        print(*sorted(names - set(sys.stdlib_module_names)))
    """).split()
    assert loaded == ["vech"]


@pytest.mark.parametrize(
    "library",
    [
        "scipy",
        "click",
        "rich",
        "torch",
        "jax",
        "dask",
        "sklearn",
        "zarr",
        "matplotlib",
        "pandas",
        "polars",
        "pyarrow",
        "xarray",
        "h5py",
        "ml_dtypes",
        "PIL",
        "sksparse",
        "pypardiso",
        "qdldl",
        "skfolio",
        "distributed",
    ],
)
def test_import_does_not_load(library):
    assert run_fresh(f"import sys, vech; print({library!r} in sys.modules)").strip() == "False"


def test_moves_and_products_do_not_load_scipy():
    assert (
        run_fresh("""
        import sys, numpy, vech
        half = numpy.arange(10.0)
        full = vech.expand(half)
        vech.pack(full)
        vech.convert(half, "vech", "numpy-tril")
        vech.Packed(half) @ numpy.ones(4)
        vech.Packed(half)[1:, 2]
        print("scipy" in sys.modules)
    """).strip()
        == "False"
    )


def test_import_is_quick():
    """At most 30 ms beyond NumPy, or half of NumPy's own time where the machine is slow or busy."""
    program = """
        from time import thread_time as now
        before = now()
        import numpy
        between = now()
        import vech
        print(between - before, now() - between)
    """
    runs = []
    for _ in range(9):
        numpys, ours = map(float, run_fresh(program).split())
        runs.append((numpys, ours))
        if ours < max(0.030, 0.5 * numpys):
            return
    pytest.fail(f"NumPy and vech took {runs}")


# ---- names and words ---------------------------------------------------------------------------------------


EXPECTED = (
    *(
        "Layout",
        "as_layout",
        "DIALECTS",
        "pack",
        "expand",
        "convert",
        "nonzeros",
        "to_coo",
        "to_csr",
        "to_csc",
    ),
    *("from_sparse", "Packed", "SparseHalf", "read", "write", "targets", "quantize", "Quantized"),
)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_public_names_are_there(name):
    assert name in vech.__all__ and hasattr(vech, name)


def test_all_is_sorted_and_true():
    assert len(set(vech.__all__)) == len(vech.__all__)
    for name in vech.__all__:
        assert hasattr(vech, name)
    assert set(vech.__all__) <= set(dir(vech))


DATA_FIRST = {
    "pack": "matrix layout * kind use tolerance out threads axis",
    "expand": "half layout * kind out threads axis",
    "convert": "half source target * kind out threads axis",
    "nonzeros": "half layout * kind",
    "to_coo": "half layout * kind part threshold threads",
    "to_csr": "half layout * kind part threshold threads",
    "to_csc": "half layout * kind part threshold threads",
    "from_sparse": "matrix layout * kind use tolerance threads",
    "identify": "half * n matrix known tolerance",
    "Packed": "half layout * kind labels",
    "quantize": "S encoding * tile scales domain rounding seed levels clip threads progress",
    "SparseHalf": "indptr indices data n * triangle kind labels",
    "Layout": "triangle traversal * diagonal diagonal_scale offdiagonal_scale",
    "read": "path * layout kind dtype n verify",
    "write": "path store * overwrite",
}


@pytest.mark.parametrize("name", DATA_FIRST)
def test_signatures_are_those_of_the_contract(name):
    before, _, after = DATA_FIRST[name].partition(" *")
    parameters = inspect.signature(getattr(vech, name)).parameters.values()
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == before.split()
    assert [p.name for p in parameters if p.kind is p.KEYWORD_ONLY] == after.split()


def test_one_version_number():
    assert vech.__version__ == vech._core.__version__
    try:
        installed = importlib.metadata.version("vech")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("vech is not installed as a distribution")
    assert vech.__version__ == installed


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


# ---- the C++ side, where its sources are at hand -----------------------------------------------------------

sources = pytest.mark.skipif(not (ROOT / "core").is_dir(), reason="the C++ sources are not beside the tests")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def includes(folder):
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".hpp", ".cpp", ".h"):
            for header in INCLUDE.findall(path.read_text(encoding="utf-8")):
                yield path.relative_to(ROOT).as_posix(), header


@sources
def test_the_core_knows_no_python():
    assert list(includes("core"))
    wrong = [
        (p, h)
        for p, h in includes("core")
        if re.search(r"nanobind|Python\.h|pybind|numpy|bind/|\.\./bind", h)
    ]
    assert not wrong


@sources
def test_only_bind_includes_nanobind():
    assert any("nanobind" in header for _, header in includes("bind"))
    others = [folder.name for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    wrong = [
        (path, header)
        for folder in others
        if folder in ("core", "src", "tests", "benchmarks", "tools")
        for path, header in includes(folder)
        if "nanobind" in header
    ]
    assert not wrong


def test_files_of_tests_have_names_of_their_own():
    """Pytest takes each for a module of that name, whichever folder it is in."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]
    names = [name for name in names if name not in ("conftest.py", "__init__.py")]
    assert sorted(names) == sorted(set(names))
