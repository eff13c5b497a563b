"""Optimizers' matrices: a step of Shampoo on halves and on squares; triangles as other libraries take them.

Full squares are the same optimizer, whose statistics and roots are n x n tensors, updated in place by addmm.
Roots are not in a step: they are the same eigendecomposition in both.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import peers
from benchmarks.rows import Case, Limit, Row

NEVER = 2**40  # steps from one root to the next
STEP_SIZES, MOVE_SIZES = (1024, 1023), (1024, 1023, 4096, 4095)


def step(n: int) -> Iterator[Case]:
    if peers.load("torch") is None:
        return
    import torch

    from vech.adapters import torch as vt

    def stepping(kind: Any) -> Callable[[], object]:
        torch.manual_seed(0)
        p = torch.zeros(n, n, requires_grad=True)
        p.grad = torch.randn(n, n)
        optimizer = kind([p], root_every=NEVER)
        optimizer.step()
        return optimizer.step  # type: ignore[no-any-return]

    candidates = {"vech": stepping(vt.Shampoo), "full squares": stepping(_full_squares(vt.Shampoo))}
    yield Case("Shampoo step", "vech", "float32", n, candidates)


def _full_squares(base: Any) -> Any:
    """Shampoo whose statistics and roots are squares."""
    import torch

    class Statistic:
        nbytes = 0

        def __init__(self, n: int) -> None:
            self.n, self.S = n, torch.zeros(n, n)

        def update(self, *, factor: Any, beta: float, weight: float | None = None) -> None:
            share = 1 - beta if weight is None else weight
            torch.addmm(self.S, factor, factor.T, beta=beta, alpha=share, out=self.S)

    class Root:
        nbytes = 0

        def __init__(self, statistic: Statistic) -> None:
            values, vectors = torch.linalg.eigh(statistic.S.double())
            powers = (values.clamp(min=0) + 1e-6 * values[-1]) ** -0.25
            self.full = ((vectors * powers) @ vectors.T).float()

        def square(self) -> Any:
            return self.full

    class FullSquares(base):  # type: ignore[misc]
        def make_statistic(self, side: int, like: Any, group: Any) -> Statistic:
            return Statistic(side)

        def make_root(self, statistic: Statistic, order: int, step: int, group: Any) -> Root:
            return Root(statistic)

    return FullSquares


# ---- as other libraries take triangles ---------------------------------------------------------------------


def _matrix(n: int) -> Any:
    import torch

    return torch.rand(n, n, generator=torch.Generator().manual_seed(0)) + 1


def _tables(n: int) -> Any:
    """The pairs of indices of distributed Shampoo, which keeps them for every side: int32, by rows."""
    import torch

    return torch.triu_indices(n, n).to(torch.int32)


def pack(n: int) -> Iterator[Case]:
    if peers.load("torch") is None:
        return

    from vech.adapters.torch import dropin

    A = _matrix(n)
    rows, columns = _tables(n)
    heavyball, asdl = peers.load("heavyball.utils"), peers.load("asdl.symmatrix")
    candidates = {
        "vech": partial(dropin.pack_upper_triangular, A),
        "distributed Shampoo": lambda: A[rows, columns].contiguous(),
        "HeavyBall": heavyball and partial(_plainly(heavyball).triu_to_line, [A[None]]),
        "ASDL": asdl and partial(asdl.matrix_to_tril, A),
    }
    yield Case("pack", "numpy-triu", "float32", n, candidates)


def expand(n: int) -> Iterator[Case]:
    if peers.load("torch") is None:
        return
    import torch

    from vech.adapters.torch import dropin

    half = dropin.pack_upper_triangular(_matrix(n))
    rows, columns = _tables(n)
    heavyball, asdl = peers.load("heavyball.utils"), peers.load("asdl.symmatrix")

    def scattered() -> Any:
        full = torch.zeros(n, n)
        full[rows, columns] = half
        full[columns, rows] = half
        return full

    line = [((1, n, n), half[None])]
    candidates = {
        "vech": partial(dropin.unpack_upper_triangular, half, n),
        "distributed Shampoo": scattered,
        "HeavyBall": heavyball and partial(_plainly(heavyball).line_to_triu, line),
        "ASDL": asdl and partial(asdl.tril_to_matrix, half),
    }
    yield Case("expand", "numpy-triu", "float32", n, candidates)


def _plainly(heavyball: Any) -> Any:
    """Without compiling, as vech is called."""
    heavyball.compile_mode = None
    return heavyball


ROWS = (
    Row(
        "Shampoo step, halves of statistics",
        "full squares",
        (Limit("full squares", must=1.0, aim=1.1, faster=True),),
        STEP_SIZES,
        step,
    ),
    *(
        Row(
            f"{name} as optimizers do",
            "distributed Shampoo",
            (
                Limit("distributed Shampoo", must=3, aim=6, faster=True),
                Limit("HeavyBall", must=1, aim=3, faster=True),
                Limit("ASDL", must=1, aim=3, faster=True),
            ),
            MOVE_SIZES,
            cases,
        )
        for name, cases in (("pack", pack), ("expand", expand))
    ),
)
