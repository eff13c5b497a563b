"""Arrays of other libraries by DLPack and `__array__`, and datasets that are read in blocks of rows."""

import re

import numpy as np
import pytest

import vech
from vech import arrays, covariance, pairwise, tensors

HALF = np.arange(6.0)
FULL = vech.expand(HALF)
X = np.random.default_rng(3).normal(size=(40, 3))


def says(error, message, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


class Spoken:
    """An array that speaks DLPack alone."""

    def __init__(self, numbers, device=(1, 0)):
        self.numbers, self.device_of = numbers, device

    def __dlpack__(self, **more):
        return self.numbers.__dlpack__(**more)

    def __dlpack_device__(self):
        return self.device_of


class Converted:
    """An array that NumPy can convert."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.numbers, dtype)


class Stored:
    """A dataset: read by slices, and it keeps account of them."""

    def __init__(self, numbers, chunks=(7, 2)):
        self.numbers, self.chunks, self.read = numbers, chunks, []
        self.shape, self.dtype, self.ndim = numbers.shape, numbers.dtype, numbers.ndim

    chunks = shape = None

    def __getitem__(self, key):
        found = self.numbers[key]
        self.read.append(len(found))
        return found

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("read by its own slices")


def test_what_speaks_dlpack_is_taken_without_a_copy():
    numbers = HALF.copy()
    assert np.shares_memory(vech.Packed(Spoken(numbers)).half, numbers)
    assert vech.expand(Spoken(numbers)).tolist() == FULL.tolist()


def test_what_numpy_can_convert_is_taken_and_judged():
    assert vech.expand(Converted(HALF)).tolist() == FULL.tolist()
    says(TypeError, "half of dtype object holds Python objects", vech.expand, Converted([None, 1, 2]))
    masked = Converted(HALF)
    masked.__class__ = type(
        "Masked", (Converted,), {"shape": (6,), "__getitem__": lambda self, key: np.ma.ones(6)}
    )
    says(TypeError, "half must be a NumPy array, not numpy.ma.*: a mask would be lost", vech.expand, masked)


def test_memory_of_a_device_is_refused_by_name():
    message = (
        "half is a test_tensors.Spoken on .*, and vech computes on the processor: pass a copy in the memory"
    )
    says(TypeError, message, vech.expand, Spoken(HALF, (2, 0)))
    for name, way in (
        ("torch", r"x.cpu\(\)"),
        ("cupy", r"cupy.asnumpy\(x\)"),
        ("jaxlib._jax", r"jax.device_get\(x\)"),
    ):
        tensor = type("Tensor", (Spoken,), {"__module__": name, "device": "cuda:0"})(HALF, (2, 0))
        says(TypeError, rf"half is a {name}.Tensor on cuda:0, .*: pass {way}$", vech.expand, tensor)
        says(TypeError, rf"X is a {name}.Tensor on cuda:0", covariance.sample, tensor)


def test_what_no_array_can_be_made_of_says_why():
    class Locked:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("ask for it first.\nAnd so on")

    says(TypeError, r"half must be a NumPy array, not .*Locked: ask for it first$", vech.expand, Locked())


def test_more_than_memory_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(arrays, "memory_limit", lambda: 2**20)
    monkeypatch.setattr(arrays, "UNCHECKED_BYTES", 2**10)
    large = Stored(np.broadcast_to(0.0, (1000, 1000)))
    says(MemoryError, "the result needs 8000000 bytes .* read matrix in parts", vech.pack, large)
    assert large.read == []


# ---- torch, JAX, array-api ---------------------------------------------------------------------------------


def test_tensors_of_torch_say_what_to_do():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(HALF)
    assert np.shares_memory(vech.Packed(tensor).half, tensor.numpy())
    assert vech.expand(tensor.to(torch.int16)).dtype == np.int16
    assert vech.pack(torch.tensor(FULL).T[:2, :2]).tolist() == [0, 1, 3]
    says(
        TypeError,
        "half must be a NumPy array, not torch.Tensor: .*requires grad. Use tensor.detach",
        vech.expand,
        tensor.clone().requires_grad_(),
    )
    says(
        TypeError, "Got unsupported ScalarType BFloat16: x.float\\(\\) first$", vech.expand, tensor.bfloat16()
    )
    says(TypeError, r"Use Tensor.cpu\(\)", vech.expand, torch.empty(6, device="meta"))
    says(TypeError, r"Use Tensor.to_dense\(\)", vech.pack, torch.eye(3).to_sparse())
    says(TypeError, "resolve_conj", vech.expand, (tensor + 1j).conj(), kind="hermitian")
    S = vech.Packed(HALF)
    assert (S * torch.tensor(2.0)).half.tolist() == (2 * HALF).tolist()
    assert type(S @ torch.ones(3)) is np.ndarray


def test_arrays_of_jax_are_taken_and_tracers_are_not():
    jax = pytest.importorskip("jax")
    half = jax.numpy.asarray(HALF, "float32")
    assert vech.expand(half).tolist() == FULL.tolist()
    assert vech.expand(half.astype("bfloat16")).dtype.name == "bfloat16"
    says(TypeError, "called on traced array", jax.jit(vech.expand), half)


# ---- datasets ----------------------------------------------------------------------------------------------

ESTIMATORS = {
    "sample": covariance.sample,
    "correlation": covariance.correlation,
    "ledoit_wolf": covariance.ledoit_wolf,
    "oas": covariance.oas,
    "gerber": covariance.gerber,
    "stream": lambda X: streamed(X),
}


def streamed(X):
    stream = covariance.Stream()
    stream.update(X)
    return stream.result()


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_dataset_is_read_in_blocks_of_rows_of_whole_chunks(estimate, monkeypatch):
    monkeypatch.setattr(tensors, "BLOCK_BYTES", 24 * 16)  # sixteen rows, so two chunks
    stored = Stored(X)
    np.testing.assert_allclose(estimate(stored).half, estimate(X).half, rtol=1e-12)
    assert max(stored.read) == 14 and set(stored.read) <= {1, 14, 12}


@pytest.mark.parametrize(
    "estimate", [covariance.kendall, covariance.spearman, covariance.quadrant, pairwise.gram]
)
def test_a_dataset_is_read_once_where_it_is_needed_whole(estimate, monkeypatch):
    monkeypatch.setattr(tensors, "BLOCK_BYTES", 24 * 16)
    stored = Stored(X)
    np.testing.assert_allclose(estimate(stored).half, estimate(X).half)
    assert stored.read.count(40) == 1


def test_a_dataset_is_judged_as_an_array_is():
    holed = X.copy()
    holed[30, 1] = np.nan
    says(ValueError, "X has .*NaN.*, the first in row 30, column 1", covariance.sample, Stored(holed))
    says(ValueError, r"X has shape \(0, 3\): there are no rows", covariance.sample, Stored(X[:0]))
    says(
        ValueError,
        r"X has shape \(40,\), and must be n_samples x n_features",
        covariance.sample,
        Stored(X[:, 0], (7,)),
    )
    says(TypeError, "X has dtype complex128", covariance.ledoit_wolf, Stored(X + 0j))
    says(ValueError, "the integer", covariance.sample, Stored(np.array([[2**60 + 1, 1], [3, 4]])))


def test_files_of_hdf5_and_zarr_are_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["X"], file["full"], file["big"] = X, FULL, FULL.astype(">f4")
        chunked = file.create_dataset("chunked", data=X, chunks=(5, 3), compression="gzip")
        for stored in (file["X"], chunked):
            np.testing.assert_array_equal(covariance.sample(stored).half, covariance.sample(X).half)
        assert vech.pack(file["full"]).tolist() == HALF.tolist()
        assert vech.pack(file["big"]).dtype == ">f4"
        words = file.create_dataset("words", data=["a", "b"], dtype=h5py.string_dtype())
        says(TypeError, "object", vech.expand, words)
        says(TypeError, "must be a NumPy array, not h5py", vech.pack, file)
        nothing = file.create_dataset("nothing", data=h5py.Empty("f8"))
        full = file["full"]
        for call in (vech.pack, vech.Packed.from_full, covariance.sample, pairwise.gram):
            says(TypeError, "must be a NumPy array, not h5py.*Dataset", call, nothing)
    for call in (vech.pack, vech.Packed.from_full, covariance.sample, pairwise.gram):
        says(TypeError, "must be a NumPy array, not h5py.*Dataset: Unable", call, full)
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(str(tmp_path / "some.zarr"), data=X, chunks=(6, 2))
    np.testing.assert_array_equal(covariance.sample(stored).half, covariance.sample(X).half)
    np.testing.assert_array_equal(pairwise.gram(stored).half, pairwise.gram(X).half)


@pytest.fixture
def dask():
    return pytest.importorskip("dask.array")


def test_arrays_of_dask_are_read_in_blocks(dask):
    np.testing.assert_allclose(
        covariance.sample(dask.from_array(X, chunks=(11, 2))).half, covariance.sample(X).half
    )
    assert vech.pack(dask.from_array(FULL)).tolist() == HALF.tolist()
    unknown = dask.from_array(X)[dask.from_array(X[:, 0] > 0)]
    np.testing.assert_allclose(covariance.sample(unknown).half, covariance.sample(X[X[:, 0] > 0]).half)


def test_a_labelled_dataset_keeps_its_labels(dask):
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(dask.from_array(X, chunks=(11, 2)), dims=("t", "v"), coords={"v": list("abc")})
    found = covariance.sample(named)
    assert found.labels == ("a", "b", "c")
    np.testing.assert_allclose(found.half, covariance.sample(X).half)
