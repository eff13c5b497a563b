"""The numbers of a half and the description beside them: two files that change as one.

Two files take two renames. So while the numbers are replaced, their description says "either": what the new
numbers are and what the old ones were, or null for none, and digests tell which are there. At every instant
the two files are the old pair or the new one, and so they are after a crash.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from vech.arrays import Array
from vech.io.description import VERSION, described_half, parse_object
from vech.io.digests import digest
from vech.io.drafts import Draft, draft, locked, refuse, remove_leftovers, sync_folder
from vech.io.errors import REPLACED, TRIES, FileFormatError, ordinary
from vech.packed.packed import Packed

OURS = {"digest", "either"}
"""What only a description has that vech wrote."""


def description_path(path: Path) -> Path:
    """Say where the description of a half lies: beside the file itself, where `path` is a link to it."""
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    return path.with_name(path.name + ".json")


def read_pair(path: Path, load: Callable[[BinaryIO], Array]) -> tuple[Array, bytes | None]:
    """Load the numbers, and read the text that was beside them at that time, None if there was none."""
    for _ in range(TRIES):
        with path.open("rb") as file:
            text = _bytes(description_path(path))
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return load(file), text
    raise FileFormatError(REPLACED, path)


def described(array: Array, text: bytes, path: Path, *, verify: bool) -> Packed | None:
    """Make a half of an array and the text of its description; None where that allows for a bare array.

    Of a memory map a sample is compared, unless `verify`, or where old numbers are told from new ones.
    """
    versions = _versions(_parsed(text, path), path)
    if len(versions) == 1:
        return described_half(array, versions[0], path, verify=verify)
    version = _true_one(versions, array, path)
    return None if version is None else described_half(array, version, path, verify=verify)


def replace_pair(numbers: Draft, new: bytes | None, load: Callable[[BinaryIO], Array]) -> None:
    """Let numbers that are sealed, and their description, take the place of those that are there.

    `new` is None for an array without description. `load` loads the array that is there.
    """
    beside = description_path(numbers.target)
    with locked(beside.parent), ExitStack() as drafts:
        remove_leftovers(beside)
        if not numbers.overwrite:
            refuse(numbers.target)
            if is_leftover(beside):
                beside.unlink()
            refuse(beside)
        there = numbers.overwrite and numbers.target.exists()
        before = _bytes(beside) if there else None
        during = _during(new, true_descriptions(numbers.target, before, load) if there else [])
        first = drafts.enter_context(_drafted(beside, during, numbers.target, numbers.overwrite))
        last = first if during == new else drafts.enter_context(_drafted(beside, new, numbers.target))
        try:
            _put(first, beside, numbers.overwrite)
            numbers.publish()
            if last is not first:
                _put(last, beside)
        except BaseException:
            if first is not None and first.is_published():  # say just what is there
                text = new if numbers.is_published() else before
                with suppress(OSError), _drafted(beside, text, numbers.target) as only:
                    _put(only, beside)
            raise


def settle(path: Path, load: Callable[[BinaryIO], Array]) -> None:
    """Say just what is there, where a killed writer has left a description that says either."""
    beside = description_path(path)
    with locked(beside.parent):
        remove_leftovers(beside)
        text = _bytes(beside)
        if text is None or len(_versions(_parsed(text, beside), beside)) == 1:
            return
        for true in true_descriptions(path, text, load):
            new = None if true is None else json.dumps(true, indent=1).encode() + b"\n"
            with _drafted(beside, new, Path(os.path.realpath(path))) as only:
                _put(only, beside)


def is_leftover(beside: Path) -> bool:
    """Say whether a description, whose numbers are not there, is what a killed writer left."""
    try:
        found = _parsed(_bytes(beside) or b"", beside)
    except FileFormatError:
        return False
    return isinstance(found, dict) and found.get("vech") == VERSION and not found.keys().isdisjoint(OURS)


def _bytes(beside: Path) -> bytes | None:
    try:
        return ordinary(beside).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # such a description cannot be
            raise
        return None


def _parsed(text: bytes, beside: Path) -> Any:
    try:
        return parse_object(text.decode(), beside)
    except UnicodeDecodeError as error:
        raise FileFormatError("is not JSON in UTF-8", beside, byte=error.start) from error


def _versions(found: Any, path: Path) -> list[Any]:
    """List the descriptions of which one is true, None for no description: two where it says either."""
    if not isinstance(found, dict) or "either" not in found:
        return [found]
    versions = found["either"]
    if found != {"vech": VERSION, "either": versions} or not isinstance(versions, list) or len(versions) != 2:
        raise FileFormatError(f'says "either", which goes with "vech": {VERSION} and two descriptions', path)
    return versions


def _true_one(versions: list[Any], array: Array, path: Path) -> Any:
    """Choose the description whose digest is that of the numbers, or None where that is one of them."""
    errors = []
    for version in (version for version in versions if version is not None):
        try:
            described_half(array, version, path, verify=True)
            return version
        except FileFormatError as error:
            errors.append(error)
    if None in versions:
        return None
    raise errors[0]


def true_descriptions(path: Path, text: bytes | None, load: Callable[[BinaryIO], Array]) -> list[Any]:
    """List the description that is true now, with its digest; None for no description; nothing if none is."""
    if text is None:
        return [None]
    beside = description_path(path)
    try:
        versions = _versions(_parsed(text, beside), beside)
        if len(versions) == 1 and isinstance(versions[0], dict) and "digest" in versions[0]:
            return versions
        with path.open("rb") as file:
            array = load(file)
        if len(versions) > 1:
            return [_true_one(versions, array, beside)]
        described_half(array, versions[0], beside)
        return [versions[0] | {"digest": digest(array)}]
    except FileFormatError:
        return []


def _during(new: bytes | None, present: list[Any]) -> bytes | None:
    versions = [None if new is None else json.loads(new)]
    versions += [version for version in present if version not in versions]
    if len(versions) == 1:
        return new
    return json.dumps({"vech": VERSION, "either": versions}, indent=1).encode() + b"\n"


@contextmanager
def _drafted(
    beside: Path, text: bytes | None, numbers: Path, overwrite: bool = True
) -> Iterator[Draft | None]:
    """A description as whoever may read the numbers may read it: it has their labels."""
    if text is None:
        yield None
        return
    with draft(beside, overwrite) as made:
        made.file.write(text)
        made.seal(like=numbers)
        yield made


def _put(made: Draft | None, beside: Path, overwrite: bool = True) -> None:
    """Publish a description, or remove the one that is there."""
    if made is not None:
        made.publish()
    elif overwrite and os.path.exists(beside):
        beside.unlink(missing_ok=True)
        sync_folder(beside.parent)
