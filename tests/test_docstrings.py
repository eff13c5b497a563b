"""What a docstring must say: summary, parameters, results, errors, an example that runs; cost, source."""

import doctest
import importlib
import inspect
import pkgutil
import re
import sys

import numpy as np
import pytest

import cases
import vech

MODULES = [
    "vech",
    *(name for _, name, _ in pkgutil.walk_packages(vech.__path__, "vech.") if not name.endswith("_core")),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ImportError as missing:
        pytest.skip(f"{name}: {missing}")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    names = {"np": np, "vech": vech}
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=options, verbose=False)
    for test in finder.find(module, extraglobs=names):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_there_are_examples():
    module = importlib.import_module("vech.moves.packing")
    assert sum(len(test.examples) for test in doctest.DocTestFinder().find(module)) >= 3


# ---- the public face ---------------------------------------------------------------------------------------

FACES = (
    "vech",
    "vech.adapters.anndata",
    "vech.adapters.jax",
    "vech.adapters.pandas",
    "vech.adapters.pypfopt",
    "vech.adapters.skbio",
    "vech.adapters.skfolio",
    "vech.adapters.sklearn",
    "vech.adapters.torch.dropin",
    "vech.adapters.torch.factors",
    "vech.adapters.torch.modules",
    "vech.adapters.torch.shampoo",
    "vech.adapters.torch.state",
    "vech.adapters.torch.training",
    "vech.cluster",
    "vech.covariance",
    "vech.embedding",
    "vech.io",
    "vech.linalg",
    "vech.neighbors",
    "vech.pairwise",
    "vech.plot",
    "vech.quantized",
    "vech.sparse",
    "vech.tiled",
)


def faces():
    """Each public module that can be imported here, by its name."""
    for name in FACES:
        try:
            yield name, importlib.import_module(name)
        except ImportError as missing:
            assert (missing.name or "").split(".")[0] != "vech"


def is_ours(thing):
    return (getattr(thing, "__module__", None) or "").split(".")[0] == "vech"


def public():
    """(name, thing) of every public function, class, method and property of our own, each thing once."""
    seen = set()
    for face, module in faces():
        for name in module.__all__:
            thing = getattr(module, name)
            if not (inspect.isfunction(thing) or inspect.isclass(thing)) or thing in seen:
                continue
            seen.add(thing)
            yield f"{face}.{name}", thing
            # a promise is told by who keeps it
            members = (
                inspect.getmembers_static(thing) if inspect.isclass(thing) and thing is not vech.Store else ()
            )
            for member, value in members:
                inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                if member.startswith("_") or not inspect.isfunction(inner) or inner in seen:
                    continue
                seen.add(inner)
                if is_ours(inner):
                    yield f"{face}.{name}.{member}", value if isinstance(value, property) else inner


PUBLIC = dict(public())


def sections(name):
    """The sections of a docstring by their headings; what stands before the first one by ''."""
    parts = re.split(r"^([A-Z]\w*(?: \w+)?)\n-+$", inspect.getdoc(PUBLIC[name]) or "", flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def shared(name):
    """The sections, and those it leaves to another docstring: "all else as for `vech.to_csr`"."""
    own = sections(name)
    other = re.search(r"\bas\s+for\s+`([\w.]+)`", own[""])
    if not other:
        return own
    around = name.split(".")[:-1]
    places = [".".join([*around[:k], other[1]]) for k in range(len(around), -1, -1)]
    return sections(next(place for place in places if place in PUBLIC)) | own


def parameters(name):
    found = inspect.signature(PUBLIC[name]).parameters.values()
    return [p for p in found if p.name not in ("self", "cls")]


def has_parameters(name):
    """Parameters: each argument of the signature with its type, or as which other one it is."""
    text = shared(name).get("Parameters", "")
    lines = re.findall(r"^(\S.*?)(?: : \S.*|\n +As .*)$|^(\*\*\w+)$", text, re.MULTILINE)
    said = [word.lstrip("*") for line in lines for word in "".join(line).split(", ")]
    taken = [p.name for p in parameters(name)]
    if "Parameters" not in sections(name):
        said = [word for word in said if word in taken]
    return sorted(said) == sorted(taken)


def has_returns(name):
    """Returns: what comes back, where something does."""
    return inspect.signature(PUBLIC[name]).return_annotation in (None, "None") or "Returns" in shared(name)


def has_raises(name):
    """Raises: which errors, where an argument can be wrong and is checked."""
    said = shared(name)
    return (
        not parameters(name)
        or re.match(r"\s*[\w.]+Error\b", said.get("Raises", ""))
        or "hecks nothing" in said[""]
    )


def has_example(name):
    """Examples: one of its own."""
    return ">>>" in sections(name).get("Examples", "")


COST = re.compile(
    r"\b([Mm]emory|bytes|[KMG]iB|n\^?[23]|n x n|pass(es)?|products?|times?|Cost (as|of))\b|\bO\("
)
YEAR = re.compile(r"\b(1[89]|20)\d\d\b")
SOLVERS = ("cond", "eigsh", "lobpcg", "nearest_correlation", "nearest_psd", "shrink_to_psd", "solve")


def has_cost(name):
    """Notes: time or memory, of what computes from data or a store."""
    computes = re.fullmatch(r"vech\.(linalg|covariance|embedding|pairwise)\.\w+", name)
    return not computes or COST.search(sections(name).get("Notes", ""))


def has_source(name):
    """Notes: who found it and when, of what estimates or solves."""
    place, _, function = name.rpartition(".")
    cites = place == "vech.covariance" or (place == "vech.linalg" and function in SOLVERS)
    return not cites or YEAR.search(inspect.getdoc(PUBLIC[name]))


RULES = (has_parameters, has_returns, has_raises, has_example, has_cost, has_source)


def test_the_public_face_is_found():
    assert {"vech.pack", "vech.Packed.half", "vech.SparseHalf.from_coo", "vech.covariance.Stream"} <= set(
        PUBLIC
    )
    assert {"vech.linalg.Cholesky.solve", "vech.io.FileFormatError", "vech.Layout.position"} <= set(PUBLIC)


@cases.each("name", list(PUBLIC))
def test_the_first_line_says_what_it_gives(name):
    first = sections(name)[""].partition("\n")[0]
    assert first.endswith((".", ":", "?")) and len(first) <= 110, first


@cases.each("name", [name for name, thing in PUBLIC.items() if inspect.isfunction(thing)])
def test_a_docstring_has_all_that_it_must_have(name):
    assert not [rule.__doc__ for rule in RULES if not rule(name)]


# ---- what help() and dir() show ----------------------------------------------------------------------------


@cases.each("name", [name for name, thing in PUBLIC.items() if not isinstance(thing, property)])
def test_a_signature_can_be_read(name):
    for p in parameters(name):
        assert len(str(p)) <= 80 and "numpy._typing" not in str(p), str(p)


@cases.each("face", list(dict(faces())))
def test_dir_shows_public_names_only(face):
    module = importlib.import_module(face)
    assert dir(module) == sorted(module.__all__)


def test_dir_of_a_folder_shows_its_public_names():
    for found in list(pkgutil.walk_packages(vech.__path__, "vech.")):  # which imports what has its library
        if found.ispkg and (module := sys.modules.get(found.name)):
            assert dir(module) == sorted(module.__all__), found.name
