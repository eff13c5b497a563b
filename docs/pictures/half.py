"""Draw half.svg, a matrix and its half: python docs/pictures/half.py"""

from pathlib import Path

MATRIX = [[4, 1, 0, 2], [1, 3, -2, 0], [0, -2, 5, 1], [2, 0, 1, 6]]
COLUMNS = ["#1b5e9e", "#2f8f6b", "#b8651b", "#8a3d8f"]
SIDE = 44


def cell(x, y, number, colour):
    filled = f'fill="{colour}"' if colour else 'fill="#f1f1f1" stroke="#cfcfcf" stroke-dasharray="3 3"'
    return (
        f'<rect x="{x + 1}" y="{y + 1}" width="{SIDE - 2}" height="{SIDE - 2}" rx="4" {filled}/>'
        f'<text x="{x + SIDE // 2}" y="{y + 28}" fill="{"#ffffff" if colour else "#8a8a8a"}">{number}</text>'
    )


def written(x, y, text):
    return f'<text class="words" x="{x}" y="{y}">{text}</text>'


def picture():
    n = len(MATRIX)
    parts = [written(20, 28, "the matrix: 16 numbers, 6 of them said twice")]
    for j in range(n):
        for i in range(n):
            parts.append(cell(20 + SIDE * j, 42 + SIDE * i, MATRIX[i][j], COLUMNS[j] if i >= j else None))
    parts.append(written(262, 84, "its half: 10 numbers, each once"))
    parts.append(written(262, 170, "the lower triangle, column by column: the layout vech"))
    half = [(MATRIX[i][j], COLUMNS[j]) for j in range(n) for i in range(j, n)]
    parts += [cell(258 + SIDE * k, 100, number, colour) for k, (number, colour) in enumerate(half)]
    parts.append('<path d="M206 122 h36 m-9 -8 l9 8 l-9 8" fill="none" stroke="#444444" stroke-width="2"/>')
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 236" width="720" role="img">',
            "<title>A symmetric matrix of 4 rows, and its half of 10 numbers</title>",
            "<style>text{font:16px sans-serif;text-anchor:middle}",
            ".words{font-size:15px;fill:#333333;text-anchor:start}</style>",
            '<rect width="720" height="236" rx="8" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(picture(), encoding="utf-8")
