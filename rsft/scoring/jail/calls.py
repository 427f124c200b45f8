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
import types
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, NoReturn

from rsft.scoring.jail.candidate import NoProgram
from rsft.scoring.jail.lent import TESTS, CannotCross, Lent, renewed
from rsft.scoring.jail.proxy import OPERATORS, Proxy, exception_of, number_of
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


_HEARING = frozenset(("stdout", "redirect_stdout"))
"""Names in tests that read what the code prints."""


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
        self._lent = Lent(TRUSTED_MODULES)
        self._asked = False
        self._untouched = False  # the code defines nothing that the tests use
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
            CannotCross: an argument is of no kind that the code can be given.
            Exception: of the builtin kind that the candidate raised.
        """
        self._asked = True
        sent = [packed(argument, self._refer) for argument in arguments]
        named = packed(keywords, self._refer)
        request = {"do": action, "arguments": ["l", sent], "keywords": named}
        found = self._value(self._request(request, [*arguments, *keywords.values()]))
        if action in OPERATORS and not isinstance(found, Proxy):
            # An object whose every difference is 0 would be near to any number.
            raise TypeError(f"{action} of an object gave a {type(found).__name__}")
        return found

    def _refer(self, value: Any) -> list[Any]:
        return ["o", number_of(value)] if isinstance(value, Proxy) else self._lent.refer(value)

    def _resolve(self, tag: str, number: Any) -> Any:
        return Proxy(self, int(number)) if tag == "o" else self._lent.resolve(number)

    def _hold(self, helpers: str, tests: list[str], entry_point: str | None) -> Outcome:
        compiled = [compile(test, "<test>", "exec", dont_inherit=True) for test in tests]
        try:
            self._reply()
        except _NoProgram as error:
            return Outcome("unreadable", f"{error!s:.200}")
        except Exception as error:
            return Outcome("failed", f"{type(error).__name__} when the code was run: {error!s:.200}")
        module = types.ModuleType(TESTS)
        sys.modules[TESTS] = module  # where dataclasses look for the module of a class
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
            self._untouched = not self._take(sorted(used & vars(builtins).keys()), space)
        if entry_point is not None and entry_point not in space:
            return Outcome("failed", f"the code does not define {entry_point}")
        if used & _HEARING:
            self._request({"do": "listen"})
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
            return unpacked(reply, self._resolve)
        except ValueError as error:
            raise _Failed(f"the code's process talks nonsense ({error!s:.100})") from None

    def _request(self, message: dict[str, Any], handed: Sequence[Any] = ()) -> Any:
        self._waiting = True
        try:
            send(self._channel, message)
        except OSError:
            raise _Failed("the code ended its process") from None
        return self._reply(handed)

    def _reply(self, handed: Sequence[Any] = ()) -> Any:
        """What the candidate's process says in the end; until then it may use what the tests lent it.

        Args:
            handed: the arguments of a call, which it may have changed.
        """
        self._waiting = True
        try:
            while "do" in (reply := receive(self._channel, self._end)):
                self._lend(reply)
            if "printed" in reply:
                sys.stdout.write(str(reply["printed"]))
            if "raised" not in reply:
                for place, now in reply.get("changed", ()):
                    renewed(handed[place], self._value(now))
                return reply["value"]
            kind, says = str(reply["raised"]), str(reply["says"])
        except TimeoutError:
            self._out_of_time()
        except (EOFError, OSError):
            raise _Failed("the code ended its process") from None
        except (ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
            raise _Failed(f"the code's process talks nonsense ({type(error).__name__})") from None
        finally:
            self._waiting, self._idle_since = False, time.monotonic()
        raised = _exception(kind, says)
        self._raised.append(raised)
        raise raised

    def _lend(self, request: dict[str, Any]) -> None:
        """Does what the code asks of an object of the tests, in the tests' own time."""
        try:
            arguments = unpacked(request["arguments"], self._resolve)
            keywords = unpacked(request["keywords"], self._resolve)
            self._waiting, self._idle_since = False, time.monotonic()
            value = packed(self._lent.act(str(request["do"]), arguments, keywords), self._refer)
            answer = {"value": value}
        except Exception as error:
            answer = {"raised": type(error).__name__, "says": f"{error!s:.300}"}
        self._waiting = True
        send(self._channel, answer)

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
        if isinstance(error, TypeError | ValueError | AssertionError) and self._untouched:
            # They used a builtin for the function of its name that was asked for.
            return Outcome("failed", "the code defines none of the names that the tests use")
        # What a candidate returns can make a test raise anything but these.
        broken = isinstance(error, NameError | ImportError | SyntaxError | SystemExit | CannotCross)
        if broken or not self._asked or not isinstance(error, Exception):
            return Outcome("fault", f"the test is broken: {what}")
        if isinstance(error, AssertionError):
            return Outcome("failed", f"a test does not hold: {_line(error) or what}")
        return Outcome("failed", f"the test cannot use what the code returned: {what}")


def _exception(kind: str, says: str) -> BaseException:
    """As the candidate raised it, where it is a builtin exception; else one of our own."""
    if kind == NoProgram.__name__:
        return _NoProgram(says)
    found = getattr(builtins, kind, None)
    if isinstance(found, type) and issubclass(found, BaseException) and not issubclass(found, Exception):
        return _Failed(f"the code raised {kind}: {says:.200}")
    return exception_of(kind, says)


def _names_of(code: types.CodeType) -> set[str]:
    """Names that a compiled source takes from outside, attributes among them."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names_of, inner))


def _is_of_test(error: NameError) -> bool:
    return type(error) is NameError and error.name is not None


def _line(error: AssertionError) -> str:
    """Number of the test's line that did not hold."""
    import traceback  # for failures alone: every exam would wait for it

    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "<test>"]
    return f"line {frames[-1].lineno}{f', {error}' if str(error) else ''}"[:200] if frames else ""
