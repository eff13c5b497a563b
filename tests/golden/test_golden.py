"""Files of every version that was released are read, numbers and labels; each file format has some."""

from importlib import import_module
from pathlib import Path

import golden_files as golden
import numpy as np
import pytest

import vech
from vech.io import FORMATS
from vech.io.description import VERSION
from vech.tiled.description import VERSION as TILED_VERSION

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if path.name[0].isdigit())
LIBRARIES = {
    **dict.fromkeys((".h5", ".cool"), "h5py"),
    **dict.fromkeys((".parquet", ".feather"), "pyarrow"),
    **dict.fromkeys((".xlsx",), "openpyxl"),
    **dict.fromkeys((".zarr",), "zarr"),
}
QUANTIZED = (*vech.ENCODINGS, "cholesky", "log")

each_version = pytest.mark.parametrize("version", VERSIONS)


def path_of(version, part, name):
    """Of a file that this version wrote; no test where it did not know the file format yet."""
    suffix = Path(name.partition("::")[0]).suffix
    if suffix in LIBRARIES:
        pytest.importorskip(LIBRARIES[suffix])
    path = HERE / version / part / name.partition("::")[0]
    if not path.exists() and version != VERSIONS[-1]:
        pytest.skip(f"{version} wrote none")
    return HERE / version / part / name


@each_version
@pytest.mark.parametrize("name", golden.STORES)
def test_a_store_is_read(version, name):
    _, matrix, labels = golden.STORES[name]
    store = vech.read(path_of(version, "stores", name), **golden.SAID.get(name, {}))
    assert np.array_equal(store.expand(), matrix())
    assert store.dtype == matrix().dtype
    assert store.labels == labels and list(map(type, labels or ())) == list(map(type, store.labels or ()))


@each_version
def test_a_half_of_billions_of_rows_is_read(version):
    S = vech.read(path_of(version, "stores", "far.npz"))
    assert (S.n, S.nnz) == (3_000_000_000, 4)
    assert [S[0, 0], S[7, 0], S[2_999_999_999, 7], S[2_999_999_999, 2_999_999_999]] == [1, 2, 3, 4]


@each_version
def test_what_was_made_of_data_is_read(version):
    D = vech.read(path_of(version, "stores", "made.npy"), verify=True)
    assert np.allclose(D.half, [5, 10, 1, 5, 18**0.5, 85**0.5], rtol=1e-15)


@each_version
def test_a_factor_in_tiles_is_read(version):
    L = vech.tiled.open(path_of(version, "stores", "factor.zarr"))
    assert np.allclose(golden.full() @ L.solve(np.arange(5.0)), np.arange(5.0), rtol=1e-12)


@each_version
@pytest.mark.parametrize("name", [*QUANTIZED, "codes"])
def test_codes_mean_the_same_numbers(version, name):
    suffix = ".zarr" if name == "codes" else ".npz"
    Q = vech.read(path_of(version, "quantized", name + suffix))
    wanted = np.load(HERE / version / "quantized" / "numbers.npz")[name]
    assert np.allclose(Q.to_packed().half, wanted, rtol=1e-12 if Q.dtype == float else 1e-6, atol=0)
    matrix = golden.full(Q.n)
    assert np.linalg.norm(Q.expand() - matrix) <= 1.0001 * Q.error.frobenius < np.linalg.norm(matrix)


@each_version
@pytest.mark.parametrize("name", golden.STATES)
def test_a_state_of_torch_goes_on(version, name):
    torch = pytest.importorskip("torch")
    make, _, answer = golden.STATES[name]
    path = path_of(version, "states", f"{name}.pt")
    one = make()
    one.load_state_dict(torch.load(path, weights_only=True))
    assert np.allclose(answer(one), np.load(path.with_suffix(".npy")), rtol=1e-5, atol=1e-6)


@each_version
@pytest.mark.parametrize("find", [golden.rooms, pytest.param(golden.adapters, marks=pytest.mark.slow)])
def test_every_public_name_is_known_with_its_arguments(version, find):
    """Arguments by position stay in their places, and each is known by its name; others may come after."""
    modules = find()
    names = {module.__name__ for module in modules}
    now = {name: (given, by_name) for name, given, by_name in golden.public_names(modules)}
    lost = []
    for line in (HERE / version / "names.txt").read_text().splitlines():
        name, *taken = line.split(" ")
        if golden.module_name(name) not in names:
            continue  # of another test, or an adapter of a library that is not here
        end = taken.index("*") if "*" in taken else len(taken)
        given, by_name = taken[:end], taken[end + 1 :]
        found = now.get(name, ([], []))
        if name not in now or found[0][:end] != given or not {*by_name} <= {*found[0], *found[1]}:
            lost.append(f"{name}({', '.join(taken)})")
    assert not lost and len(now) > (100 if find is golden.rooms else 30)


@each_version
@pytest.mark.parametrize("find", [golden.rooms, pytest.param(golden.adapters, marks=pytest.mark.slow)])
def test_every_argument_keeps_its_default(version, find):
    modules = find()
    names = {module.__name__ for module in modules}
    now = set(golden.defaults(modules))
    lines = (HERE / version / "defaults.txt").read_text().splitlines()
    mine = {line for line in lines if golden.module_name(line.partition(" ")[0]) in names}
    assert mine and mine <= now


@each_version
def test_every_command_and_option_is_known(version):
    then = set((HERE / version / "options.txt").read_text().splitlines())
    assert {"vech info --json", "vech convert"} <= then <= set(golden.options())


# ---- nothing is left out -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(VERSIONS[-1] != vech.__version__, reason="its lists are written with the release")
def test_the_lists_of_this_version_are_whole():
    """If not: python tests/golden/golden_files.py tests/golden/VERSION."""
    for name, now in golden.lists():
        listed = set((HERE / VERSIONS[-1] / f"{name}.txt").read_text().splitlines())
        assert not [line for line in now if line not in listed]


def test_there_are_files_of_each_version_of_a_description():
    """Who counts one of these up writes a new folder, and leaves the old ones."""
    assert (VERSION, TILED_VERSION) == (1, 1) and VERSIONS == ["0.2.0"]


def test_every_file_format_that_is_written_has_files():
    written = {
        module: set(import_module(f"vech.io.{module}").CAN.write) - {"any"} for module in FORMATS.values()
    }
    newest = HERE / VERSIONS[-1] / "stores"
    names = {name.partition("::")[0] for name in golden.STORES}
    assert all((newest / name).exists() for name in names)
    served = {format_of(name) for name in names}
    assert {module for module, halves in written.items() if halves} == served
    assert written["npz"] == {"dense", "sparse", "quantized"}, "a new kind of half: add a file of it"


def format_of(name):
    return FORMATS[max((suffix for suffix in FORMATS if name.endswith(suffix)), key=len)]


def test_every_encoding_has_a_file():
    newest = HERE / VERSIONS[-1] / "quantized"
    assert {path.stem for path in newest.glob("*.npz")} == {*QUANTIZED, "numbers"}


def test_every_state_of_torch_has_a_file():
    pytest.importorskip("torch")
    from vech.adapters import torch as vt

    owning = {name for name in vt.__all__ if hasattr(getattr(vt, name), "load_state_dict")}
    assert owning == set(golden.STATES)
    newest = HERE / VERSIONS[-1] / "states"
    assert {path.stem for path in newest.glob("*.pt")} == owning
