"""Text out of a file, packed by gzip or not, in any encoding: whole lines in UTF-8, in bounded memory."""

import codecs
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vech.io.errors import FileFormatError
from vech.io.gz import LONGEST, is_packed, unpacked

PIECE = 1 << 23
"""Bytes read in one go: they stay in a cache, and pay for the call."""

MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""What a file may begin with, and the encoding that says."""


class Lines:
    """Lines out of pieces of text, and how far they have been read.

    Attributes
    ----------
    piece : bytes
        Whole lines in UTF-8; each ends in a line feed.
    at : int
        Where in `piece` the next line begins.
    line : int
        How many lines of the file lie before it.
    passed : int
        Bytes of the pieces before this one.
    """

    def __init__(self, path: Path, pieces: Iterator[bytes]) -> None:
        self.path, self.piece, self.at, self.line, self.passed = path, b"", 0, 0, 0
        self._pieces = pieces
        self._parts: list[str] = []  # what a line holds behind a carriage return inside it, last first

    @property
    def left(self) -> bool:
        """Whether lines of the piece have not been read."""
        return self.at < len(self.piece) or bool(self._parts)

    @property
    def whole(self) -> bool:
        """Whether the next line begins at `at`, behind a line feed."""
        return not self._parts

    def fill(self) -> bool:
        """Take the next piece, once all of this one has been read; False at the end of the file."""
        passed = len(self.piece)
        if not self.widen():
            return False
        self.passed += passed
        return True

    def widen(self) -> bool:
        """Put the next piece behind the lines that have not been read; False at the end of the file."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        rest = self.piece[self.at :]
        try:
            if not piece.isascii():
                piece.decode()
        except UnicodeDecodeError as error:
            line = self.line + 1 + rest.count(b"\n") + piece.count(b"\n", 0, error.start)
            raise FileFormatError(
                f"has the byte {piece[error.start]:#04x}, which is no UTF-8: say encoding='cp1252' "
                "(--encoding cp1252) or what it is",
                self.path,
                line,
            ) from None
        self.piece, self.at = rest + piece, 0
        return True

    def count(self) -> int:
        """How many lines of the piece have not been read; one may hold several behind carriage returns."""
        return self.piece.count(b"\n", self.at) + len(self._parts)

    def next(self) -> str | None:
        """The next line with its end, in this piece or in the following one; None at the end of the file."""
        if not self._parts:
            if self.at == len(self.piece) and not self.fill():
                return None
            end = self.piece.index(b"\n", self.at) + 1
            line = self.piece[self.at : end].decode()
            self.at = end
            self._parts = parts(line)[::-1]
        self.line += 1
        return self._parts.pop()


def filled(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """The lines of a text that are not blank, without blanks at their ends, and their numbers."""
    lines = Lines(path, read_text(path, encoding))
    while (text := lines.next()) is not None:
        if text := text.rstrip():
            yield lines.line, text


def parts(line: str) -> list[str]:
    """The lines in one that ends in a line feed, where carriage returns end some."""
    return list(io.StringIO(line, newline="")) if "\r" in line else [line]


def refuse_zeros(text: str, path: Path, line: int) -> None:
    """FileFormatError for a line with zeros between its letters: UTF-16 without its mark, or no text."""
    if "\0" in text:
        raise FileFormatError(
            "has zeros between its letters, as UTF-16 has: say encoding='utf-16-le' or 'utf-16-be' "
            "(--encoding)",
            path,
            line,
        )


def read_text(path: Path, encoding: str | None) -> Iterator[bytes]:
    """The text of a file in UTF-8, cut behind line feeds, the last of which is there always.

    `encoding` None is UTF-8, or UTF-16 where the file begins with its mark. Carriage returns,
    where the first piece has them and no line feed, are line feeds.
    """
    check_encoding(encoding)
    rest, returns, size = [b""], None, 0
    with unpacked(path) as file:
        for text in _utf8(file, encoding, path):
            if returns is None:
                returns = b"\r" in text and b"\n" not in text
            if returns:
                text = text.replace(b"\r", b"\n")
            cut = text.rfind(b"\n") + 1
            if cut:
                yield b"".join((*rest, memoryview(text)[:cut]))
                rest, size = [], 0
            rest.append(text[cut:])
            size += len(rest[-1])
            if size > LONGEST:
                raise FileFormatError(
                    f"has a line of more than {LONGEST:,} bytes: no table has that, or its lines do not end",
                    path,
                )
    if size:
        yield b"".join((*rest, b"\n"))


def marked(path: Path) -> str | None:
    """The encoding that a file says in its first bytes, if that is not UTF-8; of a pipe they are gone."""
    if not path.is_file():
        return None
    with unpacked(path) as file:
        mark = _mark(file.read(max(map(len, MARKS))))
    return None if mark in (None, codecs.BOM_UTF8) else MARKS[mark]


def _mark(text: bytes) -> bytes | None:
    return next((mark for mark in MARKS if text.startswith(mark)), None)


def check_encoding(encoding: str | None) -> None:
    """ValueError for what Python has no encoding of text for."""
    try:
        " ".encode(encoding or "utf-8")
    except (LookupError, ValueError, TypeError):
        raise ValueError(
            f"encoding={encoding!r} is none that Python has: 'utf-8', 'utf-16', 'latin-1' or 'cp1252' fits"
        ) from None


def _utf8(file: BinaryIO, encoding: str | None, path: Path) -> Iterator[bytes]:
    """The text in UTF-8, which is not looked at where the file has that."""
    size = 0 if is_packed(path) else os.fstat(file.fileno()).st_size

    def read() -> bytes:
        piece = file.read(PIECE)
        if not piece and size and (end := file.tell()) < size:
            raise FileFormatError(f"was cut while it was read: it had {size:,} bytes, and {end:,} came", path)
        return piece

    text = read()
    mark = _mark(text)
    known = codecs.lookup(encoding or "utf-8").name
    if mark is not None and (encoding is None or known in (MARKS[mark], "utf-16", "utf-8-sig")):
        known, text = MARKS[mark], text[len(mark) :] or read()
    if known in ("utf-8", "utf-8-sig", "ascii"):
        while text:
            yield text
            text = read()
        return
    decoder, line = codecs.getincrementaldecoder(known)(), 1
    while True:
        following = read() if text else b""
        try:
            decoded = decoder.decode(text, not following)
        except UnicodeError as error:
            line += str(getattr(error, "object", b"")[: getattr(error, "start", 0)], known, "replace").count(
                "\n"
            )
            reason = getattr(error, "reason", error)
            raise FileFormatError(
                f"is no {known}: {reason}: say its encoding= (--encoding)", path, line
            ) from None
        line += decoded.count("\n")
        yield decoded.encode("utf-8", "replace")
        if not following:
            return
        text = following
