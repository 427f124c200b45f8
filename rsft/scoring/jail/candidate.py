"""The candidate's side of an exam: its code runs here, in processes that know neither tests nor secret.

Everything in this module may be subverted by the code it runs. Nothing it says is believed beyond
the values it returns and the text it prints.
"""

from __future__ import annotations

import _sitebuiltins
import atexit
import builtins
import contextlib
import io
import os
import socket
import sys
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from rsft.scoring.jail.proxy import ACTIONS, Proxy, exception_of, number_of
from rsft.scoring.jail.wire import packed, receive, send, unpacked

Part = Sequence[str]
"""Sources of one program that run in one namespace, in order; all but the last may fail."""


def spawn_for_ever(control: socket.socket, parts: Sequence[Part], enter: Callable[[], None]) -> NoReturn:
    """Starts a process of the candidate for each request, and says how it ended.

    A request is one byte, `c` (serve calls; one file descriptor, the channel) or `p` (run as a
    program; two: its input and output). Started before the examiner reads its tests, so that no
    memory of the candidate's processes ever held them.

    Args:
        control: to the examiner.
        parts: alternatives; the first that compiles is the candidate.
        enter: takes a new process's rights away.
    """
    sys.argv[:] = ["answer.py"]
    # A virtual environment's own is not in here; and these two come with `site`, which costs time.
    sys.executable = getattr(sys, "_base_executable", sys.executable)
    vars(builtins).update((name, _sitebuiltins.Quitter(name, "Ctrl-D")) for name in ("exit", "quit"))
    if parts:
        _before(parts[0][:-1], {})  # what it imports is there for all processes, and paid for once
    while True:
        kind, files, _, _ = socket.recv_fds(control, 1, 2)
        if not kind:
            os._exit(0)
        child = os.fork()
        if child == 0:
            control.close()
            try:
                enter()
                if kind == b"c":
                    _serve(socket.socket(fileno=files[0]), parts)
                else:
                    _run_program(files[0], files[1], parts)
            finally:
                os._exit(70)
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        send(control, os.waitstatus_to_exitcode(status))


class NoProgram(Exception):
    """No alternative of the candidate compiles."""


NO_PROGRAM_CODE = 79
"""Exit code of a program that is none; whoever leaves with it says the same of itself."""


def _compiled(parts: Sequence[Part]) -> tuple[Part, types.CodeType]:
    """The first alternative that compiles: what runs before it, and itself.

    Raises:
        NoProgram: none does.
    """
    why = "no code"
    for *before, source in parts:
        try:
            return before, compile(source.removeprefix("\ufeff"), "<answer>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            why = f"{type(error).__name__}: {error}"  # a NUL, a lone surrogate, or nesting too deep
    raise NoProgram(why)


def _run(parts: Sequence[Part], name: str) -> dict[str, Any]:
    """Runs the candidate in a module of this name; returns its names.

    Raises:
        NoProgram: no alternative compiles.
        BaseException: whatever the candidate raises.
    """
    before, compiled = _compiled(parts)
    module = types.ModuleType(name)
    sys.modules[name] = module  # dataclasses and pickle look the module of a class up
    _before(before, module.__dict__)
    exec(compiled, module.__dict__)
    return module.__dict__


def _before(sources: Part, space: dict[str, Any]) -> None:
    """Runs what the reference puts before the candidate; what of it fails is left out."""
    for source in sources:
        with contextlib.suppress(Exception):
            exec(compile(source, "<prompt>", "exec", dont_inherit=True), space)


def _run_program(stdin: int, stdout: int, parts: Sequence[Part]) -> NoReturn:
    """Runs the candidate as `python answer.py` does, and ends as that would."""
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.closerange(3, 4096)
    sys.stdin = os.fdopen(0, encoding="utf-8", errors="surrogateescape")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape")
    vars(sys).update(__stdin__=sys.stdin, __stdout__=sys.stdout)
    code = 0
    try:
        _run(parts, "__main__")
    except NoProgram:
        code = NO_PROGRAM_CODE
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        code = 1
    try:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
        if not sys.stdout.closed:
            sys.stdout.flush()
    except BaseException:
        code = code or 1
    os._exit(code & 0xFF)


class _Calls:
    """Objects of the candidate that the examiner holds by number, and what it may do with them."""

    def __init__(self, channel: socket.socket, space: dict[str, Any]) -> None:
        self._channel, self._space = channel, space
        self._kept: list[Any] = []
        self._lent: dict[int, Proxy] = {}
        self._printed: io.TextIOWrapper | None = None
        # Asking and being asked nest; threads of the candidate ask one after the other.
        self._lock = threading.RLock()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request of the examiner."""
        try:
            reply = self._answer(request)
        except BaseException as error:
            reply = _raised(error)
        if self._printed is not None:
            self._printed.seek(0)
            reply["printed"] = self._printed.read()
            self._printed.seek(0)
            self._printed.truncate()
        return reply

    def ask(self, action: str, *arguments: Any, **keywords: Any) -> Any:
        """Has the examiner do something with an object of the tests; gives a plain value or a proxy.

        Raises:
            Exception: of the builtin kind that was raised there.
        """
        sent = [self._packed(argument) for argument in arguments]
        with self._lock:
            send(self._channel, {"do": action, "arguments": ["l", sent], "keywords": self._packed(keywords)})
            while "do" in (reply := receive(self._channel)):
                send(self._channel, self.answer(reply))
        if "raised" in reply:
            raise exception_of(reply["raised"], reply["says"])
        return unpacked(reply["value"], self._resolve)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "defines":
            return {"value": [name in self._space for name in request["names"]]}
        if request["do"] == "listen":
            sys.stdout = self._printed = io.TextIOWrapper(io.BytesIO(), "utf-8", "replace")
            return {"value": None}
        if request["do"] == "name":
            value = self._space[request["name"]]
            return {"value": self._refer(value) if callable(value) else self._packed(value)}
        arguments = unpacked(request["arguments"], self._resolve)
        keywords = unpacked(request["keywords"], self._resolve)
        value = self._packed(ACTIONS[request["do"]](*arguments, **keywords))
        came = [*request["arguments"][1], *(item for _, item in request["keywords"][1])]
        changed = self._changed(came, [*arguments, *keywords.values()])
        return {"value": value} | ({"changed": changed} if changed else {})

    def _changed(self, came: list[Any], now: list[Any]) -> list[Any]:
        """Containers among the arguments that the code has changed: their places and what they are now."""
        return [
            [place, after]
            for place, (before, value) in enumerate(zip(came, now, strict=True))
            if type(value) in (list, dict, set) and (after := self._packed(value)) != before
        ]

    def _packed(self, value: Any) -> Any:
        try:
            return packed(value, self._refer)
        except RecursionError:
            return self._refer(value)

    def _refer(self, value: Any) -> list[Any]:
        if type(value) is Proxy:
            return ["g", number_of(value)]
        self._kept.append(value)
        return ["o", len(self._kept) - 1]

    def _resolve(self, tag: str, *rest: Any) -> Any:
        if tag == "o":
            return self._kept[rest[0]]
        if tag == "w":
            import pkgutil  # few tests hand a function over

            return pkgutil.resolve_name(":".join(rest))  # of the standard library, see `Lent`
        # The same stand-in each time, so that `is` holds.
        return self._lent.setdefault(rest[0], Proxy(self, rest[0]))


def _serve(channel: socket.socket, parts: Sequence[Part]) -> NoReturn:
    """Runs the candidate as a module, then does what the examiner asks for, until it is gone."""
    keep = channel.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    try:
        calls = _Calls(channel, _run(parts, "answer"))
    except BaseException as error:
        send(channel, _raised(error))
        os._exit(1)
    send(channel, {"value": None})
    while True:
        send(channel, calls.answer(receive(channel)))


def _raised(error: BaseException) -> dict[str, Any]:
    return {"raised": type(error).__name__, "says": _text(error)}


def _text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:
        return ""
