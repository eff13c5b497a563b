"""Tables of text to arrays, against pandas' parser in C; n is the number of rows."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech.io import read_table

COLUMNS = 20


def tables(n: int) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        for form in ("%.10g", "%r"):
            path = Path(folder, "table.csv")
            _write(path, n, form)
            candidates = {
                "vech": partial(read_table, path, threads=1),
                "pandas": peers.pandas_table(path),
                "vech, 2 threads": partial(read_table, path, threads=2),
            }
            yield Case("read_table", form, "float64", n, candidates, f"{path.stat().st_size / 1e6:.0f} MB")


def _write(path: Path, n: int, form: str) -> None:
    rng, line = np.random.default_rng(0), ",".join([form] * COLUMNS) + "\n"
    with path.open("w") as file:
        file.write(",".join(f"c{k}" for k in range(COLUMNS)) + "\n")
        for start in range(0, n, 10_000):
            block = rng.normal(size=(min(10_000, n - start), COLUMNS))
            file.writelines(line % tuple(row) for row in block.tolist())


ROWS = (
    Row(
        "a table of 20 columns out of .csv, against pandas",
        "pandas",
        (Limit("pandas", must=1.3, aim=1.0),),
        (900_000, 900_001),
        tables,
        quick_sizes=(64, 65),
    ),
)
