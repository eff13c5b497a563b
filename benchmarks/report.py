"""The figures in words: one line per case while it runs, and the pages docs/benchmarks*.md.

A page shows the newest run on each family of processors, side by side: runs are kept in benchmarks/results.
"""

import datetime
import itertools
import json
import os
import platform
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import vech
from benchmarks import measure, peers
from benchmarks.rows import Limit, Row

NOTES = Path(__file__).with_name("notes.toml")
RESULTS = Path(__file__).with_name("results")

NEXT = """\
Next: [How it works](how-it-works.md), with the other pages of figures; [Numerics](numerics.md), how exact
what was measured is; or the [Guides](guides.md) to what was measured
"""
"""What every page ends with."""


class Result(NamedTuple):
    """What was measured for one case; None where a candidate is not installed."""

    row: Row
    id: str
    n: int
    figures: dict[str, float | None]

    @property
    def measured(self) -> dict[str, float]:
        return {name: figure for name, figure in self.figures.items() if figure is not None}


class Run(NamedTuple):
    """Everything that one command measured, and on what."""

    family: str
    facts: dict[str, str]
    results: Sequence[Result]


def run(results: Sequence[Result], command: str) -> Run:
    """What was just measured here."""
    facts = {
        "Processor": measure.processor(),
        "Memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "Load when the run ended": f"{os.getloadavg()[0]:.1f} (1.0 is this run alone)",
        "System": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "vech": f"{vech.__version__}, target {vech.targets().active}",
        "Beside it": ", ".join(_version(name) for name in peers.NAMES),
        "Plain read": f"`{measure.fastest_read()}`",
        "Date": f"{datetime.datetime.now(datetime.UTC).date()}, command: `{command}`",
    }
    return Run(measure.family(), facts, results)


def keep(run: Run, page: str) -> None:
    """The newest run of a page on this family of processors."""
    rows: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for result in run.results:
        rows.setdefault(result.row.name, {})[result.id] = {"n": result.n, **result.figures}
    path = RESULTS / f"{page}.{run.family}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"facts": run.facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def kept(page: str, rows: Mapping[str, Row]) -> Iterator[Run]:
    """The newest run of a page on each family, of the rows that there are."""
    for path in sorted(RESULTS.glob(f"{page}.*.json")):
        known = json.loads(path.read_text(encoding="utf-8"))
        results = [
            Result(rows[name], case, figures.pop("n"), figures)
            for name, cases in known["rows"].items()
            if name in rows
            for case, figures in cases.items()
        ]
        yield Run(path.name.split(".")[1], known["facts"], results)


def line(result: Result) -> str:
    """One case: its ratios, and whether they keep what the row promises."""
    words = []
    for limit in result.row.limits:
        if limit.against not in result.figures:
            continue
        ratio = limit.ratio(result.measured)
        if ratio is None:
            words.append(f"{limit}: not installed")
            continue
        must, aim = limit.verdicts([(result.n, ratio)])
        words.append(f"{limit} {ratio:.2f}" + (must and f", must {must}") + (aim and f", aim {aim}"))
    return f"  {result.id:<52} {'; '.join(words)}"


def page(runs: Sequence[Run], quick: bool) -> str:
    """A page of docs."""
    rows = tuple(dict.fromkeys(result.row for run in runs for result in run.results))
    parts = (_head(runs, quick), _summary(rows, runs), _reasons(rows, runs), _tables(rows, runs), (NEXT,))
    return "\n".join(itertools.chain.from_iterable(parts))


def _head(runs: Sequence[Run], quick: bool) -> Iterator[str]:
    yield "# Benchmarks\n"
    if quick:
        yield "**A quick run, tiny sizes and one round, to see that it runs: its numbers say nothing.**\n"
    yield (
        "Times are ratios within one process: the candidates of a case take turns, and each counts with its "
        f"fastest of at least {measure.ROUNDS} rounds, after a warm-up ({measure.FEW_ROUNDS} where these "
        f"take more than {measure.LONG_SECONDS} seconds), or with its one call where that takes more than "
        f"{measure.SLOW_SECONDS} seconds. vech runs on one thread unless a "
        "column says otherwise, and so do the others.\n"
    )
    yield "- full copy: `np.copyto(out, full)` into warm memory"
    yield "- fill: `out.fill(x)`, or `np.full` where memory is fresh"
    yield "- plain read: the half read once by the fastest of NumPy's reductions"
    yield "- fresh memory is new to the process in each round; warm memory is written over and over\n"
    for run in runs:
        yield f"**{run.family}**  "
        yield from (f"{name}: {fact}  " for name, fact in run.facts.items())
        yield ""
    if len(runs) == 1 and not quick:
        yield f"No run on another family of processors than {runs[0].family} is known.\n"


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} not installed"


def _summary(rows: Sequence[Row], runs: Sequence[Run]) -> Iterator[str]:
    titles: dict[str, list[str]] = {"Reached": [], "Not reached": [], "Without a must": []}
    for row in rows:
        for limit in row.limits:
            ratios = {run.family: _ratios(row, limit, run.results) for run in runs}
            worst = [_worst(limit, own, parity) for own in ratios.values() for parity in (0, 1)]
            verdicts = [limit.verdicts(own) if own else ("not measured", "") for own in ratios.values()]
            must, aim = (_together(list(ratios), own) for own in zip(*verdicts, strict=True))
            line = f"| {' | '.join((row.name, str(limit), *_bounds(limit), *worst, must, aim))} |"
            title = "Without a must" if limit.must is None else "Not reached" if "NOT" in must else "Reached"
            titles[title].append(line)
    columns = [f"{run.family}, {parity} n" for run in runs for parity in ("even", "odd")]
    yield "Of each row its worst case.\n"
    for title, lines in titles.items():
        if lines:
            yield f"## {title}\n"
            yield f"| operation | times compared | must | aim | {' | '.join(columns)} | must is | aim is |"
            yield f"| {'--- | ' * (6 + len(columns))}".rstrip()
            yield from lines
            yield ""


def _together(families: Sequence[str], verdicts: Sequence[str]) -> str:
    """What is the same on all families once, else that of each."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    return ", ".join(f"{said} ({family})" for family, said in zip(families, verdicts, strict=True) if said)


def _reasons(rows: Sequence[Row], runs: Sequence[Run]) -> Iterator[str]:
    notes = tomllib.loads(NOTES.read_text(encoding="utf-8"))
    missed = [
        row
        for row in rows
        if any(
            "NOT reached" in limit.verdicts(_ratios(row, limit, run.results))
            for limit in row.limits
            for run in runs
        )
    ]
    if missed:
        yield "## Why a must or an aim is not reached\n"
    for row in missed:
        yield f"- **{row.name}**: {notes.get(row.name, 'no reason known yet')}"
    yield ""


def _tables(rows: Sequence[Row], runs: Sequence[Run]) -> Iterator[str]:
    yield "## All cases\n"
    for row in rows:
        yield f"### {row.name}\n"
        yield f"As multiples of: {row.unit}, whose own figure is in the second column.\n"
        for run in runs:
            own = [result for result in run.results if result.row is row]
            if not own:
                continue
            others = dict.fromkeys(name for result in own for name in result.figures if name != row.unit)
            if len(runs) > 1:
                yield f"**{run.family}**\n"
            yield f"| case | {' | '.join([row.unit, *others])} |"
            yield f"| --- |{' --- |' * (1 + len(others))}"
            for result in own:
                unit = result.figures.get(row.unit)
                cells = [
                    _absolute(unit, row.in_bytes),
                    *(_cell(result, name, unit, row.in_bytes) for name in others),
                ]
                yield f"| {' | '.join([result.id, *cells])} |"
            yield ""


def _cell(result: Result, name: str, unit: float | None, in_bytes: bool) -> str:
    if name not in result.figures:
        return ""
    figure = result.figures[name]
    return _absolute(figure, in_bytes) if figure is None or unit is None else f"{figure / unit:.2f}"


def _absolute(figure: float | None, in_bytes: bool) -> str:
    if figure is None:
        return "not installed"
    if in_bytes:
        return f"{figure / 2**20:.1f} MiB"
    return f"{figure * 1e3:.2f} ms" if figure > 1e-4 else f"{figure * 1e6:.2f} us"


def _ratios(row: Row, limit: Limit, results: Sequence[Result]) -> list[tuple[int, float]]:
    own = [result for result in results if result.row is row and result.measured]
    return [(result.n, ratio) for result in own if (ratio := limit.ratio(result.measured)) is not None]


def _worst(limit: Limit, ratios: Sequence[tuple[int, float]], parity: int) -> str:
    own = [ratio for n, ratio in ratios if n % 2 == parity]
    return f"{min(own) if limit.faster else max(own):.2f}" if own else "-"


def _bounds(limit: Limit) -> tuple[str, str]:
    sign = ">=" if limit.faster else "<="
    must = "-" if limit.must is None else f"{sign} {limit.must:g}"
    odd = "" if limit.odd is None else f" (odd n: {limit.odd:g})"
    return must + odd, "-" if limit.aim is None else f"{sign} {limit.aim:g}"
