"""What a benchmark is: a row of the table, the bounds it has to keep, and the cases that are measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Candidates = Mapping[str, Callable[[], object] | None]  # None: not installed


@dataclass(frozen=True, slots=True)
class Limit:
    """vech against one other candidate: at most so much of its time or, if `faster`, so many times as fast.

    `odd` is the must of odd n, where it differs.
    """

    against: str
    must: float | None = None
    aim: float | None = None
    odd: float | None = None
    faster: bool = False

    def ratio(self, figures: Mapping[str, float]) -> float | None:
        """vech's figure over the other's, or the inverse; None where the other one was not measured."""
        if self.against not in figures:
            return None
        ratio = figures["vech"] / figures[self.against]
        return 1 / ratio if self.faster else ratio

    def holds(self, ratio: float, bound: float) -> bool:
        """Whether a ratio keeps the bound, rounded as it is shown."""
        return round(ratio, 2) >= bound if self.faster else round(ratio, 2) <= bound

    def must_at(self, n: int) -> float | None:
        """The must that counts for side n."""
        return self.odd if self.odd is not None and n % 2 else self.must

    def verdicts(self, ratios: Sequence[tuple[int, float]]) -> tuple[str, str]:
        """Of must and aim, over these (n, ratio): "reached", "NOT reached", or "" without a bound."""

        def verdict(bounds: Sequence[float | None]) -> str:
            pairs = [
                (ratio, bound) for (_, ratio), bound in zip(ratios, bounds, strict=True) if bound is not None
            ]
            if not pairs:
                return ""
            return "reached" if all(self.holds(*pair) for pair in pairs) else "NOT reached"

        return verdict([self.must_at(n) for n, _ in ratios]), verdict([self.aim] * len(ratios))

    def __str__(self) -> str:
        return f"{self.against} / vech" if self.faster else f"vech / {self.against}"


@dataclass(frozen=True, slots=True)
class Case:
    """Candidates that do one job: "vech", what it is compared with, and what is good to know beside them."""

    operation: str
    layout: str
    dtype: str
    n: int
    candidates: Candidates
    detail: str = ""

    @property
    def id(self) -> str:
        """operation/layout/dtype/n, and what else tells two cases apart."""
        return "/".join(filter(None, (self.operation, self.layout, self.dtype, str(self.n), self.detail)))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `unit` names the candidate that the other columns of its cases are ratios to."""

    name: str
    unit: str
    limits: tuple[Limit, ...]
    sizes: tuple[int, ...]
    cases: Callable[[int], Iterator[Case]]
    quick_sizes: tuple[int, ...] = (64, 65)
    quick_cases: Callable[[int], Iterator[Case]] | None = None
    measure: Literal["seconds", "peaks", "sizes"] = "seconds"  # the function of benchmarks.measure

    @property
    def in_bytes(self) -> bool:
        """What its figures are."""
        return self.measure != "seconds"
