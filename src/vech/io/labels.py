"""Labels as JSON: text, numbers, true, false and null as they are, else an object that names the type."""

import math
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

KEPT = "text, numbers, bool, None, dates, times, pandas' Timestamp, and tuples of these"
DIGITS = 4300  # of the integers that Python reads from text, unless it is told otherwise
UNREAD = 10**DIGITS
DEEPEST = 8
"""Tuples inside tuples; a MultiIndex has one."""

ISO = re.compile(r"NaT|-?\d{3,18}(-\d\d){0,2}(T\d\d(:\d\d){0,2}(\.\d{1,18})?)?", re.ASCII)
"""Times that are asked of NumPy, which takes "now" and "today" too."""

UNIT = re.compile(r"([1-9]\d{0,8})?(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)|generic", re.ASCII)
OFFSET = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Tag(NamedTuple):
    """How labels of a type become the fields of a JSON object, and these a label."""

    fields: tuple[str, ...]
    is_one: Callable[[Any], bool]
    encode: Callable[[Any], tuple[Any, ...]]
    decode: Callable[..., Any]


def encode_labels(labels: Iterable[Any]) -> list[Any]:
    """Turn labels into what JSON has, from which `decode_labels` makes equal ones.

    Raises
    ------
    TypeError
        For a label that would come back as another one.
    ValueError
        For an integer that Python does not read from text.
    """
    return [_encoded(label, DEEPEST) for label in labels]


def decode_labels(found: Any) -> list[Any]:
    """Turn what `encode_labels` made into labels; ValueError for else, ImportError where pandas lacks."""
    if not isinstance(found, list):
        raise ValueError("has labels that are no list")  # noqa: TRY004, in a file
    return [_decoded(item, DEEPEST) for item in found]


def _encoded(label: Any, depth: int) -> Any:
    if isinstance(label, np.generic) and label.dtype.kind not in "mM":
        label = label.item()
    if label is None or isinstance(label, str | bool):
        return label
    if isinstance(label, int):
        if abs(label) >= UNREAD:
            raise ValueError(
                f"a label is an integer of more than {DIGITS} digits, and files keep {KEPT}: use hex(label)"
            )
        return label
    if isinstance(label, float) and math.isfinite(label):
        return label
    if isinstance(label, tuple) and depth:
        return {"tuple": [_encoded(part, depth - 1) for part in label]}
    for tag in TAGS.values():
        if tag.is_one(label):
            with suppress(ValueError):  # another label than this comes of it
                found = dict(zip(tag.fields, tag.encode(label), strict=True))
                if repr(_decoded(found, depth)) == repr(label):
                    return found
    raise TypeError(f"a label is {type(label).__name__} {label!r:.60}, and files keep {KEPT}: use str(label)")


def _decoded(found: Any, depth: int) -> Any:
    if not isinstance(found, list | dict):
        return found
    fields: dict[str, Any] = found if isinstance(found, dict) else {}
    if tuple(fields) == ("tuple",) and isinstance(fields["tuple"], list) and depth:
        return tuple(_decoded(part, depth - 1) for part in fields["tuple"])
    tag = TAGS.get(next(iter(fields), ""))
    if tag is not None and tuple(fields) == tag.fields:
        with suppress(ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError):
            return tag.decode(*fields.values())
    raise ValueError(f"has a label {found!r:.80} that is none of {KEPT}")


def _time(text: str, unit: Any) -> Any:
    """Read a datetime64; text that NumPy would round or understand otherwise is a ValueError."""
    if not ISO.fullmatch(text) or not UNIT.fullmatch(unit):
        raise ValueError
    time = np.datetime64(text) if unit == "generic" else np.datetime64(text, unit)
    if str(time) != text:
        raise ValueError
    return time


def _duration(count: int | None, unit: str) -> Any:
    if not UNIT.fullmatch(unit) or type(count) not in (int, type(None)):
        raise ValueError
    return np.timedelta64("NaT" if count is None else count, *(() if unit == "generic" else (unit,)))


def _unit(label: Any) -> str:
    unit, count = np.datetime_data(label.dtype)
    return unit if count == 1 else f"{count}{unit}"


def _in_utc(label: Any, zone: tzinfo) -> Any:
    return label.astimezone(UTC).replace(tzinfo=None) if zone else label


def _zone_name(zone: tzinfo | None) -> str | None:
    """Name a time zone so that `_zone` finds it: in the database (`zone` in pytz), or by its offset."""
    if isinstance(zone, timezone):
        return str(zone).removeprefix("UTC") or "+00:00"
    return None if zone is None else getattr(zone, "key", None) or getattr(zone, "zone", "")


def _zone(name: str) -> tzinfo:
    if (offset := OFFSET.fullmatch(name)) is None:
        return ZoneInfo(name)
    hours, minutes, seconds = (int(part or 0) for part in offset.groups()[1:])
    gap = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-gap if offset[1] == "-" else gap)


def _datetime(text: str, zone: str | None) -> datetime:
    time = datetime.fromisoformat(text)
    return time if zone is None else time.replace(tzinfo=UTC).astimezone(_zone(zone))


def _is_timestamp(label: Any) -> bool:
    pandas = sys.modules.get("pandas")  # which is there if a label is of it
    return pandas is not None and type(label) in (pandas.Timestamp, type(pandas.NaT))


def _timestamp(text: str, unit: str, zone: str | None) -> Any:
    try:
        from pandas import Timestamp
    except ImportError:
        raise ImportError("has labels of pandas, which is missing: pip install pandas") from None
    if unit not in ("s", "ms", "us", "ns"):
        raise ValueError
    time = Timestamp(_time(text, unit))
    return time if zone is None else time.tz_localize(UTC).tz_convert(_zone(zone))


TAGS = {
    tag.fields[0]: tag
    for tag in (
        Tag(("float",), lambda x: isinstance(x, float), lambda x: (str(x),), lambda text: NOT_FINITE[text]),
        Tag(
            ("timestamp", "unit", "zone"),
            _is_timestamp,
            lambda x: (str(x.to_datetime64()), getattr(x, "unit", "ns"), _zone_name(x.tzinfo)),
            _timestamp,
        ),
        Tag(
            ("datetime", "zone"),
            lambda x: type(x) is datetime,
            lambda x: (_in_utc(x, x.tzinfo).isoformat(), _zone_name(x.tzinfo)),
            _datetime,
        ),
        Tag(("date",), lambda x: type(x) is date, lambda x: (x.isoformat(),), date.fromisoformat),
        Tag(
            ("datetime64", "unit"),
            lambda x: isinstance(x, np.datetime64),
            lambda x: (str(x), _unit(x)),
            _time,
        ),
        Tag(
            ("timedelta64", "unit"),
            lambda x: isinstance(x, np.timedelta64),
            lambda x: (None if np.isnat(x) else int(x.astype("i8")), _unit(x)),
            _duration,
        ),
    )
}
