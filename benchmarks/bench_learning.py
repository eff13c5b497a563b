"""Tensors of PyTorch: moves against index tables, and products with their gradients against full squares."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import peers
from benchmarks.rows import Case, Limit, Row

MOVES, PRODUCTS = (1024, 1023, 4096, 4095), (2048, 2047)
TABLES = "triu_indices"
FULL = "full square"


def move(n: int, name: str) -> Iterator[Case]:
    """Tables are made once."""
    torch = peers.load("torch")
    if torch is None:
        return
    from vech.adapters import torch as vt

    A = _symmetric(torch, n)
    rows, columns = torch.triu_indices(n, n)
    half = A[rows, columns]

    def scattered() -> Any:
        full = torch.empty(n, n)
        full[rows, columns] = half
        full[columns, rows] = half
        return full

    if name == "pack":
        candidates = {
            "vech": partial(vt.pack, A, "numpy-triu", use="upper"),
            TABLES: lambda: A[rows, columns],
            "vech, both compared": partial(vt.pack, A, "numpy-triu"),
        }
    else:
        candidates = {"vech": partial(vt.expand, half, "numpy-triu"), TABLES: scattered}
    yield Case(name, "numpy-triu", "float32", n, candidates)


def quadratic(n: int, name: str = "seconds") -> Iterator[Case]:
    for dtype in ("float32", "float64"):
        yield from _against_full(n, "quadratic", dtype, 0, name)


def matrices(n: int) -> Iterator[Case]:
    yield from _against_full(n, "matmul", "float32", 16, "seconds")
    yield from _against_full(n, "gram", "float32", 64, "seconds")


def _against_full(n: int, name: str, dtype: str, columns: int, measure: str) -> Iterator[Case]:
    torch = peers.load("torch")
    if torch is None:
        return
    from vech.adapters import torch as vt

    S = _symmetric(torch, n).to(getattr(torch, dtype))
    x = torch.rand(n, columns, dtype=S.dtype) if columns else torch.rand(n, dtype=S.dtype)
    ours = {"quadratic": vt.quadratic, "matmul": vt.matmul, "gram": lambda _, x: vt.gram(x)}
    theirs = {"quadratic": lambda S, x: x @ (S @ x), "matmul": torch.matmul, "gram": lambda _, x: x @ x.T}
    if measure == "seconds":
        candidates = {
            "vech": _step(vt.pack(S), x, ours[name]),
            FULL: _step(S.clone(), x, theirs[name]),
        }
    else:
        candidates = {
            "vech": partial(_bytes, torch, vt.pack(S), x, ours[name]),
            FULL: partial(_bytes, torch, S.clone(), x, theirs[name]),
        }
    detail = f"{columns} columns" if columns else ""
    yield Case(f"{name}, forward and backward", "vech", dtype, n, candidates, detail)


def _symmetric(torch: Any, n: int) -> Any:
    A = torch.rand(n, n, generator=torch.Generator().manual_seed(0))
    return A + A.T


def _step(S: Any, x: Any, function: Callable[[Any, Any], Any]) -> Callable[[], object]:
    S.requires_grad_()
    x = x.clone().requires_grad_()

    def run() -> None:
        S.grad = x.grad = None
        result = function(S, x)
        (result if result.ndim == 0 else (result * result).sum()).backward()

    return run


def _bytes(torch: Any, S: Any, x: Any, function: Callable[[Any, Any], Any]) -> int:
    """Of the matrix, what is kept for its gradient, and the gradient."""
    S.requires_grad_()
    found = {S.data_ptr(): S.nbytes}

    def keep(tensor: Any) -> Any:
        found[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function(S, x).backward()
    return sum(found.values()) + int(S.grad.nbytes)


ROWS = (
    *(
        Row(
            f"{name} of tensors against index tables",
            TABLES,
            (Limit(TABLES, must=3, aim=6, faster=True),),
            MOVES,
            partial(move, name=name),
        )
        for name in ("pack", "expand")
    ),
    Row(
        "quadratic(x, half) and its gradients",
        FULL,
        (Limit(FULL, must=1.5, aim=2, faster=True),),
        PRODUCTS,
        quadratic,
    ),
    Row(
        "bytes of quadratic(x, half) and its gradients",
        FULL,
        (Limit(FULL, must=0.51),),
        PRODUCTS,
        partial(quadratic, name="sizes"),
        measure="sizes",
    ),
    Row("matmul and gram of tensors and their gradients", FULL, (Limit(FULL),), PRODUCTS, matrices),
)
