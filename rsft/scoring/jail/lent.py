"""What tests hand to the code beside plain values: functions, iterators, objects of classes of their own.

They stay with the examiner. The code may call, iterate and use them as their kind is used, and by nothing
that leads further: no name that begins with an underscore, no attribute of a function or a generator.
"""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

from rsft.scoring.jail.proxy import ACTIONS

TESTS = "tests"
"""Name of the module that tests run in."""

MOST = 1_000_000
"""Objects lent in one exam."""

_CALLED = (types.FunctionType, types.MethodType, functools.partial)
_OTHERS = frozenset(("builtins", "itertools", "collections"))


class CannotCross(Exception):
    """A value that the code cannot be given: the test's fault, or ours, and never the code's."""


class Lent:
    """The examiner's objects that the candidate's process holds by number."""

    def __init__(self, named: frozenset[str]) -> None:
        """Lends nothing yet.

        Args:
            named: modules whose functions and classes go over as a name, for the code to import its own.
        """
        self._named = named | _OTHERS
        self._kept: list[Any] = []
        self._numbers: dict[int, int] = {}

    def refer(self, value: Any) -> list[Any]:
        """What stands for a value on its way to the code.

        Raises:
            CannotCross: it is of no kind that is lent.
        """
        module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
        has_name = isinstance(value, type | types.BuiltinFunctionType | types.FunctionType)
        known = has_name and str(module).removeprefix("_") in self._named
        if known and getattr(sys.modules.get(str(module)), str(name), None) is value:
            return ["w", module, name]
        if not (_is_called(value) or _is_iterator(value) or _is_of_tests(value)):
            raise CannotCross(f"a test hands the code a {type(value).__name__}, which cannot be sent")
        if id(value) not in self._numbers:
            if len(self._kept) >= MOST:
                raise CannotCross(f"a test hands the code more than {MOST:,} objects")
            self._numbers[id(value)] = len(self._kept)
            self._kept.append(value)
        return ["g", self._numbers[id(value)]]

    def resolve(self, number: int) -> Any:
        """The object behind a number."""
        return self._kept[number]

    def act(self, action: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Does what the code asks of an object.

        Raises:
            Exception: whatever the object raises; TypeError or AttributeError for what its kind is not for.
        """
        target = arguments[1] if action == "isinstance" else arguments[0]
        if _is_called(target):
            meant = action == "call"
        elif _is_iterator(target):
            meant = action in ("iter", "next")
        elif action in ("getattr", "setattr"):
            meant = type(arguments[1]) is str and not arguments[1].startswith("_")
        else:
            meant = True
        if not meant or id(target) not in self._numbers:
            refused = AttributeError if action == "getattr" else TypeError
            raise refused(f"the code may not use a {type(target).__name__} of the test for {action}")
        return ACTIONS[action](*arguments, **keywords)


def _is_called(value: Any) -> bool:
    if isinstance(value, types.MethodType):
        return _is_of_tests(value.__self__)
    return isinstance(value, functools.partial) or (
        isinstance(value, types.FunctionType) and value.__module__ == TESTS
    )


def _is_iterator(value: Any) -> bool:
    return hasattr(type(value), "__next__") and type(value).__module__ in _OTHERS


def _is_of_tests(value: Any) -> bool:
    """A class that the tests define, or an object of one."""
    return TESTS in (type(value).__module__, value.__module__ if isinstance(value, type) else "")


def renewed(old: Any, new: Any) -> Any:
    """A container of the tests as the code left it: changed in place, and inner ones too."""
    if isinstance(old, list) and isinstance(new, list):
        old[:] = [*(renewed(*pair) for pair in zip(old, new, strict=False)), *new[len(old) :]]
    elif isinstance(old, dict) and isinstance(new, dict):
        items = {key: renewed(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(items)
    elif isinstance(old, set) and isinstance(new, set):
        old.clear()
        old.update(new)
    else:
        return new
    return old
