"""GNU Octave."""

import subprocess

import numpy as np

from evidence import Evidence, asks, labelled
from libraries.programs import version_of


@asks("octave", version_of("octave-cli", "--version", pattern=r"version (\S+)"))
def octave():
    for n in (4, 5):
        matrix = labelled(n)
        numbers = ", ".join(map(str, matrix.ravel(order="F")))
        code = f"printf('%.17g ', vech(reshape([{numbers}], {n}, {n})))"
        command = ["octave-cli", "--norc", "--quiet", "--eval", code]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        yield Evidence("octave-vech", "packs", "symmetric", matrix, np.array(answer.stdout.split(), "f8"))
