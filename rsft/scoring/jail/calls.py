"""An exam whose tests call the candidate's functions: the tests here, the functions by proxy.

The candidate computes in another process and hands over plain values (`rsft.scoring.jail.wire`), so
neither builtins it overwrites nor an `__eq__` that always agrees reach what is compared here.
"""

from __future__ import annotations

import builtins
import contextlib
import signal
import socket
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, NoReturn

from rsft.scoring.jail.candidate import NoProgram
from rsft.scoring.jail.wire import packed, receive, send, unpacked

Status = Literal["passed", "failed", "unreadable", "fault"]
"""`unreadable`: the candidate is no program; `fault`: the tests are broken, whatever the candidate."""

TRUSTED_MODULES = frozenset(
    (
        "bisect",
        "cmath",
        "collections",
        "copy",
        "datetime",
        "decimal",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "math",
        "operator",
        "random",
        "re",
        "string",
        "typing",
    )
)
"""What tests use without importing it; never the candidate's object of that name."""


class Outcome(NamedTuple):
    """What an exam came to."""

    status: Status
    why: str = ""


class _Failed(BaseException):
    """The candidate failed, whatever the test that called it makes of exceptions."""


class _NoProgram(Exception):
    """Nothing the candidate wrote compiles."""


class _TimesUp(BaseException):
    """The exam's time is over."""


class Calls:
    """One exam of one candidate."""

    def __init__(self, channel: socket.socket, limit_s: float) -> None:
        """Starts the clock.

        Args:
            channel: to a process of the candidate that serves calls.
            limit_s: wall time of the whole exam.
        """
        self._channel, self._limit_s = channel, limit_s
        self._end = time.monotonic() + limit_s
        self._raised: list[BaseException] = []
        self._asked = False
        self._waiting = False
        self._over = False
        self._idle_since = time.monotonic()

    def hold(self, helpers: str, tests: list[str], entry_point: str | None) -> Outcome:
        """Runs the tests.

        Args:
            helpers: trusted source that the tests may use; what of it fails is left out.
            tests: sources, run one after the other in one namespace.
            entry_point: the one name that the tests take from the candidate; None: every name that
                nobody else defines.
        """
        signal.signal(signal.SIGALRM, self._alarm)
        # Again and again, for tests that swallow whatever is raised.
        signal.setitimer(signal.ITIMER_REAL, max(0.001, self._end - time.monotonic()), 0.1)
        try:
            outcome = self._hold(helpers, tests, entry_point)
        except BaseException as error:
            self._over = True
            outcome = self._blamed(error, entry_point)
        self._over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        return outcome

    def ask(self, action: str, *arguments: Any, **keywords: Any) -> Any:
        """Has the candidate's process do something; gives a plain value or a proxy.

        Raises:
            Exception: of the builtin kind that the candidate raised.
        """
        self._asked = True
        sent = [packed(argument, _number_of) for argument in arguments]
        named = packed(keywords, _number_of)
        reply = self._request({"do": action, "arguments": ["l", sent], "keywords": named})
        return self._value(reply)

    def _hold(self, helpers: str, tests: list[str], entry_point: str | None) -> Outcome:
        compiled = [compile(test, "<test>", "exec", dont_inherit=True) for test in tests]
        try:
            self._reply()
        except _NoProgram as error:
            return Outcome("unreadable", f"{error!s:.200}")
        except Exception as error:
            return Outcome("failed", f"{type(error).__name__} when the code was run: {error!s:.200}")
        module = types.ModuleType("tests")
        sys.modules["tests"] = module  # where dataclasses look for the module of a class
        space = module.__dict__
        with contextlib.suppress(Exception):
            exec(compile(helpers, "<prompt>", "exec", dont_inherit=True), space)
        if entry_point is not None:
            # Never the helper of that name: a prompt's function does nothing.
            space.pop(entry_point, None)
        used = set().union(*map(_names_of, compiled)) - space.keys()
        names = used - vars(builtins).keys()
        for name in names & TRUSTED_MODULES - {entry_point}:
            exec(f"import {name}", space)
        theirs = sorted(names - TRUSTED_MODULES) if entry_point is None else [entry_point]
        if not self._take(theirs, space) and entry_point is None:
            # Asked for a function with a builtin's name. Had the tests any other of the code's names,
            # this would let it replace what they compare with.
            self._take(sorted(used & vars(builtins).keys()), space)
        if entry_point is not None and entry_point not in space:
            return Outcome("failed", f"the code does not define {entry_point}")
        for test in compiled:
            exec(test, space)
        return Outcome("passed")

    def _take(self, names: list[str], space: dict[str, Any]) -> bool:
        """Adds those of the names that the code defines; whether there was one."""
        defined = self._request({"do": "defines", "names": names})
        if not isinstance(defined, list) or len(defined) != len(names):
            raise _Failed("the code's process talks nonsense")
        for name, there in zip(names, defined, strict=True):
            if there is True:
                space[name] = self._value(self._request({"do": "name", "name": name}))
                # A plain value is used without asking.
                self._asked |= not isinstance(space[name], Proxy)
        return any(there is True for there in defined)

    def _value(self, reply: Any) -> Any:
        try:
            return unpacked(reply, lambda number: Proxy(self, number))
        except ValueError as error:
            raise _Failed(f"the code's process talks nonsense ({error!s:.100})") from None

    def _request(self, message: dict[str, Any]) -> Any:
        self._waiting = True
        try:
            send(self._channel, message)
        except OSError:
            raise _Failed("the code ended its process") from None
        return self._reply()

    def _reply(self) -> Any:
        self._waiting = True
        try:
            reply = receive(self._channel, self._end)
            if "raised" not in reply:
                return reply["value"]
            kind, says = str(reply["raised"]), str(reply["says"])
        except TimeoutError:
            self._out_of_time()
        except (EOFError, OSError):
            raise _Failed("the code ended its process") from None
        except (ValueError, KeyError, TypeError, MemoryError) as error:
            raise _Failed(f"the code's process talks nonsense ({type(error).__name__})") from None
        finally:
            self._waiting, self._idle_since = False, time.monotonic()
        raised = _exception(kind, says)
        self._raised.append(raised)
        raise raised

    def _out_of_time(self) -> NoReturn:
        raise _Failed(f"no end after {self._limit_s:g} s")

    def _alarm(self, *_: object) -> None:
        # The candidate may send this signal too, where it has the same user number.
        if not self._over and time.monotonic() >= self._end - 0.01:
            if self._waiting:
                self._out_of_time()
            raise _TimesUp

    def _blamed(self, error: BaseException, entry_point: str | None) -> Outcome:
        """Whose fault it is that the tests did not come to their end."""
        what = f"{type(error).__name__}: {error!s:.200}"
        if isinstance(error, _Failed):
            return Outcome("failed", str(error))
        if any(error is raised for raised in self._raised):
            return Outcome("failed", f"the code raised {what}")
        if isinstance(error, _TimesUp):
            alone_s = time.monotonic() - self._idle_since
            if self._asked and alone_s < self._limit_s / 2:
                return Outcome("failed", f"no end after {self._limit_s:g} s")
            return Outcome("fault", f"the test itself ran longer than {self._limit_s:g} s")
        if isinstance(error, NameError) and entry_point is None and _is_of_test(error):
            return Outcome("failed", f"the code does not define {error.name}")
        # What a candidate returns can make a test raise anything but these.
        broken = isinstance(error, NameError | ImportError | SyntaxError | SystemExit)
        if broken or not self._asked or not isinstance(error, Exception):
            return Outcome("fault", f"the test is broken: {what}")
        if isinstance(error, AssertionError):
            return Outcome("failed", f"a test does not hold: {_line(error) or what}")
        return Outcome("failed", f"the test cannot use what the code returned: {what}")


class Proxy:
    """An object in the candidate's process. Never equal to a plain value, whatever its `__eq__`."""

    __slots__ = ("_exam", "_number")

    def __init__(self, exam: Calls, number: int) -> None:
        object.__setattr__(self, "_exam", exam)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._exam.ask("call", self, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return self._exam.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._exam.ask("setattr", self, name, value)

    def __iter__(self) -> Iterator[Any]:
        found = self._exam.ask("iter", self)
        while True:
            try:
                item = self._exam.ask("next", found)
            except StopIteration:
                return
            yield item

    def __next__(self) -> Any:
        return self._exam.ask("next", self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proxy) and self._exam.ask("eq", self, other) is True

    def __lt__(self, other: Any) -> bool:
        return self._exam.ask("lt", self, other) is True

    def __le__(self, other: Any) -> bool:
        return self._exam.ask("le", self, other) is True

    def __gt__(self, other: Any) -> bool:
        return self._exam.ask("gt", self, other) is True

    def __ge__(self, other: Any) -> bool:
        return self._exam.ask("ge", self, other) is True

    def __hash__(self) -> int:
        return int(self._exam.ask("hash", self))

    def __len__(self) -> int:
        return int(self._exam.ask("len", self))

    def __bool__(self) -> bool:
        return self._exam.ask("bool", self) is True

    def __str__(self) -> str:
        return str(self._exam.ask("str", self))

    def __repr__(self) -> str:
        return str(self._exam.ask("repr", self))

    def __getitem__(self, key: Any) -> Any:
        return self._exam.ask("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._exam.ask("setitem", self, key, value)

    def __contains__(self, item: Any) -> bool:
        return self._exam.ask("contains", self, item) is True


def _number_of(value: Any) -> int:
    if isinstance(value, Proxy):
        number: int = object.__getattribute__(value, "_number")
        return number
    raise TypeError(f"a test can hand plain values to the code, not a {type(value).__name__}")


def _exception(kind: str, says: str) -> BaseException:
    """As the candidate raised it, where it is a builtin exception; else one of our own."""
    if kind == NoProgram.__name__:
        return _NoProgram(says)
    found = getattr(builtins, kind, None)
    if isinstance(found, type) and issubclass(found, BaseException) and not issubclass(found, Exception):
        return _Failed(f"the code raised {kind}: {says:.200}")
    if isinstance(found, type) and issubclass(found, Exception):
        with contextlib.suppress(TypeError):  # some take more than a message
            return found(says)
    return RuntimeError(f"{kind}: {says}")


def _names_of(code: types.CodeType) -> set[str]:
    """Names that a compiled source takes from outside, attributes among them."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names_of, inner))


def _is_of_test(error: NameError) -> bool:
    return type(error) is NameError and error.name is not None


def _line(error: AssertionError) -> str:
    """Number of the test's line that did not hold."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "<test>"]
    return f"line {frames[-1].lineno}{f', {error}' if str(error) else ''}"[:200] if frames else ""
