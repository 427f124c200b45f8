"""An exam whose tests feed a program and compare what it prints."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import time
from itertools import zip_longest

from rsft.scoring.jail.calls import Outcome
from rsft.scoring.jail.candidate import NO_PROGRAM_CODE
from rsft.scoring.jail.wire import receive

_FRACTIONAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?")
_OUTPUT_BYTES = 32 << 20
"""More than this printed to one test is a failure."""


def hold(control: socket.socket, tests: list[dict[str, str]], limit_s: float) -> Outcome:
    """Runs the program once for each test, and stops at the first that fails.

    Args:
        control: to the candidate's spawner.
        tests: `input` and `output` of each.
        limit_s: wall time of all runs together.
    """
    end = time.monotonic() + limit_s
    for number, test in enumerate(tests, 1):
        try:
            printed, code = _run(control, test["input"].encode("utf-8", "surrogatepass"), end)
        except TimeoutError:
            return Outcome("failed", f"test {number}: no end after {limit_s:g} s")
        except (EOFError, OSError, ValueError) as error:
            return Outcome("failed", f"test {number}: {str(error) or 'the code ended its process'}")
        if code == NO_PROGRAM_CODE:
            return Outcome("unreadable", "the code does not compile")
        if code != 0:
            ending = f"signal {-code}" if code < 0 else f"exit code {code}"
            return Outcome("failed", f"test {number}: ended with {ending}")
        if why := difference(printed.decode("utf-8", "surrogateescape"), test["output"]):
            return Outcome("failed", f"test {number}: {why}")
    return Outcome("passed")


def difference(printed: str, wanted: str) -> str:
    """The first word that differs, or nothing.

    As LiveCodeBench compares (its testing_util.py): line by line, without space around the text and
    around each line; words are equal as text or, where either has a point or an exponent, as decimal
    numbers (1.0 and 1). Unlike there, space between words never matters.
    """
    ours, theirs = printed.strip().split("\n"), wanted.strip().split("\n")
    if len(ours) != len(theirs):
        return f"{len(ours)} lines, not {len(theirs)}"
    for line, (one, two) in enumerate(zip(ours, theirs, strict=True), 1):
        for place, (word, right) in enumerate(zip_longest(one.split(), two.split()), 1):
            if word is None or right is None or (word != right and not _same_number(word, right)):
                found = "missing" if word is None else f"{word!r:.60}"
                return f"word {place} of line {line} is {found}, not {right!r:.60}".replace("None", "there")
    return ""


def _same_number(one: str, two: str) -> bool:
    if not any(sign in one + two for sign in ".eE"):
        return False
    if max(len(one), len(two)) > 400 or not (_FRACTIONAL.fullmatch(one) and _FRACTIONAL.fullmatch(two)):
        return False
    from decimal import Decimal  # for such words alone: every exam would wait for it

    return Decimal(one) == Decimal(two)


def _run(control: socket.socket, given: bytes, end: float) -> tuple[bytes, int]:
    """What the program printed, and its exit code (negative: a signal)."""
    stdin_read, stdin_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    try:
        socket.send_fds(control, [b"p"], [stdin_read, stdout_write])
    finally:
        os.close(stdin_read)
        os.close(stdout_write)
    os.set_blocking(stdin_write, False)
    try:
        return _fed(control, given, stdin_write, stdout_read, end)
    finally:
        os.close(stdout_read)


def _fed(
    control: socket.socket, given: bytes, stdin_write: int, stdout_read: int, end: float
) -> tuple[bytes, int]:
    printed, rest = bytearray(), memoryview(given)
    feeding = [stdin_write]
    try:
        while True:
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            if feeding and not rest:
                os.close(feeding.pop())
            ready, writable, _ = select.select([stdout_read, control.fileno()], feeding, [], left_s)
            if writable:
                try:
                    rest = rest[os.write(stdin_write, rest[: 1 << 16]) :]
                except BrokenPipeError:  # a program need not read all of its input
                    os.close(feeding.pop())
            if stdout_read in ready:
                printed += (piece := os.read(stdout_read, 1 << 20))
                if len(printed) > _OUTPUT_BYTES:
                    raise ValueError(f"more than {_OUTPUT_BYTES} bytes printed")
                if not piece:  # closed early: only its end is waited for
                    code = int(receive(control, end))
                    return bytes(printed), code
            if control.fileno() in ready:
                code = int(receive(control, end))
                # Its children may hold the pipe open: only what is there already counts.
                os.set_blocking(stdout_read, False)
                with contextlib.suppress(BlockingIOError):
                    while len(printed) <= _OUTPUT_BYTES and (piece := os.read(stdout_read, 1 << 20)):
                        printed += piece
                return bytes(printed), code
    finally:
        for file in feeding:
            os.close(file)
