"""python -m benchmarks: measure every row, or those whose name contains one of the words given."""

import argparse
import gc
import os
import shlex
import sys
from pathlib import Path
from time import perf_counter

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
DOCS = Path(__file__).parent.parent / "docs"
PAGES = {
    "moves": DOCS / "benchmarks-moves.md",
    "halves": DOCS / "benchmarks.md",
    "rows": DOCS / "benchmarks-rows.md",
    "tiles": DOCS / "benchmarks-tiles.md",
    "quantized": DOCS / "benchmarks-quantized.md",
    "learning": DOCS / "benchmarks-learning.md",
}
"""Moves; what computes on halves; rows; stores of tiles; few bits a number; learning: a run each."""


def main() -> None:
    arguments = _arguments()
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # read when the libraries load
    from benchmarks import (
        bench_batches,
        bench_clusters,
        bench_convert,
        bench_covariance,
        bench_distances,
        bench_embedding,
        bench_expand,
        bench_explicit,
        bench_gerber,
        bench_gram,
        bench_learning,
        bench_learning_jax,
        bench_linalg,
        bench_linkage,
        bench_metrics,
        bench_nearest,
        bench_neighbors,
        bench_pack,
        bench_products,
        bench_quantized,
        bench_shampoo,
        bench_small,
        bench_sparse,
        bench_tables,
        bench_tiled,
        bench_to_disk,
        report,
    )

    pages = {
        "moves": (bench_expand, bench_pack, bench_convert, bench_small, bench_explicit),
        "halves": (
            bench_sparse,
            bench_gram,
            bench_linalg,
            bench_nearest,
            bench_products,
            bench_covariance,
            bench_gerber,
            bench_tables,
        ),
        "rows": (
            bench_distances,
            bench_metrics,
            bench_neighbors,
            bench_linkage,
            bench_clusters,
            bench_embedding,
            bench_to_disk,
        ),
        "tiles": (bench_tiled,),
        "quantized": (bench_quantized,),
        "learning": (bench_learning, bench_learning_jax, bench_batches, bench_shampoo),
    }
    modules = [module for name in pages if arguments.page in (None, name) for module in pages[name]]
    rows = [row for module in modules for row in module.ROWS]
    if arguments.words:
        rows = [row for row in rows if any(word in row.name for word in arguments.words)]
    if arguments.list:
        print("\n".join(row.name for row in rows))
        return
    if not rows:
        sys.exit(f"no row contains {' or '.join(arguments.words)}: see --list")

    results = []
    start = perf_counter()
    for count, row in enumerate(rows, 1):
        print(f"[{count}/{len(rows)}, {perf_counter() - start:.0f} s] {row.name}", flush=True)
        for n in arguments.n or (row.quick_sizes if arguments.quick else row.sizes):
            for result in _measured(row, n, arguments.quick):
                print(report.line(result), flush=True)
                results.append(result)
    if arguments.write:
        command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
        runs = [report.run(results, command)]
        if arguments.write == PAGES.get(arguments.page):
            report.keep(runs[0], arguments.page)
            runs = list(report.kept(arguments.page, {row.name: row for row in rows}))
        arguments.write.write_text(report.page(runs, arguments.quick), encoding="utf-8")
        print(f"written: {arguments.write}")


def _measured(row, n, quick):
    """The results of one row at one side; the arrays of a case are freed before the next one is made."""
    from benchmarks import measure, report

    cases = row.quick_cases if quick and row.quick_cases else row.cases
    for case in cases(n):
        figures = getattr(measure, row.measure)(case.candidates, quick=quick)
        yield report.Result(row, case.id, n, {name: figures.get(name) for name in case.candidates})
        del case
        if not quick:
            gc.collect()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only rows whose name contains it")
    parser.add_argument("--list", action="store_true", help="the names of the rows")
    parser.add_argument("--n", type=int, nargs="+", help="these sides instead of each row's own")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: does it run?")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=Path(), help="write the page in docs, or a PATH"
    )
    parser.add_argument("--page", choices=tuple(PAGES), help="only the rows of one page in docs")
    arguments = parser.parse_args()
    if arguments.write == Path():
        if arguments.page is None or arguments.words or arguments.n or arguments.quick:
            parser.error("a page in docs shows every row at its own sizes: say --page alone, or a path")
        arguments.write = PAGES[arguments.page]
    return arguments


if __name__ == "__main__":
    main()
