"""Genomics, phylogenetics: relatedness and distances, most of them in files."""

import io
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from evidence import Evidence, asks, labelled, numbered
from libraries.programs import need, version_of

# ---- PLINK -------------------------------------------------------------------------------------------------


def genotypes(folder, samples, variants):
    """Writes random genotypes as PLINK's .bed, .bim and .fam; their common stem."""
    stem = Path(folder) / "genotypes"
    codes = np.random.default_rng(0).choice([0, 2, 3], (variants, -(-samples // 4) * 4))
    codes[:, samples:] = 0
    packed = (codes.reshape(variants, -1, 4) << np.array([0, 2, 4, 6])).sum(-1).astype("u1")
    stem.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed.tobytes())
    stem.with_suffix(".bim").write_text("".join(f"1 v{k} 0 {k + 1} A C\n" for k in range(variants)))
    stem.with_suffix(".fam").write_text("".join(f"s{i} s{i} 0 0 1 -9\n" for i in range(samples)))
    return stem


def ran(name, stem, suffix, dtype, *options):
    """The numbers in the file that the program wrote."""
    command = [name, "--bfile", stem, "--allow-no-sex", "--threads", "1", "--out", stem, *options]
    subprocess.run(command, check=True, capture_output=True)
    return np.fromfile(f"{stem}{suffix}", dtype)


def both(name, dialect, stem, n, suffix, dtype, *options):
    """The triangle that the program writes, beside the square that the same program writes."""
    square = ran(name, stem, suffix, dtype, *options, "square").reshape(n, n)
    triangle = ran(name, stem, suffix, dtype, *options, "triangle")
    if triangle.size == n * (n - 1) // 2:
        np.fill_diagonal(square, 0)  # what the triangle leaves out
    return Evidence(dialect, "packs", "symmetric", square, triangle)


@asks("plink1.9", version_of("plink1.9", "--version", pattern=r"v(\S+)"))
def plink19():
    name = "plink1.9"
    with tempfile.TemporaryDirectory() as folder:
        for n in (4, 5):
            stem = genotypes(folder, n, 3000)
            for width, dtype, dialect in (("bin", "<f8", "rel"), ("bin4", "<f4", "rel4")):
                rel = both(name, f"plink-{dialect}-triangle", stem, n, ".rel.bin", dtype, "--make-rel", width)
                yield rel
            grm = ran(name, stem, ".grm.bin", "<f4", "--make-grm-bin")
            yield Evidence("gcta-grm-bin", "packs", "symmetric", rel.given, grm)
            for width, dtype in (("bin", "<f8"), ("bin4", "<f4")):
                yield both(name, "plink-dist-triangle", stem, n, ".dist.bin", dtype, "--distance", width)
            stem = genotypes(folder, 200, n)
            for width, dtype in (("bin", "<f8"), ("bin4", "<f4")):
                yield both(name, "plink-r2-triangle", stem, n, ".ld.bin", dtype, "--r2", width)


@asks("plink2", version_of("plink2", "--version", pattern=r"v(\S+)"))
def plink2():
    name = "plink2"
    with tempfile.TemporaryDirectory() as folder:
        for n in (4, 5):
            stem = genotypes(folder, n, 3000)
            for width, dtype, dialect in (("bin", "<f8", "rel"), ("bin4", "<f4", "rel4")):
                options = ("--bad-freqs", "--make-rel", width)
                rel = both(name, f"plink-{dialect}-triangle", stem, n, ".rel.bin", dtype, *options)
                yield rel
                options = ("--make-king", width)
                yield both(name, "plink-king-triangle", stem, n, ".king.bin", dtype, *options)
            grm = ran(name, stem, ".grm.bin", "<f4", "--bad-freqs", "--make-grm-bin")
            yield Evidence("gcta-grm-bin", "packs", "symmetric", rel.given, grm)


@asks("pandas-plink")
def pandas_plink():
    from pandas_plink import read_grm, read_rel

    for n in (4, 5):
        with tempfile.TemporaryDirectory() as folder:
            stem = Path(folder) / "half"
            people = Path(f"{stem}.id")
            people.write_text("".join(f"f{i}\ts{i}\n" for i in range(n)))
            half = numbered(n * (n + 1) // 2, "<f4")
            for suffix in (".grm.bin", ".grm.N.bin"):
                half.tofile(f"{stem}{suffix}")
            grm, _ = read_grm(f"{stem}.grm.bin", people, f"{stem}.grm.N.bin")
            yield Evidence("gcta-grm-bin", "expands", "symmetric", half, grm.to_numpy())

            half = numbered(n * (n + 1) // 2)
            numbers = iter(half)  # of triangles, it reads only those written as text
            rows = ["\t".join(str(next(numbers)) for _ in range(i + 1)) for i in range(n)]
            Path(f"{stem}.rel").write_text("\n".join([*rows, ""]))
            rel = read_rel(f"{stem}.rel", people).to_numpy()
            yield Evidence("plink-rel-triangle", "expands", "symmetric", half, rel)


# ---- trees of species --------------------------------------------------------------------------------------


@asks("scikit-bio")
def scikit_bio():
    from skbio import DistanceMatrix

    for n in (4, 5):
        names = [f"s{i}" for i in range(n)]
        matrix = labelled(n, kind="symmetric", diagonal=0)  # anything else is refused
        text = io.StringIO()
        DistanceMatrix(matrix, names).write(text, format="phylip_dm")
        rows = text.getvalue().splitlines()[1:]
        half = np.array([float(number) for row in rows for number in row.split()[1:]])
        yield Evidence("phylip-lower", "packs", "symmetric", matrix, half)

        half = numbered(n * (n - 1) // 2)
        numbers = iter(half)
        rows = ["\t".join([name, *(str(next(numbers)) for _ in range(i))]) for i, name in enumerate(names)]
        text = io.StringIO("\n".join([str(n), *rows, ""]))
        full = DistanceMatrix.read(text, format="phylip_dm").data
        yield Evidence("phylip-lower", "expands", "symmetric", half, np.array(full))


@asks("biopython")
def biopython():
    from Bio.Phylo.TreeConstruction import DistanceMatrix

    for n in (4, 5):
        names = [f"s{i}" for i in range(n)]
        for dtype in ("i8", "f8"):
            matrix = labelled(n, dtype, "symmetric", diagonal=0)  # it stores a diagonal and keeps it zero
            distances = DistanceMatrix(names)
            for i, j in np.ndindex(n, n):
                distances[i, j] = matrix[i, j]
            half = np.concatenate(distances.matrix)
            yield Evidence("biopython-lower", "packs", "symmetric", matrix, half)
            half = numbered(half.size, dtype)
            numbers = iter(half)
            distances.matrix = [[next(numbers) for _ in range(i + 1)] for i in range(n)]
            full = np.array([[distances[i, j] for j in names] for i in names])
            yield Evidence("biopython-lower", "expands", "symmetric", half, full)


def neighbor(half, n):
    """What PHYLIP's program writes of distances that it read from a lower triangle."""
    numbers = iter(half)
    rows = [[f"species{i}  ", *(f"{next(numbers):.1f}" for _ in range(i))] for i in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "infile").write_text("\n".join([str(n), *map(" ".join, rows), ""]))
        keys = b"L\n1\nY\n"  # lower triangle; print the data; go
        subprocess.run(["phylip", "neighbor"], cwd=folder, input=keys, check=True, capture_output=True)
        return Path(folder, "outfile").read_text()


def phylip_version():
    need("phylip")
    return re.search(r"version (\S+)", neighbor(numbered(6), 4))[1]


@asks("phylip", phylip_version)
def phylip():
    for n in (4, 5):
        half = numbered(n * (n - 1) // 2)
        table = neighbor(half, n).partition("----\n")[2].splitlines()[: n + 1]
        full = np.array([line.split()[1:] for line in table if line], "f8")
        yield Evidence("phylip-lower", "expands", "symmetric", half, full)
