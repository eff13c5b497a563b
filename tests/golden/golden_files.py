"""What the golden files hold, and how they were written: `python tests/golden/golden_files.py FOLDER`.

A folder is named after the version that wrote it. Of one that is there only the lists of names are written
again, which is for the version that is not released yet.
"""

import contextlib
import datetime
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import numpy as np

import vech
import vech.adapters
from vech.cli.root import vech_command

N = 5
LABELS = ("a", "b", "c", "d", "e")
BINS = tuple(("chr1", 10 * k, 10 * k + 10) for k in range(N))
ODD_LABELS = (
    "text",
    7,
    0.5,
    None,
    ("family", 3),
    datetime.date(2020, 2, 29),
    True,
    np.datetime64("2020-01", "M"),
)


def full(n=N, kind="symmetric", dtype=float):
    """The numbers of every file: 10 i + j of row i and column j, in sixteenths, a_ii grown by 8."""
    i, j = np.indices((n, n))
    lower = (10 * np.maximum(i, j) + np.minimum(i, j)) / 16
    if kind == "hermitian":
        return (lower + 8 * np.eye(n) + 1j * (i - j) / 4).astype(dtype)
    if kind == "skew":
        return (lower * np.sign(i - j)).astype(dtype)
    return (lower + 8 * np.eye(n)).astype(dtype)


def scattered(n=N):
    """The same where i + j is even, else nothing."""
    i, j = np.indices((n, n))
    return np.where((i + j) % 2 == 0, full(n), 0)


def distances(n=N):
    """The same without what the diagonal has."""
    return full(n) * (1 - np.eye(n))


def correlations(n=N):
    """The same between -1 and 1, in float32."""
    return (distances(n) / 64 + np.eye(n)).astype(np.float32)


def scaled(n=N):
    """A layout without a name: its numbers are doubled off the diagonal."""
    return vech.Packed(vech.pack(full(n), OWN), OWN, labels=LABELS)


OWN = vech.Layout("upper", "rows", diagonal_scale=0.5, offdiagonal_scale=2.0)


def labelled(matrix, layout="vech", *, kind=None, labels=LABELS):
    return vech.Packed(vech.pack(matrix, layout, kind=kind), layout, kind=kind, labels=labels)


def sparse(labels=LABELS):
    half = vech.pack(scattered())
    return vech.SparseHalf.from_half(half).with_labels(labels)


def far():
    """A sparse half of 3 000 000 000 rows, of which three hold numbers."""
    places = np.array([0, 7, 2_999_999_999])
    i, j = np.array([0, 1, 2, 2]), np.array([0, 0, 1, 2])
    return vech.SparseHalf.from_coo(places[i], places[j], FAR, 3_000_000_000, use="lower")


FAR = np.array([1.0, 2.0, 3.0, 4.0])
POINTS = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0], [0.0, 1.0]])

STORES = {
    "half.npy": (lambda: labelled(full()), full, LABELS),
    "odd-labels.npy": (
        lambda: labelled(full(8), "numpy-tril", labels=ODD_LABELS),
        lambda: full(8),
        ODD_LABELS,
    ),
    "own-layout.npy": (scaled, full, LABELS),
    "skew.npy": (
        lambda: labelled(full(kind="skew"), "condensed", kind="skew"),
        lambda: full(kind="skew"),
        LABELS,
    ),
    "half.npz": (lambda: labelled(full(), "lapack-upper"), full, LABELS),
    "hermitian.npz": (
        lambda: labelled(full(kind="hermitian", dtype=complex), kind="hermitian"),
        lambda: full(kind="hermitian", dtype=complex),
        LABELS,
    ),
    "sparse.npz": (sparse, scattered, LABELS),
    "half.bin": (lambda: labelled(full(), labels=None), full, None),
    "half.mtx": (lambda: labelled(full(), labels=None), full, None),
    "sparse.mtx": (lambda: sparse(None), scattered, None),
    "sparse.rsa": (lambda: sparse(None), scattered, None),
    "full.csv": (lambda: labelled(full()), full, LABELS),
    "distances.phy": (lambda: labelled(distances(), "condensed"), distances, LABELS),
    "half.grm.bin": (
        lambda: labelled(full(dtype=np.float32), "numpy-tril"),
        lambda: full(dtype=np.float32),
        LABELS,
    ),
    "half.h5::/group/matrix": (lambda: labelled(full(), "numpy-tril"), full, LABELS),
    "datasets.zarr::/matrix": (lambda: labelled(full(), "numpy-tril"), full, LABELS),
    "tiled.zarr": (lambda: labelled(full()), full, LABELS),
    "full.parquet": (lambda: labelled(full()), full, LABELS),
    "full.feather": (lambda: labelled(full()), full, LABELS),
    "full.xlsx": (lambda: labelled(full()), full, LABELS),
    "contacts.cool": (lambda: sparse(BINS), scattered, BINS),
    "correlations.ld.zarr": (lambda: labelled(correlations()), correlations, LABELS),
}
"""By the name of a file: the store that was written, the matrix and the labels that must be read."""

HOW = {"tiled.zarr": {"tile": 2}, "correlations.ld.zarr": {"encoding": "float32"}}
SAID = {"half.bin": {"layout": "vech", "dtype": "<f8"}}
"""What is said beside them when they are written, and when they are read."""


def write_stores(folder):
    for name, (store, _, _) in STORES.items():
        vech.write(folder / name, store(), **HOW.get(name, {}))
    vech.write(folder / "far.npz", far())
    vech.pairwise.distances(POINTS, out=folder / "made.npy")
    vech.linalg.cholesky(vech.read(folder / "tiled.zarr"), out=folder / "factor.zarr")


WIDE = 40
"""Rows of quantized matrices: three tiles of 32."""


def write_quantized(folder):
    """A matrix of each encoding and domain, and the numbers that its codes stand for, beside it."""
    matrix, wanted = full(WIDE), {}
    for encoding in vech.ENCODINGS:
        Q = vech.quantize(labelled(matrix, labels=tuple(range(WIDE))), encoding, tile=32)
        vech.write(folder / f"{encoding}.npz", Q)
        wanted[encoding] = Q.to_packed().half
    for domain in ("cholesky", "log"):
        Q = vech.quantize(labelled(full()), "int8", tile=32, domain=domain)
        vech.write(folder / f"{domain}.npz", Q)
        wanted[domain] = Q.to_packed().half
    matrix = full(70)  # three tiles of 64
    T = vech.tiled.create(folder / "codes.zarr", len(matrix), tile=64, encoding="int8")
    T.fill(lambda rows, columns: matrix[rows, columns])
    wanted["codes"] = T.to_packed().half
    np.savez_compressed(folder / "numbers.npz", **wanted)


def _given(step, rows=4):
    import torch

    return torch.arange(3.0 * rows).reshape(rows, 3) / 8 - step


def _spd():
    import torch

    return torch.from_numpy(vech.pack(full(dtype=np.float32)))


def _shampoo():
    """An optimizer after two steps, and what the third one makes of its weight."""
    import torch

    from vech.adapters.torch import Shampoo

    weight = torch.nn.Parameter(torch.ones(4, 3))
    return Shampoo([weight], lr=0.125, encoding="int8", smallest=0)


def _step(optimizer, step):
    (weight,) = optimizer.param_groups[0]["params"]
    weight.grad = _given(step)
    optimizer.step()
    return weight.detach()


def _stepped(optimizer):
    for step in range(2):
        _step(optimizer, step)
    optimizer.param_groups[0]["params"][0].data.fill_(1)


def _learn(name, **options):
    def make():
        from vech.adapters import torch as vt

        return getattr(vt, name)(**options)

    return make


STATES = {
    "LowBitState": (
        _learn("LowBitState", n=N, encoding="int8", smallest=0),
        lambda state: state.update(_spd()),
        lambda state: state.half(),
    ),
    "KroneckerPair": (
        _learn("KroneckerPair", inputs=3, outputs=3, encoding="int4", smallest=0),
        lambda pair: pair.update(_given(0), _given(1)).refresh(damping=0.5),
        lambda pair: pair.precondition(_given(0, rows=3)),
    ),
    "Eigenbasis": (
        _learn("Eigenbasis", n=4),
        lambda basis: basis.update(_given(0)).refresh().update(_given(1)).refresh(),
        lambda basis: basis.turn(_given(2)),
    ),
    "SymmetricLinear": (
        _learn("SymmetricLinear", features=3),
        lambda layer: [p.data.copy_(_given(0, rows=2).ravel()[: len(p)]) for p in layer.parameters()],
        lambda layer: layer(_given(1)).detach(),
    ),
    "Shampoo": (_shampoo, _stepped, lambda optimizer: _step(optimizer, 2)),
}
"""By the class whose `state_dict` is written: how one is made, what it learns, and what it answers then."""


def write_states(folder):
    import torch

    for name, (make, learn, answer) in STATES.items():
        one = make()
        learn(one)
        torch.save(one.state_dict(), folder / f"{name}.pt")
        np.save(folder / f"{name}.npy", answer(one).numpy())


def taken(thing):
    """The parameters of a function or class, none of what is neither."""
    try:
        return inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return ()


def parameters(thing):
    """What it takes, by position and by name."""
    by_name = [p.name for p in taken(thing) if p.kind is p.KEYWORD_ONLY]
    return [p.name for p in taken(thing) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)], by_name


def members(thing):
    """The public members of a class that is our own, with those that it inherits from us."""
    ours = [cls for cls in thing.__mro__ if cls.__module__.split(".")[0] == "vech"]
    return sorted({name for cls in ours for name in vars(cls) if name[0] != "_"})


def rooms():
    """The package and its public modules."""
    return [vech, *(m for name in vech.__all__ if inspect.ismodule(m := getattr(vech, name)))]


def adapters():
    """Those whose libraries are here."""
    modules = []
    for found in pkgutil.iter_modules(vech.adapters.__path__):
        with contextlib.suppress(ImportError):
            modules.append(importlib.import_module(f"vech.adapters.{found.name}"))
    return modules


def module_name(name):
    """Of the module that a public name is in."""
    parts = name.split(".")
    if parts[1] == "adapters":
        return ".".join(parts[:3])
    room = ".".join(parts[:2])
    return room if room in {module.__name__ for module in rooms()} else "vech"


def public_things(modules):
    """Each public function, class and member, by its name."""
    for module in modules:
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.ismodule(thing):
                continue
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for member in members(thing):
                    yield f"{module.__name__}.{name}.{member}", getattr(thing, member)


def public_names(modules):
    """Of each of these its name, then its arguments."""
    return ((name, *parameters(thing)) for name, thing in public_things(modules))


def defaults(modules):
    """A line for each argument of these that has a default."""
    for name, thing in public_things(modules):
        yield from (f"{name} {p.name}={p.default!r}" for p in taken(thing) if p.default is not p.empty)


def options(command=vech_command, name="vech"):
    """A line for each option of each command."""
    for parameter in command.params:
        words = (*parameter.opts, *parameter.secondary_opts)
        yield from (f"{name} {word}" for word in words if word[0] == "-")  # others are arguments
    for word, inner in getattr(command, "commands", {}).items():
        yield f"{name} {word}"
        yield from options(inner, f"{name} {word}")


def lists():
    """Name of a file, and its lines: all that is public here and now."""
    modules = rooms() + adapters()
    yield (
        "names",
        [
            " ".join([name, *given, *("*" for _ in by_name[:1]), *by_name])
            for name, given, by_name in public_names(modules)
        ],
    )
    yield "defaults", list(defaults(modules))
    yield "options", list(options())


def write_lists(folder):
    """Write all of them; lines of adapters whose libraries are not here stay as they are."""
    here = {module.__name__ for module in adapters()}
    for name, lines in lists():
        path = folder / f"{name}.txt"
        old = path.read_text().splitlines() if path.exists() else []
        words = {line: line.partition(" ")[0] for line in old if line.startswith("vech.adapters.")}
        kept = [line for line, word in words.items() if module_name(word) not in here]
        first = next((k for k, line in enumerate(lines) if line.startswith("vech.adapters.")), len(lines))
        path.write_text("\n".join([*lines[:first], *sorted(kept + lines[first:], key=_adapter)]) + "\n")


def _adapter(line):
    return module_name(line.partition(" ")[0]) if line.startswith("vech.adapters.") else ""


if __name__ == "__main__":
    target = Path(sys.argv[1])
    new = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    write_lists(target)
    for part, write in (("stores", write_stores), ("quantized", write_quantized), ("states", write_states)):
        if new:
            (target / part).mkdir()
            write(target / part)
