"""What tensors are refused: one clear sentence each."""

import re

import numpy as np
import pytest

import cases

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")
dropin = pytest.importorskip("vech.adapters.torch.dropin")

LinAlgError = torch.linalg.LinAlgError
# h is the half of a 5 x 5 matrix in float64, x a vector beside it
REFUSED = {
    "a triangular half multiplied": (
        lambda h, x: vt.matmul(h, x, kind="triangular"),
        ValueError,
        "no store holds a triangular matrix",
    ),
    "a sparse tensor": (
        lambda h, x: vt.matmul(h.to_sparse(), x),
        TypeError,
        "half is a tensor of layout torch.sparse_coo: pass half.to_dense()",
    ),
    "an array": (
        lambda h, x: vt.expand(h.numpy()),
        TypeError,
        "half must be a torch.Tensor, not numpy.ndarray: pass torch.as_tensor(half)",
    ),
    "a list": (
        lambda h, x: vt.pack([[1.0]]),
        TypeError,
        "matrix must be a torch.Tensor, not list: pass torch.as_tensor(matrix)",
    ),
    "a dtype that NumPy lacks": (
        lambda h, x: vt.expand(torch.empty(3, dtype=torch.float8_e4m3fn)),
        TypeError,
        "half is torch.float8_e4m3fn, and vech takes",
    ),
    "a number": (lambda h, x: vt.expand(h[0]), ValueError, "half is a single number"),
    "a length of no half": (
        lambda h, x: vt.expand(h[:11]),
        ValueError,
        "a half of length 11 fits no n: with its diagonal n(n+1)/2 is 10 for n=4 or 15 for n=5",
    ),
    "integers that would need a gradient": (
        lambda h, x: vt.expand(h.long(), metric="full"),
        TypeError,
        "half is torch.int64, and only floating",
    ),
    "integers that are multiplied": (
        lambda h, x: vt.matmul(h.long(), x.long()),
        TypeError,
        "half is torch.int64, and only floating and complex numbers compute: half.double()",
    ),
    "integers in a scaled layout": (
        lambda h, x: vt.expand(h.long(), "svec-lower"),
        TypeError,
        "scales what it stores, and torch.int64 is exact: call .double() first",
    ),
    "complex numbers without a kind": (
        lambda h, x: vt.expand(h + 0j),
        ValueError,
        "say kind='symmetric' or kind='hermitian'",
    ),
    "an unknown metric": (
        lambda h, x: vt.expand(h, metric="half"),
        ValueError,
        "unknown metric 'half'",
    ),
    "an unknown layout": (lambda h, x: vt.expand(h, "vecg"), ValueError, "did you mean 'vech'"),
    "a Gram matrix of a vector": (
        lambda h, x: vt.gram(x),
        ValueError,
        "X has shape (5,), but a Gram matrix needs (..., n, k): a vector is X[:, None]",
    ),
    "a Gram matrix without its diagonal": (
        lambda h, x: vt.gram(x[:, None], "condensed"),
        ValueError,
        "X X^H has a diagonal, which this layout does not store: take 'vech'",
    ),
    "a congruence that does not fit": (
        lambda h, x: vt.congruence(h, x[:, None]),
        ValueError,
        "X has shape (5, 1), but beside a half of shape (15,), n = 5, fits",
    ),
    "a vector of another length": (
        lambda h, x: vt.matmul(h, x[:4]),
        ValueError,
        "x has shape (4,), but beside a half of shape (15,), n = 5, fits (..., 5)",
    ),
    "no square": (
        lambda h, x: vt.pack(x),
        ValueError,
        "matrix has shape (5,): its last two axes must be a square",
    ),
    "triangles that disagree": (
        lambda h, x: vt.pack(torch.triu(torch.ones(2, 2))),
        ValueError,
        "matrix is not symmetric: a[1, 0] is 0.0, but a[0, 1] is 1.0; say what to believe with use=",
    ),
    "the zero triangle of a triangular matrix": (
        lambda h, x: vt.pack(torch.eye(3), kind="triangular", use="upper"),
        ValueError,
        "use='upper' takes numbers from the triangle that kind='triangular' and 'lower' make zero",
    ),
    "an empty matrix without a diagonal": (
        lambda h, x: vt.pack(h.new_empty(0, 0), "condensed"),
        ValueError,
        "a 0 x 0 matrix",
    ),
    "a factor of what is not definite": (
        lambda h, x: vt.cholesky(-h),
        LinAlgError,
        "the matrix is not positive definite: its leading 1 rows and columns are not",
    ),
    "NaN in a batch": (
        lambda h, x: vt.logdet(torch.stack((vt.pack(torch.eye(5)), torch.full((15,), torch.nan)))),
        ValueError,
        "half holds NaN or infinity, so that matrix [1] of the batch has no factor",
    ),
    "infinity": (
        lambda h, x: vt.eigh(h * torch.inf),
        ValueError,
        "half holds NaN or infinity, so that the matrix has no eigenvalues",
    ),
    "a logarithm of what is not definite": (
        lambda h, x: vt.log(-vt.pack(torch.eye(5))),
        LinAlgError,
        "the matrix has the eigenvalue -1, and a logarithm needs a positive definite one",
    ),
    "an exponent that is a tensor": (
        lambda h, x: vt.power(h, x),
        TypeError,
        "p must be a finite real number",
    ),
    "solving with a skew matrix": (
        lambda h, x: vt.solve(h, x, kind="skew"),
        TypeError,
        "solve needs a matrix of kind 'symmetric', not a skew one of torch.float64",
    ),
    "halves of two sides": (
        lambda h, x: vt.inner(h, h[:10]),
        ValueError,
        "a and b have halves of length 15 and 10: both need one side",
    ),
    "an unknown norm": (
        lambda h, x: vt.norm(h, ord="nuc"),
        ValueError,
        "unknown ord 'nuc': choose from 'fro', 'max', 1, 2, inf",
    ),
    "batches that do not fit": (
        lambda h, x: vt.matmul(h.expand(4, 1, 15), x.expand(3, 2, 5)),
        ValueError,
        "half has the batch (4, 1) and x (3, 2): they must be equal, or 1 or missing where they differ",
    ),
    "batches of a congruence that do not fit": (
        lambda h, x: vt.congruence(h.expand(4, 15), x.expand(2, 5)),
        ValueError,
        "half has the batch (4,) and X (2,): they must be equal, or 1 or missing where they differ",
    ),
    "batches of an inner product that do not fit": (
        lambda h, x: vt.inner(h.expand(4, 15), h.expand(2, 15)),
        ValueError,
        "half has the batch (4,) and b (2,): they must be equal, or 1 or missing where they differ",
    ),
    "an exponential that is infinite": (
        lambda h, x: vt.exp(800 * vt.pack(torch.eye(5, dtype=h.dtype))),
        OverflowError,
        "the exponential has numbers beyond torch.float64: multiply the half by a number first",
    ),
    "two dtypes": (
        lambda h, x: vt.matmul(h, x.float()),
        TypeError,
        "half is torch.float64 and x torch.float32: give both one dtype, x.to(torch.float64)",
    ),
    "two devices": (
        lambda h, x: vt.matmul(h, x.to("meta")),
        ValueError,
        "half is on cpu and x on meta: move one, x.to('cpu')",
    ),
    "a metric that is an array": (
        lambda h, x: vt.matmul(h, x, metric=np.ones(2)),
        TypeError,
        "metric is a name (packed, full), not ndarray",
    ),
    "an order of a norm that is a tensor": (
        lambda h, x: vt.norm(h, ord=x),
        ValueError,
        "unknown ord tensor([1., 1...torch.float64): choose from 'fro', 'max', 1, 2, inf",
    ),
    "a tolerance that is no number": (
        lambda h, x: vt.pack(torch.eye(2), tolerance="a"),
        TypeError,
        "tolerance must be a real number, not 'a'",
    ),
    "a negative tolerance": (
        lambda h, x: vt.pack(torch.eye(2), tolerance=-1.0),
        ValueError,
        "tolerance must not be negative or NaN, but is -1.0",
    ),
}

NO_TENSOR = "{} must be a torch.Tensor, not list: pass torch.as_tensor({})"
NOT_REAL = "{} must hold real floating-point numbers, not torch.int64: {}.float()"
FLOAT8 = "{} is torch.float8_e4m3fn, and vech takes"
NO_NUMBER = "{} must be a real number, not {}"


def linear(gradient=False):
    layer = vt.SymmetricLinear(5)
    if gradient:
        layer(torch.ones(5)).sum().backward()
    return layer


def module(tensor=None):
    found = torch.nn.Module()
    found.weight = torch.nn.Parameter(torch.eye(3) if tensor is None else tensor)
    found.register_parameter("none", None)
    return found


def state(encoding=None):
    return vt.LowBitState(5, encoding, smallest=0).update(torch.eye(5))


def held(**changed):
    """The state_dict of a state, what is held with changes."""
    told = state("int8").state_dict()
    return {**told, "held": {**told["held"], **changed}}


def pair():
    return vt.KroneckerPair(3, 2).update(torch.ones(4, 3), torch.ones(4, 2)).refresh()


def basis():
    return vt.Eigenbasis(5).update(torch.ones(5, 2)).refresh()


def shampoo():
    p = torch.ones(3, 2, requires_grad=True)
    p.grad = torch.ones(3, 2)
    optimizer = vt.Shampoo([p])
    optimizer.step()
    return optimizer


def loaded(**changed):
    """An optimizer that loads its own state with changes to that of its parameter."""
    told = shampoo().state_dict()
    shampoo().load_state_dict({**told, "state": {0: {**told["state"][0], **changed}}})


def with_options(**options):
    return lambda h, x: vt.Shampoo([torch.ones(2, 2)], **options)


HALVES = {  # functions of training of a half, and of another tensor
    "fake_quantize": (lambda given: vt.training.fake_quantize(given), "h"),
    "signs": (lambda given: vt.training.signs(given), "h"),
    "kmeans": (lambda given: vt.training.kmeans(given), "h"),
    "lsq": (lambda given: vt.training.lsq(given, torch.ones(1)), "h"),
    "first_steps": (lambda given: vt.training.first_steps(given), "h"),
    "rotate": (lambda given: vt.training.rotate(given), "h"),
    "fold": (lambda given: vt.training.fold(given, torch.nn.LayerNorm(5)), "A"),
}
ROWS = {
    "lsq_tensor": (lambda given: vt.training.lsq_tensor(given, torch.tensor(0.5)), "x"),
    "hadamard": (lambda given: vt.training.hadamard(given), "x"),
    "int4_matmul": (lambda given: vt.training.int4_matmul(torch.ones(15), given), "x"),
    "int4_linear": (
        lambda given: vt.training.int4_linear(torch.ones(15), given, torch.ones(1), torch.tensor(0.5)),
        "x",
    ),
    "sampled_gram": (lambda given: vt.training.sampled_gram(given, 2), "X"),
}
TENSORS = {
    "split": (lambda given: vt.training.split(given), "g"),
    "keep_probabilities": (lambda given: vt.training.keep_probabilities(given, 2), "sizes"),
    "steps of lsq": (lambda given: vt.training.lsq(torch.ones(15), given), "steps"),
    "the step of lsq_tensor": (lambda given: vt.training.lsq_tensor(torch.ones(5), given), "step"),
    "levels of a codebook": (
        lambda given: vt.training.kmeans(torch.ones(15))._replace(levels=given).half(),
        "levels",
    ),
    "scales of a codebook": (
        lambda given: vt.training.kmeans(torch.ones(15))._replace(scales=given).half(),
        "scales",
    ),
    "update": (lambda given: vt.LowBitState(5).update(given), "gram"),
    "update by a factor": (lambda given: vt.LowBitState(5).update(factor=given), "factor"),
    "inputs of a pair": (lambda given: pair().update(given, torch.ones(4, 2)), "inputs"),
    "gradients of a pair": (lambda given: pair().update(torch.ones(4, 3), given), "gradients"),
}
for name, (call, what) in {**HALVES, **ROWS, **TENSORS}.items():
    REFUSED |= {
        f"{name}: a list": (
            lambda h, x, call=call: call([1.0, 2.0]),
            TypeError,
            NO_TENSOR.format(what, what),
        ),
        f"{name}: integers": (
            lambda h, x, call=call: call(h.long()),
            TypeError,
            NOT_REAL.format(what, what),
        ),
        f"{name}: float8": (
            lambda h, x, call=call: call(h.to(torch.float8_e4m3fn)),
            TypeError,
            FLOAT8.format(what),
        ),
    }
for name, (call, what) in HALVES.items():
    REFUSED[f"{name}: a number"] = (
        lambda h, x, call=call: call(h[0]),
        ValueError,
        f"{what} is a single number: a half is a vector, of shape (..., length)",
    )
for name, (call, what) in ROWS.items():
    REFUSED[f"{name}: a number"] = (
        lambda h, x, call=call: call(h[0]),
        ValueError,
        f"{what} is a single number, and must have rows, shape (..., n)",
    )

NO_GRADIENT = "{} requires a gradient, and gets none here: pass {}.detach()"
WITHOUT_GRADIENT = {
    "scales": lambda h: vt.training.fake_quantize(torch.ones(15), scales=h[:1]),
    "levels": lambda h: vt.training.fake_quantize(torch.ones(15), encoding="kmeans-4", levels=h),
    "h": lambda h: vt.training.kmeans(h),
    "A": lambda h: vt.training.fold(h, torch.nn.LayerNorm(5)),
    "gram": lambda h: vt.LowBitState(5).update(h),
    "factor": lambda h: vt.Eigenbasis(5).update(h[:5, None]),
    "beta": lambda h: vt.LowBitState(5).update(torch.ones(15), beta=h[0] / 2),
    "inputs": lambda h: vt.KroneckerPair(3, 2).update(h[:3, None].mT, torch.ones(1, 2)),
    "gradients": lambda h: vt.KroneckerPair(3, 2).update(torch.ones(1, 3), h[:2, None].mT),
}
for what, call in WITHOUT_GRADIENT.items():
    REFUSED[f"{what} with a gradient"] = (
        lambda h, x, call=call: call(h.requires_grad_()),
        ValueError,
        NO_GRADIENT.format(what, what),
    )

HUGE = 10**400
BEYOND = "{} is beyond 1.8e+308, the largest float"
NUMBERS = {
    "p": lambda: state().root(HUGE),
    "damping": lambda: state().root(4, HUGE),
    "smallest": lambda: vt.LowBitState(5, smallest=HUGE),
    "max_norm": lambda: vt.clip_grad_norm_(linear(True), HUGE),
    "lr": lambda: vt.Shampoo([torch.ones(2, 2)], lr=HUGE),
}
for what, call in NUMBERS.items():
    REFUSED[f"{what} beyond floats"] = (lambda h, x, call=call: call(), ValueError, BEYOND.format(what))

REFUSED |= {
    "a state without numbers": (
        lambda h, x: vt.LowBitState(5, device="meta").update(h),
        ValueError,
        "gram or this state is on meta, which has no numbers: give both a device",
    ),
    "a layer of no features without a diagonal": (
        lambda h, x: vt.SymmetricLinear(0, layout="condensed"),
        ValueError,
        "a 0 x 0 matrix has no half in layout condensed",
    ),
    "scales that are integers": (
        lambda h, x: vt.training.fake_quantize(h, scales=torch.ones(1, dtype=torch.int64)),
        TypeError,
        NOT_REAL.format("scales", "scales"),
    ),
    "many steps of a tensor": (
        lambda h, x: vt.training.lsq_tensor(x, x),
        ValueError,
        "step has shape (5,), and is one number for all of x: shape ()",
    ),
    "a batch of rows to sample": (
        lambda h, x: vt.training.sampled_gram(torch.ones(2, 3, 4), 2),
        ValueError,
        "X has shape (2, 3, 4), and must have (rows, n)",
    ),
    "negative sizes": (
        lambda h, x: vt.training.keep_probabilities(-x, 2),
        ValueError,
        "sizes has -1.0, and sizes are 0 or more",
    ),
    "a count that is no number": (
        lambda h, x: vt.training.keep_probabilities(x, "a"),
        TypeError,
        NO_NUMBER.format("count", "'a'"),
    ),
    "rows to keep that are no number": (
        lambda h, x: vt.training.int4_matmul(h, x, keep=[1]),
        TypeError,
        NO_NUMBER.format("keep", "[1]"),
    ),
    "signs centred by a tensor": (
        lambda h, x: vt.training.signs(h, centred=x),
        TypeError,
        "centred must be True or False, not tensor(",
    ),
    "too few levels": (
        lambda h, x: vt.training.kmeans(h)._replace(levels=x).half(),
        ValueError,
        "levels has shape (5,), and must have (16,)",
    ),
    "codes that are no integers": (
        lambda h, x: vt.training.kmeans(h)._replace(codes=h).half(),
        TypeError,
        "codes are torch.float64 of shape (15,), and must be torch.int64, (length,)",
    ),
    # modules
    "a layer of a list": (lambda h, x: linear()([1.0] * 5), TypeError, NO_TENSOR.format("x", "x")),
    "a layer of an array": (
        lambda h, x: linear()(np.ones(5)),
        TypeError,
        "x must be a torch.Tensor, not numpy.ndarray: pass torch.as_tensor(x)",
    ),
    "features that are no number": (
        lambda h, x: vt.SymmetricLinear("a"),
        TypeError,
        "features must be an integer, not 'a'",
    ),
    "a bias that is a tensor": (
        lambda h, x: vt.SymmetricLinear(5, x),
        TypeError,
        "bias must be True or False, not tensor(",
    ),
    "a layer that loads other entries": (
        lambda h, x: linear().load_state_dict({"a": 1}),
        RuntimeError,
        'Missing key(s) in state_dict: "weight", "bias"',
    ),
    "what is no module": (
        lambda h, x: vt.symmetric(x, "weight"),
        TypeError,
        "module must be a torch.nn.Module, not Tensor",
    ),
    "what is no module, definite": (
        lambda h, x: vt.spd([1], "weight"),
        TypeError,
        "module must be a torch.nn.Module, not list",
    ),
    "a norm of what is no module": (
        lambda h, x: vt.grad_norm([x]),
        TypeError,
        "module must be a torch.nn.Module, not list",
    ),
    "a name that is no parameter": (
        lambda h, x: vt.symmetric(module(), "wieght", use="mean"),
        ValueError,
        "Module has no parameter or buffer 'wieght' of its own: it has ['weight']",
    ),
    "a parameter that is None": (
        lambda h, x: vt.spd(module(), "none"),
        ValueError,
        "Module has no parameter or buffer 'none' of its own: it has ['weight']",
    ),
    "a parameter of a module within": (
        lambda h, x: vt.symmetric(torch.nn.Sequential(linear()), "0.weight"),
        ValueError,
        "Sequential has no parameter or buffer '0.weight' of its own: it has []",
    ),
    "a name that is none": (
        lambda h, x: vt.symmetric(module(), ["weight"]),
        TypeError,
        "name must be that of a parameter or buffer, such as 'weight', not ['weight']",
    ),
    "a parameter that is not square": (
        lambda h, x: vt.spd(module(torch.ones(2, 3)), "weight"),
        ValueError,
        "matrix has shape (2, 3): its last two axes must be a square",
    ),
    "a definite weight that becomes a list": (
        lambda h, x: setattr(vt.spd(module(), "weight"), "weight", [1.0]),
        TypeError,
        NO_TENSOR.format("matrix", "matrix"),
    ),
    "a norm to clip to that is no number": (
        lambda h, x: vt.clip_grad_norm_(linear(True), "a"),
        TypeError,
        NO_NUMBER.format("max_norm", "'a'"),
    ),
    "a norm to clip to that is NaN": (
        lambda h, x: vt.clip_grad_norm_(linear(True), float("nan")),
        ValueError,
        "max_norm is nan, and must be 0 or more",
    ),
    "a negative norm to clip to": (
        lambda h, x: vt.clip_grad_norm_(linear(True), -1),
        ValueError,
        "max_norm is -1, and must be 0 or more",
    ),
    # statistics
    "an encoding that is an array": (
        lambda h, x: vt.LowBitState(5, np.ones(3)),
        TypeError,
        "not ndarray",
    ),
    "a domain that is a number": (lambda h, x: vt.LowBitState(5, domain=3), TypeError, "domain is a name"),
    "a floor that is no number": (
        lambda h, x: vt.LowBitState(5, floor="a"),
        TypeError,
        NO_NUMBER.format("floor", "'a'"),
    ),
    "a smallest matrix that is no number": (
        lambda h, x: vt.LowBitState(5, smallest=None),
        TypeError,
        NO_NUMBER.format("smallest", "None"),
    ),
    "a dtype that is no dtype": (
        lambda h, x: vt.LowBitState(5, dtype="float32"),
        TypeError,
        "dtype is 'float32', and numbers of a statistic are torch.float32 or torch.float64",
    ),
    "a beta that is no number": (
        lambda h, x: state().update(torch.eye(5), beta=None),
        TypeError,
        NO_NUMBER.format("beta", "None"),
    ),
    "an infinite weight": (
        lambda h, x: state().update(torch.eye(5), weight=float("inf")),
        ValueError,
        "weight is inf, and must be between 0 and 3.40282e+38",
    ),
    "a root that is no number": (
        lambda h, x: state().root("a"),
        TypeError,
        NO_NUMBER.format("p", "'a'"),
    ),
    "the state of something else": (
        lambda h, x: state().load_state_dict({"a": 1}),
        ValueError,
        "'held', 'error' among ['a']: pass what state_dict() gave",
    ),
    "a state that is no dict": (
        lambda h, x: vt.LowBitState.from_state_dict([1]),
        TypeError,
        "the state of LowBitState must be a dict, as state_dict() gives it, not [1]",
    ),
    "a side that is a tensor": (
        lambda h, x: state().load_state_dict({**state().state_dict(), "n": x}),
        ValueError,
        "the state to load has n=tensor(",
    ),
    "what is held that is no dict": (
        lambda h, x: state().load_state_dict({**state().state_dict(), "held": 3}),
        TypeError,
        "the state of a held matrix must be a dict, as state_dict() gives it, not 3",
    ),
    "what is held of another side": (
        lambda h, x: state("int8").load_state_dict(held(n=4)),
        ValueError,
        "what is held has side, encoding and tile (4, 'int8', 32), and must have (5, 'int8', 32)",
    ),
    "codes that are lost": (
        lambda h, x: state("int8").load_state_dict(held(tensors={})),
        ValueError,
        "the state of a held matrix, 'tensors', has no 'codes', 'diagonal', 'scales' among []",
    ),
    "codes that are a list": (
        lambda h, x: state("int8").load_state_dict(held(tensors={**held()["held"]["tensors"], "codes": [1]})),
        TypeError,
        NO_TENSOR.format("codes", "codes"),
    ),
    "a diagonal of another length": (
        lambda h, x: state("int8").load_state_dict(
            held(tensors={**held()["held"]["tensors"], "diagonal": torch.ones(4)})
        ),
        ValueError,
        "diagonal has shape (4,)",
    ),
    "inputs of another length": (
        lambda h, x: pair().update(torch.ones(4, 5), torch.ones(4, 2)),
        ValueError,
        "inputs has shape (4, 5), and must have rows, (k, 3)",
    ),
    "negative damping of a pair": (
        lambda h, x: pair().refresh(-1.0),
        ValueError,
        "damping is -1.0, and must be finite and positive",
    ),
    "a gradient of another shape": (
        lambda h, x: pair().precondition(torch.ones(3, 2)),
        ValueError,
        "gradient has shape (3, 2), and must have (2, 3)",
    ),
    "a pair that loads other entries": (
        lambda h, x: pair().load_state_dict({"a": 1}),
        ValueError,
        "the state of KroneckerPair has no 'A', 'G', 'inverses' among ['a']: pass what state_dict() gave",
    ),
    "a pair with one inverse": (
        lambda h, x: pair().load_state_dict({**pair().state_dict(), "inverses": [torch.ones(6)]}),
        TypeError,
        "inverses must be two halves or None, not [tensor(",
    ),
    "an array that is turned": (
        lambda h, x: basis().turn(np.ones(5)),
        TypeError,
        "x must be a torch.Tensor, not numpy.ndarray: pass torch.as_tensor(x)",
    ),
    "integers that are turned": (
        lambda h, x: basis().turn(x.long()),
        TypeError,
        "x is torch.int64, and only floating and complex numbers compute: x.double()",
    ),
    "an axis that is not there": (
        lambda h, x: basis().back(x, 1),
        ValueError,
        "x has shape (5,), and axis 1 must be there and have 5",
    ),
    "an axis of another length": (
        lambda h, x: basis().turn(torch.ones(2, 5)),
        ValueError,
        "x has shape (2, 5), and axis 0 must be there and have 5",
    ),
    "a basis that loads other entries": (
        lambda h, x: basis().load_state_dict({"a": 1}),
        ValueError,
        "the state of Eigenbasis has no 'statistic', 'vectors', 'order' among ['a']",
    ),
    "vectors of another shape": (
        lambda h, x: basis().load_state_dict({**basis().state_dict(), "vectors": x}),
        ValueError,
        "vectors has shape (5,), and must have (5, 5)",
    ),
    # Shampoo
    "a rate that is no number": (with_options(lr="a"), TypeError, NO_NUMBER.format("lr", "'a'")),
    "a rate that is NaN": (
        with_options(lr=float("nan")),
        ValueError,
        "lr is nan, and must be finite and 0 or more",
    ),
    "an epsilon that is None": (
        with_options(epsilon=None),
        TypeError,
        NO_NUMBER.format("epsilon", "None"),
    ),
    "one beta": (
        with_options(betas=2),
        TypeError,
        "betas must be two numbers, of gradients and of statistics, not 2",
    ),
    "betas that are no numbers": (
        with_options(betas=("a", "b")),
        TypeError,
        NO_NUMBER.format("betas[0]", "'a'"),
    ),
    "a beta that is NaN": (
        with_options(betas=(0.9, float("nan"))),
        ValueError,
        "betas[1] is nan, and must be between 0 and 1",
    ),
    "a switch that is a word": (
        with_options(merge="no"),
        TypeError,
        "merge must be True or False, not 'no'",
    ),
    "parameters that are a number": (
        lambda h, x: vt.Shampoo(3),
        TypeError,
        "params must be tensors, or dicts of groups, in a list, not 3",
    ),
    "a closure that is none": (
        lambda h, x: shampoo().step(3),
        TypeError,
        "closure must be a function that finds the loss, or None, not 3",
    ),
    "a group without parameters": (
        lambda h, x: shampoo().add_param_group({"lr": 1.0}),
        ValueError,
        "a group needs 'params', its tensors, and has ['lr']",
    ),
    "an optimizer that loads other entries": (
        lambda h, x: shampoo().load_state_dict({"a": 1}),
        ValueError,
        "the state of Shampoo has no 'state', 'param_groups' among ['a']: pass what state_dict() gave",
    ),
    "groups that are no list": (
        lambda h, x: shampoo().load_state_dict({"state": {}, "param_groups": 3}),
        TypeError,
        "param_groups must be a list of dicts, not 3",
    ),
    "groups without options": (
        lambda h, x: shampoo().load_state_dict({"state": {}, "param_groups": [{"params": [0]}]}),
        ValueError,
        "the state of a group has no 'lr', 'momentum', 'nesterov'",
    ),
    "the state of a parameter that is no dict": (
        lambda h, x: shampoo().load_state_dict({**shampoo().state_dict(), "state": {0: 3}}),
        TypeError,
        "the state of a parameter of shape (3, 2) must be a dict, as state_dict() gives it, not 3",
    ),
    "a step that is a word": (lambda h, x: loaded(step="a"), TypeError, "step must be an integer, not 'a'"),
    "statistics that are a number": (
        lambda h, x: loaded(statistics=3),
        TypeError,
        "statistics must be a list of blocks, each a list of dicts, as state_dict() gives it, not 3",
    ),
    "roots of fewer blocks": (
        lambda h, x: loaded(roots=[]),
        ValueError,
        "the roots to load are of blocks with sides [], and a parameter of shape (3, 2) has [[3, 2]]",
    ),
    "a momentum of another shape": (
        lambda h, x: loaded(momentum=x.float()),
        ValueError,
        "momentum has shape (5,), and must have (3, 2)",
    ),
    # functions of other libraries
    "a matrix of Meta's that is a list": (
        lambda h, x: dropin.pack_upper_triangular([[1.0]]),
        TypeError,
        NO_TENSOR.format("matrix", "matrix"),
    ),
    "a matrix of ASDL's that is not square": (
        lambda h, x: dropin.matrix_to_tril(torch.ones(2, 3)),
        ValueError,
        "matrix has shape (2, 3): its last two axes must be a square",
    ),
    "a half of ASDL's that is an array": (
        lambda h, x: dropin.tril_to_matrix(np.ones(3)),
        TypeError,
        "half must be a torch.Tensor, not numpy.ndarray",
    ),
    "a side that is a word": (
        lambda h, x: dropin.unpack_upper_triangular(h, "a"),
        TypeError,
        "dim must be an integer, not 'a'",
    ),
    "a shape that is a number": (
        lambda h, x: dropin.fill_triu(3, h),
        TypeError,
        "shape must be a list or tuple of 2 integers, not 3",
    ),
    "a shape of words": (
        lambda h, x: dropin.fill_triu(("a", "b"), h),
        TypeError,
        "shape must be an integer, not 'a'",
    ),
    "factors that are one": (
        lambda h, x: dropin.triu_to_line(h),
        TypeError,
        "Q_list must be a list or tuple of tensors, not tensor(",
    ),
    "factors that are numbers": (
        lambda h, x: dropin.triu_to_line([3]),
        TypeError,
        "q must be a torch.Tensor, not int: pass torch.as_tensor(q)",
    ),
    "lines without shapes": (
        lambda h, x: dropin.line_to_triu([h]),
        TypeError,
        "an entry of Q_list must be a list or tuple of 2 values, (shape or None, tensor), not tensor(",
    ),
    "an empty shape of a line": (
        lambda h, x: dropin.line_to_triu([((), h)]),
        ValueError,
        "shape is empty, and a matrix has shape (..., d, d)",
    ),
}


@cases.each("name", list(REFUSED))
def test_what_does_not_fit_is_said(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=re.escape(message)):
        call(torch.arange(1.0, 16.0, dtype=torch.float64), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("size", [float("nan"), float("inf")])
def test_rows_that_are_not_finite_are_kept_and_seen(size):
    X = torch.ones(6, 2)
    X[3, 1] = size
    assert vt.training.keep_probabilities(X[:, 1], 2).tolist() == pytest.approx([0.2] * 3 + [1] + [0.2] * 2)
    assert not vt.training.sampled_gram(X, 2)[2].isfinite()


@pytest.mark.parametrize("what", WITHOUT_GRADIENT)
def test_where_gradients_are_off_nothing_is_lost(what):
    with torch.no_grad():
        WITHOUT_GRADIENT[what](torch.linspace(0, 1, 16 if what == "levels" else 15).requires_grad_())
