"""How the examiner and the candidate's process talk: framed JSON that can only hold plain values.

Pickle and marshal would let the candidate run code in the examiner, or crash it. Here whatever is
no plain value crosses as a number that stands for it, and stays in the process it was born in.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections import deque, namedtuple
from collections.abc import Callable
from functools import lru_cache
from typing import Any

LONGEST_MESSAGE = 64 << 20
"""Bytes of one message; a longer one is refused unread."""

_SIZE = struct.Struct("!Q")
_MOST_FIELDS = 256
_MOST_JSON_DIGITS = 1 << 63
"""Longer integers cross as hexadecimal: Python refuses decimal ones above 4,300 digits."""


def send(channel: socket.socket, message: Any) -> None:
    """Writes one message; blocks while the other side is slow."""
    content = json.dumps(message).encode()
    channel.sendall(_SIZE.pack(len(content)) + content)


def receive(channel: socket.socket, end: float | None = None) -> Any:
    """Reads one message.

    Args:
        channel: a stream socket.
        end: on the monotonic clock; None waits for ever.

    Raises:
        TimeoutError: nothing whole came in time.
        EOFError: the other side is gone.
        ValueError: what came is no message.
    """
    size: int = _SIZE.unpack(_exactly(channel, _SIZE.size, end))[0]
    if size > LONGEST_MESSAGE:
        raise ValueError(f"a message of {size} bytes, above {LONGEST_MESSAGE}")
    try:
        return json.loads(_exactly(channel, size, end))
    except RecursionError:
        raise ValueError("a message nested too deep") from None


def _exactly(channel: socket.socket, size: int, end: float | None) -> bytes:
    content = bytearray()
    while len(content) < size:
        if end is not None:
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            channel.settimeout(left_s)
        piece = channel.recv(min(size - len(content), 1 << 20))
        if not piece:
            raise EOFError
        content += piece
    channel.settimeout(None)
    return bytes(content)


def packed(value: Any, refer: Callable[[Any], list[Any]]) -> Any:
    """A value as JSON: plain values by content, subclasses of them as what they derive from.

    So an `__eq__` that the candidate wrote does not travel. Arrays travel as lists.

    Args:
        value: anything.
        refer: keeps what is not plain, and gives what stands for it: a tag of `REFERENCES`, then more.

    Raises:
        RecursionError: nested too deep, or in a circle.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < _MOST_JSON_DIGITS else ["i", hex(value)]
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return "".join(value) if type(value) is not str else value
    if isinstance(value, complex):
        return ["c", value.real, value.imag]
    if isinstance(value, bytes | bytearray):
        return ["b", bytes(value).hex()]
    for tag, (module, name) in _EXACT.items():
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(value, kind):
            return [tag, str(value)]
    if isinstance(value, dict):
        return ["d", [[packed(k, refer), packed(v, refer)] for k, v in dict.items(value)]]
    if isinstance(value, tuple) and (fields := getattr(type(value), "_fields", None)):
        return ["n", type(value).__name__, list(fields), [packed(item, refer) for item in value]]
    for tag, kind in _COLLECTIONS.items():
        if isinstance(value, kind):
            return [tag, [packed(item, refer) for item in kind.__iter__(value)]]
    if type(value) is range:
        return ["r", value.start, value.stop, value.step]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return packed(value.tolist(), refer)
    if type(value).__module__ == "datetime" and (date := _packed_date(value)):
        return date
    if isinstance(value, type) and _TYPES.get(value.__name__) is value:
        return ["y", value.__name__]
    return refer(value)


def _packed_date(value: Any) -> list[Any] | None:
    kind = type(value).__name__
    if kind == "timedelta":
        return ["k", kind, value.days, value.seconds, value.microseconds]
    return ["k", kind, value.isoformat()] if kind in ("date", "datetime", "time") else None


def unpacked(content: Any, resolve: Callable[..., Any]) -> Any:
    """The value behind what `packed` gave; made of plain types only.

    Args:
        content: what came.
        resolve: gives the object behind what `refer` gave, called with it.

    Raises:
        ValueError: this is nothing that `packed` gives.
    """
    if not isinstance(content, list):
        if isinstance(content, dict):
            raise ValueError("a bare object")
        return content
    try:
        return _unpacked(content, resolve)
    except (TypeError, IndexError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"no packed value: {type(error).__name__}") from None


def _unpacked(content: list[Any], resolve: Callable[..., Any]) -> Any:
    tag, *rest = content
    if tag in REFERENCES:
        return resolve(tag, *rest)
    if tag in _COLLECTIONS:
        return _COLLECTIONS[tag](unpacked(item, resolve) for item in rest[0])
    if tag == "d":
        return {unpacked(key, resolve): unpacked(item, resolve) for key, item in rest[0]}
    if tag == "n":
        return _named(str(rest[0]), tuple(map(str, rest[1])))(*(unpacked(item, resolve) for item in rest[2]))
    if tag == "r":
        return range(*map(int, rest))
    if tag == "y":
        return _TYPES[rest[0]]
    if tag == "k":
        return _date(*rest)
    if tag in _SCALARS:
        return _SCALARS[tag](*rest)
    raise ValueError(f"unknown tag {tag!r:.20}")


@lru_cache(maxsize=64)
def _named(name: str, fields: tuple[str, ...]) -> Any:
    if len(fields) > _MOST_FIELDS:  # making such a class takes the examiner's time
        raise ValueError(f"a tuple of {len(fields)} named fields")
    return namedtuple(name, fields)  # which refuses what is no identifier


def _fraction(text: str) -> Any:
    from fractions import Fraction  # as for `_EXACT`

    return Fraction(text)


def _decimal(text: str) -> Any:
    from decimal import Decimal  # as for `_EXACT`

    return Decimal(text)


def _date(kind: str, *facts: Any) -> Any:
    import datetime  # as for `_EXACT`

    if kind == "timedelta":
        return datetime.timedelta(*facts)
    kinds: dict[str, Any] = {"date": datetime.date, "datetime": datetime.datetime, "time": datetime.time}
    return kinds[kind].fromisoformat(*facts)


REFERENCES = ("o", "g", "w")
"""Tags of what is no plain value: an object of the code's process by number, one of the examiner's by
number, one that both have by module and name."""

_COLLECTIONS: dict[str, Any] = {"l": list, "t": tuple, "s": set, "f": frozenset, "e": deque}
_PLAIN: tuple[type, ...] = (bool, int, float, complex, str, bytes, type(None), range)
_TYPES = {kind.__name__: kind for kind in (*_PLAIN, dict, list, tuple, set, frozenset)}
_SCALARS: dict[str, Callable[..., Any]] = {
    "i": lambda text: int(text, 16),
    "c": complex,
    "b": bytes.fromhex,
    "q": _fraction,
    "m": _decimal,
}
_EXACT = {"q": ("fractions", "Fraction"), "m": ("decimal", "Decimal")}
"""Imported where there are such: every exam would wait for it."""
