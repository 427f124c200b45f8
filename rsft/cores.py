"""Work on all cores of this machine, in processes that know nothing of the user's page."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from typing import Any, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

ENVIRONMENT = {
    # One thread each, as there is a process for every core.
    "OMP_NUM_THREADS": "1",
    # glibc keeps memory that was freed: to ask for pages anew takes a fifth of the time of small arrays.
    "MALLOC_MMAP_THRESHOLD_": str(2**28),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
}


_shared: list[ProcessPoolExecutor] = []
"""The processes of `shared`, innermost last."""


@contextmanager
def shared(functions: Sequence[Callable[..., Any]]) -> Iterator[None]:
    """All that is asked of other processes inside is asked of the same ones, a process per core.

    They start at once and import the modules of these functions meanwhile, which takes seconds: for work that
    has much to ask.
    """
    with _processes() as pool:
        for _ in range(_cores()):
            _submit(pool, _imported, functions)
        _shared.append(pool)
        try:
            yield
        finally:
            _shared.remove(pool)


def each(
    work: Callable[[Sequence[Item]], list[Found]], items: Sequence[Item], at_once: int, many: int
) -> list[Found]:
    """What work makes of all items, in their order; on all cores where there are many.

    Args:
        work: a function of a module, from some items to as many results.
        items: that other processes can be sent.
        at_once: that a process is handed at a time.
        many: items from which processes are worth their start.
    """
    if len(items) < many or _cores() == 1:
        return work(items)
    with nullcontext(_shared[-1]) if _shared else _processes() as pool:
        return _dealt(pool, work, items, at_once)()


def each_begun(
    work: Callable[[Sequence[Item]], list[Found]], items: Sequence[Item], at_once: int, many: int
) -> Callable[[], list[Found]]:
    """As `each`, to be called for what it returns; begun elsewhere in `shared`, so that this process can do
    something else meanwhile."""
    if not _shared or len(items) < many or _cores() == 1:
        return cache(partial(each, work, items, at_once, many))
    return _dealt(_shared[-1], work, items, at_once)


def begun(calls: Sequence[Callable[[], Found]]) -> list[Callable[[], Found]]:
    """The same calls, each made once, to be called for what they return; made elsewhere in `shared`.

    Args:
        calls: that other processes can be sent.
    """
    if not _shared:
        return [cache(call) for call in calls]
    return [_submit(_shared[-1], call).result for call in calls]


def _dealt(
    pool: ProcessPoolExecutor,
    work: Callable[[Sequence[Item]], list[Found]],
    items: Sequence[Item],
    at_once: int,
) -> Callable[[], list[Found]]:
    parts = [_submit(pool, work, items[i : i + at_once]) for i in range(0, len(items), at_once)]
    return lambda: [one for part in parts for one in part.result()]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _processes() -> ProcessPoolExecutor:
    # Not forked: engines and Arrow have threads.
    return ProcessPoolExecutor(_cores(), mp_context=multiprocessing.get_context("spawn"))


def _submit(pool: ProcessPoolExecutor, work: Callable[..., Found], *items: Any) -> Future[Found]:
    with _starting():  # a process is started when it is first handed something
        return pool.submit(work, *items)


def _imported(functions: Sequence[Callable[..., Any]]) -> None:
    """Nothing more: who is sent a function imports its module."""


@contextmanager
def _starting() -> Iterator[None]:
    """What processes are started with: ENVIRONMENT, and no main module.

    A spawned process runs the main module again, under another name. That is the sweep's page where it is
    run as a program, and without a guard it would start the sweep once more, in every process.
    """
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {n: vars(main)[n] for n in ("__file__", "__spec__") if n in vars(main)}
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    vars(main).pop("__file__", None)
    vars(main)["__spec__"] = None
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        vars(main).pop("__spec__")
        vars(main).update(hidden)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
