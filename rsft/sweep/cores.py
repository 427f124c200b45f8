"""Work on all cores of this machine, in processes that know nothing of the user's page."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
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
    cores = len(os.sched_getaffinity(0))
    if len(items) < many or cores == 1:
        return work(items)
    # Not forked: engines and Arrow have threads.
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        with _starting():  # a process is started when it is first handed something
            parts = [pool.submit(work, items[i : i + at_once]) for i in range(0, len(items), at_once)]
        return [one for part in parts for one in part.result()]


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
