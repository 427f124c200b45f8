"""An object that stays in the process it was born in, and its stand-in on the other side.

Both sides have such: the examiner of what the code returns, the code of what the tests lend it
(`rsft.scoring.jail.lent`).
"""

from __future__ import annotations

import builtins
import contextlib
import operator
from collections.abc import Callable, Iterator
from typing import Any, Protocol


class Owner(Protocol):
    """The way to the other side."""

    def ask(self, action: str, *arguments: Any, **keywords: Any) -> Any:
        """Has the other side do one of `ACTIONS`; gives a plain value or a proxy."""


class Proxy:
    """An object of the other side. Never equal to a plain value, whatever its `__eq__`."""

    __slots__ = ("_number", "_owner")

    def __init__(self, owner: Owner, number: int) -> None:
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._owner.ask("call", self, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return self._owner.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._owner.ask("setattr", self, name, value)

    def __iter__(self) -> Iterator[Any]:
        found = self._owner.ask("iter", self)
        while True:
            try:
                item = self._owner.ask("next", found)
            except StopIteration:
                return
            yield item

    def __next__(self) -> Any:
        return self._owner.ask("next", self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proxy) and self._owner.ask("eq", self, other) is True

    def __lt__(self, other: Any) -> bool:
        return self._owner.ask("lt", self, other) is True

    def __le__(self, other: Any) -> bool:
        return self._owner.ask("le", self, other) is True

    def __gt__(self, other: Any) -> bool:
        return self._owner.ask("gt", self, other) is True

    def __ge__(self, other: Any) -> bool:
        return self._owner.ask("ge", self, other) is True

    def __hash__(self) -> int:
        return int(self._owner.ask("hash", self))

    def __len__(self) -> int:
        return int(self._owner.ask("len", self))

    def __bool__(self) -> bool:
        return self._owner.ask("bool", self) is True

    def __str__(self) -> str:
        return str(self._owner.ask("str", self))

    def __repr__(self) -> str:
        return str(self._owner.ask("repr", self))

    def __getitem__(self, key: Any) -> Any:
        return self._owner.ask("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._owner.ask("setitem", self, key, value)

    def __contains__(self, item: Any) -> bool:
        return self._owner.ask("contains", self, item) is True

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, Proxy) and self._owner.ask("isinstance", instance, self) is True


OPERATORS = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor")
"""Of two operands; what they give is an object again, see `rsft.scoring.jail.calls.Calls.ask`."""


def _operator(name: str, *, turned: bool) -> Callable[[Proxy, Any], Any]:
    def ask(self: Proxy, other: Any) -> Any:
        return self._owner.ask(name, *((other, self) if turned else (self, other)))

    return ask


for _name in OPERATORS:
    setattr(Proxy, f"__{_name.strip('_')}__", _operator(_name, turned=False))
    setattr(Proxy, f"__r{_name.strip('_')}__", _operator(_name, turned=True))


def number_of(proxy: Proxy) -> int:
    """By which the other side knows the object."""
    number: int = object.__getattribute__(proxy, "_number")
    return number


def _call(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    return function(*arguments, **keywords)


ACTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in OPERATORS},
    "call": _call,
    "getattr": getattr,
    "setattr": setattr,
    "iter": iter,
    "next": next,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "hash": hash,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "contains": operator.contains,
    "isinstance": isinstance,
    "eq": lambda one, two: bool(one == two),
    "lt": lambda one, two: bool(one < two),
    "le": lambda one, two: bool(one <= two),
    "gt": lambda one, two: bool(one > two),
    "ge": lambda one, two: bool(one >= two),
}
"""What one side may ask of the other: each takes the arguments of the request."""


def exception_of(kind: str, says: str) -> Exception:
    """As the other side raised it, where it is a builtin exception; else one of our own."""
    found = getattr(builtins, kind, None)
    if isinstance(found, type) and issubclass(found, Exception):
        with contextlib.suppress(TypeError):  # some take more than a message
            return found(says)
    return RuntimeError(f"{kind}: {says}")
