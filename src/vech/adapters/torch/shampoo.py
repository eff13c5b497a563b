"""Shampoo, whose statistics and their roots are halves: in float32, or in few bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from reprlib import repr as short
from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch.checks import FINITE, as_number, check_entries, check_flag, check_real, check_shape
from vech.adapters.torch.held import FLOATS, SMALL, Held, resolved
from vech.adapters.torch.moves import expand
from vech.adapters.torch.precision import as_it_is, wide
from vech.adapters.torch.state import LowBitState
from vech.layouts.layout import as_integer, one_of

__all__ = ["Shampoo"]


def __dir__() -> list[str]:
    return __all__


GRAFTING = ("sgd", "adagrad", "rmsprop", "adam")
OF_STATISTICS = ("encoding", "domain", "feedback", "tile", "smallest")
AVERAGES = ("gradient", "squares", "momentum")  # tensors of the shape of a parameter
TINY = 1e-30  # beside the norm of a direction that is divided by


class Shampoo(torch.optim.Optimizer):
    """Shampoo (Gupta, Koren, Singer, ICML 2018) with grafting and blocks, on halves.

    A gradient G of a matrix becomes ``L^(-1/4) G R^(-1/4)``, L and R being moving averages of G G' and G' G,
    one of each for every block; that of a tensor of d modes, ``(-1 / 2d)``-th powers along each. Its length
    becomes that of the step of a simpler method, whose learning rates therefore fit ("grafting": Agarwal et
    al., arXiv 2002.11803; Anil et al., arXiv 2002.09018).

    Parameters
    ----------
    params : iterable of tensors, or of dicts
        Real; what follows can be set for each group.
    lr : float
        The learning rate.
    momentum : float
        Of steps: ``b <- momentum b + step``.
    nesterov : bool
        Whether the step is taken after its momentum.
    betas : (float, float)
        Of the moving averages of gradients (0: none), and of statistics and squares (1: sums, as Adagrad).
    weight_decay : float
        How fast parameters shrink.
    decoupled : bool
        Whether they shrink by themselves, as in AdamW, or by what is added to the gradient.
    damping : float
        In units of the largest eigenvalue of a statistic, added to all of these before the root.
    epsilon : float
        Beside square roots of squares.
    statistics_every, root_every : int
        Steps from one update of statistics, or of their roots, to the next; both are made in the first.
    start : int
        The first step that is preconditioned: those before are of the grafted method.
    largest : int
        Sides beyond this are cut into blocks, each with statistics of its own.
    merge : bool
        Whether a tensor of more than two modes, such as a kernel of a convolution, is taken as the matrix
        (first, all others), or mode by mode.
    grafting : {"rmsprop", "sgd", "adagrad", "adam", None}
        Whose length a step has. Vectors and numbers get its direction too; those of None are divided by the
        square roots of their averaged squares.
    encoding : str, optional
        Of statistics, a key of `vech.ENCODINGS`; None or "float32": halves of floats.
    root_encoding : str, optional
        Of the roots; as `encoding` unless told. In few bits as much is added to their diagonal as makes them
        positive semidefinite.
    domain, feedback, tile, smallest
        As in `LowBitState`.
    maximize : bool
        Whether to go uphill.

    Raises
    ------
    ValueError, TypeError
        For hyperparameters out of range, complex parameters, sparse gradients, and gradients with NaN or
        infinity, named before anything changes.

    Notes
    -----
    One update of the statistics of an m x n block takes half the products of G G' and G' G. In float32 it
    holds m(m+1) + n(n+1) numbers, where full squares are 2 m^2 + 2 n^2. Roots are found in double.

    Examples
    --------
    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> model = torch.nn.Linear(100, 80)
    >>> optimizer = Shampoo(model.parameters(), lr=0.01, encoding="int8", root_encoding="linear2-4")
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     loss = (model(torch.eye(100)) ** 2).sum()
    ...     loss.backward()
    ...     optimizer.step()
    >>> optimizer.nbytes, 2 * 4 * (100**2 + 80**2)      # beside full squares in float32
    (18464, 131200)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 0.01,
        momentum: float = 0.9,
        *,
        nesterov: bool = False,
        betas: tuple[float, float] = (0.0, 0.95),
        weight_decay: float = 0.0,
        decoupled: bool = True,
        damping: float = 1e-6,
        epsilon: float = 1e-8,
        statistics_every: int = 1,
        root_every: int = 10,
        start: int = 1,
        largest: int = 1024,
        merge: bool = True,
        grafting: str | None = "rmsprop",
        encoding: str | None = None,
        root_encoding: str | None = None,
        domain: str = "log",
        feedback: float | None = None,
        tile: int = 32,
        smallest: int = SMALL,
        maximize: bool = False,
    ) -> None:
        if not isinstance(params, Iterable):
            raise TypeError(f"params must be tensors, or dicts of groups, in a list, not {short(params)}")
        given = dict(locals())
        super().__init__(params, {k: v for k, v in given.items() if k not in ("self", "params", "__class__")})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, as `torch.optim.Optimizer.add_param_group` does.

        Parameters
        ----------
        param_group : dict
            "params", and any option of this class.

        Raises
        ------
        ValueError, TypeError
            For options out of range, and complex parameters.

        Examples
        --------
        >>> optimizer = Shampoo([torch.zeros(3, 3)])
        >>> optimizer.add_param_group({"params": [torch.zeros(2)], "lr": 0.1})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.01, 0.1]
        """
        if isinstance(param_group, dict) and "params" not in param_group:
            raise ValueError(f"a group needs 'params', its tensors, and has {short(list(param_group))}")
        super().add_param_group(param_group)
        try:
            _check(self.param_groups[-1])
        except (ValueError, TypeError):
            self.param_groups.pop()
            raise

    @property
    def nbytes(self) -> int:
        """Bytes of all statistics and roots; momenta and squares, as any method has them, are not counted."""
        return sum(held.nbytes for state in self.state.values() for held in _in_state(state))

    # ------------------------------------------------------------ a step

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change all parameters that have gradients.

        Parameters
        ----------
        closure : callable, optional
            Finds the loss and its gradients anew.

        Returns
        -------
        What `closure` gives, or None.

        Raises
        ------
        TypeError
            For sparse gradients.
        ValueError
            For gradients with NaN or infinity, and those whose squares, or sums of these, would be infinite;
            no parameter and no statistic has then changed.

        Examples
        --------
        >>> w = torch.eye(2, requires_grad=True)
        >>> (w**2).sum().backward()
        >>> Shampoo([w], lr=0.25, grafting="sgd").step()
        >>> w.detach().round(decimals=4)
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])
        """
        loss = None
        if closure is not None and not callable(closure):
            raise TypeError(f"closure must be a function that finds the loss, or None, not {short(closure)}")
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for number, group in enumerate(self.param_groups):
            for place, p in enumerate(group["params"]):
                if p.grad is not None:
                    which = f"the gradient of parameter {place} in group {number}, of shape {tuple(p.shape)},"
                    _check_gradient(p, group, self.state.get(p, {}), which)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.numel():
                    with as_it_is(p):
                        self._change(p, group)
        return loss

    def _change(self, p: Tensor, group: dict[str, Any]) -> None:
        """One step of one parameter, in float32 or wider."""
        assert p.grad is not None, "of parameters with gradients"
        state = self.state[p]
        g = -wide(p.grad) if group["maximize"] else wide(p.grad)
        if group["weight_decay"] and not group["decoupled"]:
            g = g.add(p, alpha=group["weight_decay"])
        _follow(state, g)
        t = state["step"] = state.get("step", 0) + 1
        if _sums(group):
            state["total"] = state.get("total", 0.0) + _norm(g) ** 2
        mean = _averaged(state, g, group["betas"][0], t)
        step = _grafted(state, g, mean, group, t)
        shape = _modes(p.shape, group["merge"])
        if len(shape) > 1:
            preconditioned = self._preconditioned(state, g.reshape(shape), mean.reshape(shape), group)
            if preconditioned is not None:
                other = preconditioned.reshape(p.shape)
                length = None if group["grafting"] is None else step.norm()
                step = other if length is None else other * (length / (other.norm() + TINY))
        if group["weight_decay"] and group["decoupled"]:
            p.mul_(1 - group["lr"] * group["weight_decay"])
        if group["momentum"]:
            held = state.setdefault("momentum", torch.zeros_like(step))
            held.mul_(group["momentum"]).add_(step)
            step = step + group["momentum"] * held if group["nesterov"] else held
        p.add_(step.to(p.dtype), alpha=-group["lr"])

    def _preconditioned(
        self, state: dict[str, Any], g: Tensor, mean: Tensor, group: dict[str, Any]
    ) -> Tensor | None:
        """What the roots make of the mean, once g is in the statistics; None before the first of these."""
        blocks, since = list(_blocks(tuple(g.shape), group["largest"])), state["step"] - group["start"]
        if "statistics" not in state:
            state["statistics"] = [
                [self.make_statistic(side, g, group) for side in g[block].shape] for block in blocks
            ]
            state["roots"] = [None] * len(blocks)
        noted = (state["step"] - 1) % group["statistics_every"] == 0
        rooted = since >= 0 and (since % group["root_every"] == 0 or state["roots"][0] is None)
        out = torch.empty_like(mean) if since >= 0 else None
        for k, block in enumerate(blocks):
            statistics = state["statistics"][k]
            if noted:
                _note(statistics, g[block], group["betas"][1])
            if rooted:
                state["roots"][k] = [self.make_root(one, g.ndim, state["step"], group) for one in statistics]
            if out is not None:
                out[block] = _times(mean[block], state["roots"][k])
        return out

    def make_statistic(self, side: int, like: Tensor, group: dict[str, Any]) -> Any:
        """A statistic of zeros, for a subclass that holds it in another way.

        Parameters
        ----------
        side : int
            Of the matrix.
        like : tensor
            The gradient, in whose dtype and place it is.
        group : dict
            The options.

        Returns
        -------
        LowBitState
            Or what has its `n`, `nbytes`, `update`, `root` and `state_dict`.

        Raises
        ------
        ValueError, TypeError
            As `LowBitState`.

        Examples
        --------
        >>> optimizer = Shampoo([torch.zeros(3, 3)])
        >>> optimizer.make_statistic(3, torch.zeros(3, 3), optimizer.param_groups[0])
        LowBitState(3, 'float32')
        """
        options = {name: group[name] for name in OF_STATISTICS}
        return LowBitState(side, dtype=like.dtype, device=like.device, **options)

    def make_root(self, statistic: Any, order: int, step: int, group: dict[str, Any]) -> Any:
        """The inverse root by which a mode is multiplied, for a subclass that holds it in another way.

        Parameters
        ----------
        statistic : LowBitState
            The moving average, which has begun as zeros and is as yet a share of the mean.
        order : int
            How many modes there are.
        step : int
            Steps so far.
        group : dict
            The options.

        Returns
        -------
        Held
            Or what has its `square`, `nbytes` and `state_dict`.

        Raises
        ------
        ValueError
            As `LowBitState.root`.

        Examples
        --------
        >>> optimizer = Shampoo([torch.zeros(3, 3)])
        >>> statistic = LowBitState(3).update(torch.eye(3), beta=0.95)
        >>> optimizer.make_root(statistic, 2, 1, optimizer.param_groups[0]).square().round(decimals=3)
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
        """
        p, beta = 2 * order, group["betas"][1]
        root = statistic.root(p, group["damping"])
        if beta < 1:
            seen = (step - 1) // group["statistics_every"] + 1
            root *= (1 - beta**seen) ** (1 / p)
        wanted = group["encoding"] if group["root_encoding"] is None else group["root_encoding"]
        encoding = resolved(wanted, statistic.n, group["smallest"])
        if encoding == FLOATS:
            return Held({"half": root}, statistic.n, FLOATS, group["tile"])
        return Held.of(expand(root), encoding, group["tile"], semidefinite=True)

    # ------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, which `torch.load` takes with ``weights_only=True``.

        Returns
        -------
        dict
            As of any optimizer; statistics are what `LowBitState.state_dict` gives.

        Examples
        --------
        >>> sorted(Shampoo([torch.zeros(3)]).state_dict())
        ['param_groups', 'state']
        """
        found = super().state_dict()
        return {**found, "state": {key: _plain(state) for key, state in found["state"].items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what `state_dict` gave, in tensors of its own: the next steps are the same to the last bit.

        Parameters
        ----------
        state_dict : dict
            Of an optimizer of as many parameters, of the same shapes.

        Raises
        ------
        ValueError, TypeError
            Where groups, or statistics, are of other parameters; this optimizer is then as it was.

        Examples
        --------
        >>> optimizer = Shampoo([torch.zeros(3)])
        >>> optimizer.load_state_dict(Shampoo([torch.zeros(3)], lr=0.5).state_dict())
        >>> optimizer.param_groups[0]["lr"]
        0.5
        """
        check_entries(state_dict, ("state", "param_groups"), type(self).__name__)
        if not isinstance(state_dict["param_groups"], list):
            raise TypeError(f"param_groups must be a list of dicts, not {short(state_dict['param_groups'])}")
        for group in state_dict["param_groups"]:
            check_entries(group, ("params", *self.defaults), "a group")
            _check({**group, "params": []})
        given, own = (
            [len(g["params"]) for g in gs] for gs in (state_dict["param_groups"], self.param_groups)
        )
        if given != own:
            raise ValueError(
                f"the groups to load have {given} parameters, and those of this optimizer {own}: make one "
                f"with the same groups"
            )
        check_entries(state_dict["state"], (), "parameters")
        restored = [
            _restored(state_dict["state"][key], p, group) if key in state_dict["state"] else None
            for group, there in zip(state_dict["param_groups"], self.param_groups, strict=True)
            for key, p in zip(group["params"], there["params"], strict=True)
        ]
        # torch would cast codes, and averages in float32, to the dtype of their parameter
        super().load_state_dict({**state_dict, "state": {}})
        parameters = [p for group in self.param_groups for p in group["params"]]
        self.state.update(
            (p, state) for p, state in zip(parameters, restored, strict=True) if state is not None
        )


# ---------------------------------------------------------------- what a step is made of


def _averaged(state: dict[str, Any], g: Tensor, beta: float, t: int) -> Tensor:
    """The mean of gradients so far, or the last."""
    if not beta:
        return g
    mean = state.setdefault("gradient", torch.zeros_like(g)).lerp_(g, 1 - beta)
    return mean / (1 - beta**t)


def _sums(group: dict[str, Any]) -> bool:
    """Whether squares are added up, and grow without end."""
    return bool(group["betas"][1] == 1 or group["grafting"] == "adagrad")


def _norm(g: Tensor) -> float:
    return float(torch.linalg.vector_norm(g, dtype=torch.float64))


def _grafted(state: dict[str, Any], g: Tensor, mean: Tensor, group: dict[str, Any], t: int) -> Tensor:
    """The step of the method that is grafted; where there is none, for vectors, RMSprop without its bias."""
    name, beta = group["grafting"], group["betas"][1]
    if name == "sgd" or (name is None and len(_modes(g.shape, group["merge"])) > 1):
        return mean
    squares = state.setdefault("squares", torch.zeros_like(g))
    if name == "adagrad" or beta == 1:
        squares.addcmul_(g, g)
    else:
        squares.mul_(beta).addcmul_(g, g, value=1 - beta)
    unbiased = squares / (1 - beta**t) if name in ("adam", None) and beta < 1 else squares
    return mean / (unbiased.sqrt() + group["epsilon"])


def _modes(shape: torch.Size, merge: bool) -> tuple[int, ...]:
    """Sides along which there are statistics; fewer than two: none."""
    sides = tuple(shape)
    if merge and len(sides) > 2:
        sides = (sides[0], math.prod(sides[1:]))
    return tuple(side for side in sides if side != 1)


def _blocks(shape: tuple[int, ...], largest: int) -> Iterator[tuple[slice, ...]]:
    """Parts of a tensor of which no side is larger."""
    cuts = [[slice(k, min(k + largest, side)) for k in range(0, side, largest)] for side in shape]
    return product(*cuts)


def _note(statistics: list[LowBitState], g: Tensor, beta: float) -> None:
    """Add the Gram matrix of each mode."""
    for mode, statistic in enumerate(statistics):
        factor = g.movedim(mode, 0).reshape(statistic.n, -1)
        statistic.update(factor=factor, beta=beta, weight=None if beta < 1 else 1.0)


def _times(x: Tensor, roots: list[Held]) -> Tensor:
    """A root along each mode: every product takes the first mode away and appends it."""
    for root in roots:
        x = torch.tensordot(x, root.square().to(x), dims=([0], [0]))
    return x


# ---------------------------------------------------------------- what is held


def _in_state(state: dict[str, Any]) -> Iterator[LowBitState | Held]:
    for name in ("statistics", "roots"):
        for block in state.get(name, ()):
            yield from block or ()


def _follow(state: dict[str, Any], like: Tensor) -> None:
    """Have what is held in the dtype and place of the gradient, where a parameter has changed these."""
    for name in AVERAGES:
        if name in state:
            state[name] = state[name].to(like)
    for held in _in_state(state):
        if isinstance(held, LowBitState | Held):
            held.to(like.device, like.dtype)


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Statistics and roots as dicts."""
    return {
        name: [block and [held.state_dict() for held in block] for block in value]
        if name in ("statistics", "roots")
        else value
        for name, value in state.items()
    }


def _restored(state: dict[str, Any], p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
    """The state of a parameter out of dicts, where that parameter is."""
    what = f"a parameter of shape {tuple(p.shape)}"
    check_entries(state, ("step",), what)
    as_integer("step", state["step"])
    as_number("total", state.get("total", 0.0), 0, FINITE)
    found = {name: v.clone() if isinstance(v, Tensor) else v for name, v in state.items()}
    if "statistics" in state:
        shape = _modes(p.shape, group["merge"])
        sides = [[cut.stop - cut.start for cut in block] for block in _blocks(shape, group["largest"])]
        check_entries(state, ("roots",), what)
        for name, others in (("statistics", sides), ("roots", [None] * len(sides))):
            held = _sides(name, state[name])
            if held not in (sides, others):
                raise ValueError(
                    f"the {name} to load are of blocks with sides {held}, and {what} has {sides}: it is "
                    f"another parameter, or its state is"
                )
        found["statistics"] = [
            [LowBitState.from_state_dict(one) for one in block] for block in state["statistics"]
        ]
        found["roots"] = [block and [Held.from_state_dict(one) for one in block] for block in state["roots"]]
    for name in AVERAGES:
        if name in state:
            check_real(state[name], name)
            check_shape(state[name], tuple(p.shape), name)
    _follow(found, wide(p.detach()))
    return found


def _sides(name: str, blocks: Any) -> list[list[int] | None]:
    """Of each block the sides of what is held for it."""
    try:
        return [None if block is None else [one["n"] for one in block] for block in blocks]
    except (TypeError, KeyError, IndexError, RuntimeError):
        raise TypeError(
            f"{name} must be a list of blocks, each a list of dicts, as state_dict() gives it, not "
            f"{short(blocks)}"
        ) from None


# ---------------------------------------------------------------- what is refused


def _check(group: dict[str, Any]) -> None:
    """Refuse options out of range, by name, and complex parameters."""
    for name in ("lr", "momentum", "weight_decay", "damping", "epsilon"):
        as_number(name, group[name], 0, FINITE, open_below=name == "damping")
    for name in ("nesterov", "decoupled", "merge", "maximize"):
        check_flag(name, group[name])
    if group["nesterov"] and not group["momentum"]:
        raise ValueError("nesterov=True needs a momentum, and that is 0")
    betas = group["betas"]
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(f"betas must be two numbers, of gradients and of statistics, not {short(betas)}")
    first, second = (as_number(f"betas[{k}]", beta, 0, 1) for k, beta in enumerate(betas))
    if not 0 <= first < 1 or not 0 < second <= 1:
        raise ValueError(f"betas is {group['betas']}: the first is in [0, 1), the second in (0, 1]")
    for name, low in (("statistics_every", 1), ("root_every", 1), ("start", 1), ("largest", 2)):
        if not isinstance(group[name], int) or group[name] < low:
            raise ValueError(f"{name} is {group[name]!r}, and must be an integer from {low} on")
    if group["grafting"] is not None:
        one_of("grafting", group["grafting"], GRAFTING)
    resolved(group["root_encoding"], 1)
    LowBitState(1, **{name: group[name] for name in OF_STATISTICS})
    for p in group["params"]:
        if p.is_complex():
            raise TypeError(
                f"a parameter has dtype {p.dtype}, and Shampoo is of real ones: "
                f"pass torch.view_as_real(p), of which p is a view"
            )


def _check_gradient(p: Tensor, group: dict[str, Any], state: dict[str, Any], which: str) -> None:
    g = p.grad
    assert g is not None, "of parameters with gradients"
    if g.is_sparse or g.layout != torch.strided:
        raise TypeError(
            f"{which} is sparse ({g.layout}), and statistics need all of it: sparse=False in its layer, or "
            f"torch.optim.SparseAdam for this parameter"
        )
    size = _norm(g)
    if not math.isfinite(size) and not g.isfinite().all():
        where = tuple(int(k) for k in (~torch.isfinite(g)).nonzero()[0])
        raise ValueError(
            f"{which} is {float(g[where])} at {where}: nothing has changed; leave this step out, or look for "
            f"where the loss overflows"
        )
    if group["weight_decay"] and not group["decoupled"]:
        size += group["weight_decay"] * _norm(p)
    before = state.get("total", 0.0) if _sums(group) else 0.0
    limit = torch.finfo(torch.promote_types(g.dtype, torch.float32)).max
    if size * size + before > limit:
        others = f", with {before:.3g} of those before," if before else ""
        raise ValueError(
            f"{which} has norm {size:.3g}, and its square{others} is beyond {limit:.3g}, where statistics "
            f"end: nothing has changed; leave this step out, or clip the gradient"
        )
