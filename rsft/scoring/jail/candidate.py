"""The candidate's side of an exam: its code runs here, in processes that know neither tests nor secret.

Everything in this module may be subverted by the code it runs. Nothing it says is believed beyond
the values it returns and the text it prints.
"""

from __future__ import annotations

import atexit
import contextlib
import operator
import os
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

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
            return before, compile(source, "<answer>", "exec", dont_inherit=True)
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
    code = 0
    try:
        _run(parts, "__main__")
    except NoProgram:
        code = NO_PROGRAM_CODE
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        code = code or 1
    os._exit(code & 0xFF)


class _Calls:
    """Objects of the candidate that the examiner holds by number, and what it may do with them."""

    def __init__(self, space: dict[str, Any]) -> None:
        self._space = space
        self._kept: list[Any] = []

    def refer(self, value: Any) -> int:
        self._kept.append(value)
        return len(self._kept) - 1

    def answer(self, request: dict[str, Any]) -> Any:
        if request["do"] == "defines":
            return [name in self._space for name in request["names"]]
        if request["do"] == "name":
            value = self._space[request["name"]]
            return ["o", self.refer(value)] if callable(value) else self._packed(value)
        arguments = unpacked(request["arguments"], self._kept.__getitem__)
        keywords = dict(unpacked(request.get("keywords", ["d", []]), self._kept.__getitem__))
        return self._packed(_ACTIONS[request["do"]](*arguments, **keywords))

    def _packed(self, value: Any) -> Any:
        try:
            return packed(value, self.refer)
        except RecursionError:
            return ["o", self.refer(value)]


def _call(function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
    return function(*arguments, **keywords)


_ACTIONS: dict[str, Callable[..., Any]] = {
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
    "eq": lambda one, two: bool(one == two),
    "lt": lambda one, two: bool(one < two),
    "le": lambda one, two: bool(one <= two),
    "gt": lambda one, two: bool(one > two),
    "ge": lambda one, two: bool(one >= two),
}
"""What the examiner may ask for: each takes the arguments of the request."""


def _serve(channel: socket.socket, parts: Sequence[Part]) -> NoReturn:
    """Runs the candidate as a module, then does what the examiner asks for."""
    keep = channel.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    calls: _Calls | None = None
    while True:
        try:
            if calls is None:
                calls, reply = _Calls(_run(parts, "answer")), None
            else:
                reply = calls.answer(receive(channel))
            message = {"value": reply}
        except BaseException as error:
            if isinstance(error, EOFError) and not _open(channel):
                os._exit(0)
            message = {"raised": type(error).__name__, "says": _text(error)}
            if calls is None:
                send(channel, message)
                os._exit(1)
        send(channel, message)


def _open(channel: socket.socket) -> bool:
    """Whether the examiner still listens; the candidate's own EOFError (from `input()`) is no end."""
    try:
        return channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True


def _text(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:
        return ""
