"""Shampoo on halves takes the steps of a plain one on full squares; checkpoints; what is refused."""

import copy
import io
import itertools
import pickle

import numpy as np
import pytest

import vech

torch = pytest.importorskip("torch", reason="Shampoo is an optimizer of torch")

from vech.adapters.torch.shampoo import Shampoo


def root(S, p, damping):
    values, vectors = np.linalg.eigh(S)
    values = np.maximum(values, 0) + damping * values[-1]
    return (vectors * values ** (-1 / p)) @ vectors.T


class Plain:
    """Shampoo of one parameter on full squares, with all its options, as its formulas say."""

    def __init__(self, w, **options):
        self.w, self.o, self.t = w.copy(), options, 0
        self.mean, self.squares, self.buffer = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
        self.statistics, self.roots = {}, {}

    def modes(self):
        shape = self.w.shape
        if len(shape) > 2 and self.o.get("merge", True):
            shape = (shape[0], int(np.prod(shape[1:])))
        return [side for side in shape if side != 1]

    def grafted(self, g, m):
        name, beta, epsilon = self.o.get("grafting", "rmsprop"), self.o["betas"][1], 1e-8
        if name == "sgd" or (name is None and len(self.modes()) > 1):
            return m
        sums = name == "adagrad" or beta == 1
        self.squares = self.squares + g**2 if sums else beta * self.squares + (1 - beta) * g**2
        v = self.squares
        if name in ("adam", None) and beta < 1:
            v = v / (1 - beta**self.t)
        return m / (np.sqrt(v) + epsilon)

    def preconditioned(self, g, m):
        beta, largest = self.o["betas"][1], self.o.get("largest", 1024)
        out = np.empty_like(m)
        ranges = [[(k, min(k + largest, side)) for k in range(0, side, largest)] for side in g.shape]
        for block in itertools.product(*ranges):
            cut = tuple(slice(*ends) for ends in block)
            x = m[cut]
            for mode in range(g.ndim):
                G = np.moveaxis(g[cut], mode, 0).reshape(g[cut].shape[mode], -1)
                key, gram = (block, mode), G @ G.T
                old = self.statistics.get(key, np.zeros_like(gram))
                if (self.t - 1) % self.o.get("statistics_every", 1) == 0:
                    self.statistics[key] = old + gram if beta == 1 else beta * old + (1 - beta) * gram
                start = self.o.get("start", 1)
                if self.t >= start and (self.t - start) % self.o.get("root_every", 10) == 0:
                    seen = (self.t - 1) // self.o.get("statistics_every", 1) + 1
                    S = self.statistics[key] / (1 if beta == 1 else 1 - beta**seen)
                    self.roots[key] = root(S, 2 * g.ndim, self.o.get("damping", 1e-6))
                if self.t >= start:
                    x = np.moveaxis(np.tensordot(self.roots[key], x, ([1], [mode])), 0, mode)
            out[cut] = x
        return out if self.t >= self.o.get("start", 1) else None

    def step(self, g):
        self.t += 1
        o, (first, _) = self.o, self.o["betas"]
        g = -g if o.get("maximize") else g
        decay, decoupled = o.get("weight_decay", 0), o.get("decoupled", True)
        g = g if decoupled else g + decay * self.w
        self.mean = first * self.mean + (1 - first) * g
        m = self.mean / (1 - first**self.t)
        step, modes = self.grafted(g, m), self.modes()
        if len(modes) > 1:
            P = self.preconditioned(g.reshape(modes), m.reshape(modes))
            if P is not None:
                P = P.reshape(g.shape)
                scale = (
                    1 if o.get("grafting", "rmsprop") is None else np.linalg.norm(step) / np.linalg.norm(P)
                )
                step = P * scale
        if decoupled:
            self.w = self.w * (1 - o["lr"] * decay)
        momentum = o.get("momentum", 0.9)
        self.buffer = momentum * self.buffer + step
        if momentum:
            step = step + momentum * self.buffer if o.get("nesterov") else self.buffer
        self.w = self.w - o["lr"] * step


def gradients(shape, count=12, seed=0):
    """Of rank that grows, with rows of different size."""
    rng = np.random.default_rng(seed)
    size = np.geomspace(1, 0.1, shape[0] if shape else 1).reshape(-1, *[1] * (len(shape) - 1))
    return [rng.standard_normal(shape) * (size if shape else 1) for _ in range(count)]


def compare(shape, dtype=torch.float64, tolerance=1e-7, **options):
    options = {"lr": 0.05, "betas": (0.0, 0.95)} | options
    start = np.random.default_rng(1).standard_normal(shape)
    p = torch.tensor(start, dtype=dtype, requires_grad=True)
    optimizer, plain = Shampoo([p], **options), Plain(np.asarray(start), **options)
    for g in gradients(shape):
        p.grad = torch.tensor(g, dtype=dtype)
        optimizer.step()
        plain.step(np.asarray(g))
        np.testing.assert_allclose(p.detach().numpy(), plain.w, rtol=tolerance, atol=tolerance)
    return optimizer


SHAPES = [(6, 5), (9, 4), (4, 3, 3, 2), (5, 1, 4), (1, 6), (7,), (1,), ()]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("grafting", ["sgd", "adagrad", "rmsprop", "adam", None])
def test_steps_are_those_of_full_squares(shape, grafting):
    compare(shape, grafting=grafting, root_every=3, damping=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"betas": (0.9, 0.99)},
        {"betas": (0.5, 1.0)},
        {"betas": (0.9, 1.0), "grafting": None},
        {"momentum": 0.0},
        {"nesterov": True},
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "decoupled": False},
        {"maximize": True},
        {"statistics_every": 3, "root_every": 6, "grafting": None},
        {"start": 4, "root_every": 2},
        {"largest": 4},
        {"largest": 3, "merge": False},
        {"merge": False, "grafting": None},
    ],
    ids=str,
)
def test_every_option_is_its_formula(options):
    for shape in ((6, 5), (4, 3, 3)):
        compare(shape, **{"damping": 1e-3, "root_every": 2} | options)


def test_steps_in_float32_are_those_of_full_squares_within_its_digits():
    compare((40, 30), torch.float32, 2e-3, damping=1e-3, root_every=2)


def test_sides_of_one_and_empty_tensors_have_no_statistics():
    parameters = [torch.ones(shape, requires_grad=True) for shape in ((1, 6), (7,), (), (0, 3), (2, 3))]
    optimizer = Shampoo(parameters)
    for p in parameters:
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert ["statistics" in optimizer.state[p] for p in parameters] == [False] * 4 + [True]
    assert optimizer.nbytes == 2 * 4 * (3 + 6)


# ---------------------------------------------------------------- few bits


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ({"encoding": "int8"}, 0.03),
        ({"encoding": "int8", "root_encoding": "float32"}, 0.03),
        ({"encoding": "float32", "root_encoding": "linear2-4"}, 0.2),
        ({"encoding": "linear2-4", "feedback": 0.5}, 0.4),
        ({"encoding": "int8", "domain": "cholesky"}, 0.06),
    ],
    ids=str,
)
def test_steps_in_few_bits_go_nearly_there(options, bound):
    shape = (96, 70)
    weights = []
    for choice in ({}, options):
        p = torch.zeros(shape, requires_grad=True)
        optimizer = Shampoo([p], damping=1e-3, root_every=2, **choice)
        for g in gradients(shape, 6):
            p.grad = torch.tensor(g, dtype=torch.float32)
            optimizer.step()
        weights.append(p.detach())
    assert 0 < (weights[1] - weights[0]).norm() / weights[0].norm() < bound


def test_memory_is_a_half_and_in_few_bits_a_seventh_and_less():
    full = 2 * 4 * (128**2 + 96**2)
    found = {}
    for name, options in {
        "float32": {},
        "int8": {"encoding": "int8", "root_encoding": "linear2-4"},
        "4 bits": {"encoding": "linear2-4"},
    }.items():
        p = torch.zeros(128, 96, requires_grad=True)
        optimizer = Shampoo([p], **options)
        p.grad = torch.tensor(gradients((128, 96), 1)[0], dtype=torch.float32)
        optimizer.step()
        found[name] = optimizer.nbytes
    assert found["float32"] == 4 * (128 * 129 + 96 * 97)
    assert found["int8"] < full / 7 and found["4 bits"] < full / 10


@pytest.mark.parametrize("encoding", ["sign", "linear2-4"])
def test_roots_in_few_bits_are_positive_semidefinite(encoding):
    p = torch.zeros(96, 70, requires_grad=True)
    optimizer = Shampoo([p], root_encoding=encoding, smallest=0, damping=1e-8)
    p.grad = torch.tensor(gradients((96, 70), 1)[0] ** 3, dtype=torch.float32)
    optimizer.step()
    for statistic, root in zip(
        *(optimizer.state[p][name][0] for name in ("statistics", "roots")), strict=True
    ):
        low, high = np.linalg.eigvalsh(root.square().double())[[0, -1]]
        assert low >= -1e-6 * high
        plain = vech.quantize(vech.Packed(statistic.root(4, 1e-8).numpy()), encoding, tile=32)
        assert np.linalg.eigvalsh(plain.expand())[0] < (-1e-6 * high if encoding == "sign" else np.inf)


# ---------------------------------------------------------------- as an optimizer


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.Flatten(), torch.nn.Tanh(), torch.nn.Linear(288, 10)
    )


def trained(net, optimizer, steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(32, 1, 8, 8, generator=generator)
        y = (x.mean(dim=(1, 2, 3)) * 80).long().clamp(-5, 4) + 5

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            return loss

        loss = optimizer.step(closure)
    return float(loss.detach())


def test_a_network_learns():
    net = model()
    optimizer = Shampoo(net.parameters(), lr=0.003, grafting="adam")
    first = trained(net, optimizer, 1)
    assert trained(net, optimizer, 40) < 0.75 * first


def saved(optimizer):
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


OPTIONS = [
    {},
    {"encoding": "int8", "feedback": 0.5, "betas": (0.9, 0.95), "largest": 100},
    {"encoding": "kmeans-4", "grafting": "sgd", "merge": False, "smallest": 0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_run_goes_on_from_its_checkpoint_the_same_to_the_last_bit(options):
    options = {"root_every": 2, "start": 2} | options
    net = model()
    optimizer = Shampoo(net.parameters(), **options)
    trained(net, optimizer, 3)
    again = copy.deepcopy(net)
    other = Shampoo(again.parameters(), **options | {"lr": 7.0})
    other.load_state_dict(saved(optimizer))
    assert other.param_groups[0]["lr"] == 0.01 and other.nbytes == optimizer.nbytes
    trained(net, optimizer, 3, seed=1)
    trained(again, other, 3, seed=1)
    for one, two in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


def test_an_optimizer_is_pickled_and_copied():
    net = model()
    optimizer = Shampoo(net.parameters(), encoding="int8")
    trained(net, optimizer, 1)
    for again in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        assert again.nbytes == optimizer.nbytes
        (old,), (new,) = ([s for s in o.state.values() if "roots" in s][:1] for o in (optimizer, again))
        assert torch.equal(old["roots"][0][0].square(), new["roots"][0][0].square())


def test_averages_of_low_precision_parameters_stay_floats():
    p = torch.ones(70, 70, dtype=torch.bfloat16, requires_grad=True)
    optimizer = Shampoo([p], encoding="int8", betas=(0.9, 0.95))
    p.grad = torch.randn(70, 70).bfloat16()
    optimizer.step()
    assert p.dtype == torch.bfloat16
    again = Shampoo([p], encoding="int8", betas=(0.9, 0.95))
    again.load_state_dict(optimizer.state_dict())
    state = again.state[p]
    assert {state[name].dtype for name in ("gradient", "squares", "momentum")} == {torch.float32}
    assert state["statistics"][0][0].state_dict()["held"]["tensors"]["codes"].dtype == torch.uint8


def test_groups_have_options_of_their_own_and_schedulers_change_them():
    a, b = (torch.ones(3, 3, requires_grad=True) for _ in range(2))
    optimizer = Shampoo([{"params": [a]}, {"params": [b], "lr": 0.0, "encoding": "int4"}], lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    for p in (a, b):
        p.grad = torch.ones(3, 3)
    optimizer.step()
    schedule.step()
    assert not torch.equal(a, torch.ones(3, 3)) and torch.equal(b, torch.ones(3, 3))
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.0]


def test_parameters_without_gradients_are_left():
    a, b = (torch.ones(3, 3, requires_grad=True) for _ in range(2))
    optimizer = Shampoo([a, b])
    a.grad = torch.ones(3, 3)
    optimizer.step()
    assert torch.equal(b, torch.ones(3, 3)) and b not in optimizer.state


def test_zero_gradients_change_nothing():
    p = torch.ones(70, 70, requires_grad=True)
    for options in ({}, {"encoding": "int8"}, {"grafting": None}):
        optimizer = Shampoo([p], **options)
        for _ in range(2):
            p.grad = torch.zeros(70, 70)
            optimizer.step()
        assert torch.equal(p, torch.ones(70, 70))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, "lr is -1.0, and must be finite and 0 or more"),
        ({"damping": 0.0}, ValueError, "damping is 0.0, and must be finite and positive"),
        ({"weight_decay": float("nan")}, ValueError, "weight_decay is nan"),
        (
            {"betas": (1.0, 0.9)},
            ValueError,
            r"betas is \(1.0, 0.9\): the first is in \[0, 1\), the second in",
        ),
        ({"nesterov": True, "momentum": 0.0}, ValueError, "nesterov=True needs a momentum, and that is 0"),
        ({"root_every": 0}, ValueError, "root_every is 0, and must be an integer from 1 on"),
        ({"largest": 1.5}, ValueError, "largest is 1.5, and must be an integer from 2 on"),
        ({"grafting": "adamw"}, ValueError, "grafting"),
        ({"encoding": "int5"}, ValueError, "encoding"),
        ({"root_encoding": "int5"}, ValueError, "encoding"),
        ({"domain": "root"}, ValueError, "domain"),
    ],
    ids=str,
)
def test_options_out_of_range_are_said(options, error, message):
    p = torch.ones(3, 3, requires_grad=True)
    with pytest.raises(error, match=message):
        Shampoo([p], **options)
    optimizer = Shampoo([torch.ones(2, requires_grad=True)])
    with pytest.raises(error, match=message):
        optimizer.add_param_group({"params": [p], **options})
    assert len(optimizer.param_groups) == 1


def test_complex_parameters_and_sparse_gradients_are_refused():
    with pytest.raises(
        TypeError, match=r"has dtype torch.complex64, and Shampoo is of real ones: pass torch.view"
    ):
        Shampoo([torch.ones(2, 2, dtype=torch.complex64, requires_grad=True)])
    layer = torch.nn.Embedding(5, 3, sparse=True)
    layer(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(TypeError, match=r"gradient of parameter 0 in group 0, of shape \(5, 3\), is sparse"):
        Shampoo(layer.parameters()).step()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_changes_nothing(value):
    net = model()
    optimizer = Shampoo(net.parameters())
    trained(net, optimizer, 2)
    before = copy.deepcopy(saved(optimizer)), [p.detach().clone() for p in net.parameters()]
    net[3].weight.grad[4, 7] = value
    with pytest.raises(
        ValueError,
        match=rf"parameter 2 in group 0, of shape \(10, 288\), is {value} at \(4, 7\): nothing has",
    ):
        optimizer.step()
    assert all(map(torch.equal, before[1], net.parameters()))
    after = saved(optimizer)
    assert after["state"][2]["step"] == before[0]["state"][2]["step"]
    one, two = (s["state"][0]["statistics"][0][0]["held"]["tensors"]["half"] for s in (before[0], after))
    assert torch.equal(one, two)


def test_a_gradient_whose_squares_overflow_changes_nothing():
    p = torch.ones(3, 3, requires_grad=True)
    optimizer = Shampoo([p])
    p.grad = torch.full((3, 3), 1e19)
    with pytest.raises(
        ValueError, match=r"has norm 3e\+19, and its square is beyond 3.4e\+38, where statistics end: nothing"
    ):
        optimizer.step()
    assert torch.equal(p, torch.ones(3, 3)) and not optimizer.state
    p.grad = torch.full((3, 3), 1e18)
    optimizer.step()
    assert torch.isfinite(p).all()


def test_statistics_of_other_shapes_are_not_loaded():
    a, b = torch.ones(3, 4, requires_grad=True), torch.ones(4, 5, requires_grad=True)
    old, new = Shampoo([a]), Shampoo([b])
    a.grad = torch.ones(3, 4)
    old.step()
    with pytest.raises(
        ValueError, match=r"of blocks with sides \[\[3, 4\]\], and a parameter of shape \(4, 5\) has"
    ):
        new.load_state_dict(old.state_dict())


def stepped(p, *sizes, **options):
    """An optimizer after steps by gradients of ones times sizes."""
    optimizer = Shampoo([p], **options)
    for size in sizes:
        p.grad = torch.full_like(p, size)
        optimizer.step()
    return optimizer


@pytest.mark.parametrize(
    "options", [{"betas": (0.0, 1.0), "grafting": "sgd"}, {"grafting": "adagrad"}], ids=str
)
def test_a_sum_of_squares_that_overflows_changes_nothing(options):
    p = torch.zeros(2, 2, requires_grad=True)
    optimizer = stepped(p, 6e18, 6e18, **options)
    before, told = p.detach().clone(), saved(optimizer)
    with pytest.raises(ValueError, match=r"its square, with 2\.88e\+38 of those before, is beyond 3\.4e\+38"):
        optimizer.step()
    assert torch.equal(p, before) and saved(optimizer)["state"][0]["step"] == 2
    again = Shampoo([p], **options)
    again.load_state_dict(told)
    with pytest.raises(ValueError, match="of those before, is beyond"):
        again.step()
    stepped(p, 6e18, 6e18, 6e18)  # an average does not grow


def test_a_norm_beyond_double_is_said():
    p = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"of shape \(3, 4\), has norm inf, and its square is beyond 1.8e\+308"
    ):
        stepped(p, 1e155)


def test_decay_in_the_gradient_counts_in_its_norm():
    p = torch.full((2, 2), 1e19, requires_grad=True)
    with pytest.raises(ValueError, match=r"has norm 2e\+19, and its square is beyond"):
        stepped(p, 1.0, weight_decay=1.0, decoupled=False)


ALL_HELD = {"betas": (0.9, 0.95), "root_every": 2}


@pytest.mark.parametrize("options", [ALL_HELD, {**ALL_HELD, "encoding": "int8", "smallest": 0}], ids=str)
def test_a_run_goes_on_in_another_dtype(options):
    p = torch.ones(6, 5, requires_grad=True)
    old = stepped(p, 1.0, 0.5, **options)
    q = p.detach().double().requires_grad_()
    new = Shampoo([q], **options)
    new.load_state_dict(saved(old))
    p.data = p.data.double()  # as module.double() does
    for optimizer, w in ((old, p), (new, q)):
        w.grad = torch.linspace(0, 1, 30, dtype=torch.float64).reshape(6, 5)
        for _ in range(3):
            optimizer.step()
        state = optimizer.state[w]
        assert {state[name].dtype for name in ("gradient", "squares", "momentum")} == {torch.float64}
        assert state["statistics"][0][0].dtype == torch.float64
    assert torch.equal(p, q)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_autocast_does_not_change_a_step(dtype):
    ends = []
    for mixed in (False, True):
        p = torch.ones(6, 5, dtype=dtype, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            stepped(p, 1.0, 0.5, betas=(0.9, 0.95))
        ends.append(p.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda told: told["state"][1].update(momentum=torch.ones(5)), r"momentum has shape \(5,\)"),
        (lambda told: told["state"][1].update(statistics=3), "statistics must be a list"),
        (lambda told: told["state"].update({1: {}}), "has no 'step'"),
        (lambda told: told["param_groups"][0].update(lr=-1), "lr is -1, and must be"),
        (
            lambda told: told["param_groups"][0]["params"].pop(),
            r"to load have \[1\] parameters, and .* \[2\]",
        ),
        (lambda told: told["param_groups"].append(told["param_groups"][0]), r"have \[2, 2\] parameters"),
    ],
)
def test_what_is_not_loaded_leaves_the_optimizer_as_it_was(changed, message):
    parameters = [torch.ones(3, 4, requires_grad=True) for _ in range(2)]
    optimizer, told = Shampoo(parameters), copy.deepcopy(Shampoo(parameters, lr=0.5).state_dict())
    for p in parameters:
        p.grad = torch.ones(3, 4)
    optimizer.step()
    told["state"] = copy.deepcopy(optimizer.state_dict()["state"])
    changed(told)
    with pytest.raises((ValueError, TypeError), match=message):
        optimizer.load_state_dict(told)
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert [optimizer.state[p]["step"] for p in parameters] == [1, 1]
