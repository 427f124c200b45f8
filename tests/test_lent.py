"""Tests hand more than values to code, and get back what it changed: python -m pytest tests/test_lent.py"""

from __future__ import annotations

import textwrap

import pytest

from rsft.scoring.jail.lent import renewed
from rsft.scoring.sandbox import CallTests, Limits, examine

pytestmark = pytest.mark.slow


def status(code: str, tests: str, wall_s: float = 5.0) -> str:
    body = textwrap.indent(textwrap.dedent(tests), "    ")
    exam = CallTests(tests=(f"def check(f):\n{body}\ncheck(f)",), entry_point="f")
    return examine([[textwrap.dedent(code)]], exam, Limits(wall_s=wall_s)).status


PASSES = {
    "a list sorted in place": ("def f(a): a.sort()", "a = [3, 1]\nf(a)\nassert a == [1, 3]"),
    "a matrix zeroed in place": (
        "def f(m):\n    for row in m: row[0] = 0",
        "row = [1, 2]\nf([row])\nassert row == [0, 2]",
    ),
    "a dict and a set by keyword": (
        "def f(d, s): d['a'] = 1; s.clear()",
        "d, s = {}, {1}\nf(d=d, s=s)\nassert (d, s) == ({'a': 1}, set())",
    ),
    "a lambda": ("def f(g, x): return g(x)", "assert f(lambda x: x + 1, 2) == 3"),
    "functions by name": (
        "def f(xs, key): return sorted(xs, key=key)",
        "import math\nassert f([3, -1], abs) == [-1, 3]\nassert f([4, 1], math.sqrt) == [1, 4]",
    ),
    "its own function back": (
        "def f(*gs):\n    def go(x):\n        for g in gs: x = g(x)\n        return x\n    return go",
        "assert f(f(lambda x: x + 1), str)(1) == '2'",
    ),
    "as a decorator": (
        "import functools\ndef f(g):\n    @functools.wraps(g)\n    def go(x): return g(g(x))\n    return go",
        "@f\ndef two(x):\n    return x + 1\nassert two(1) == 3",
    ),
    "what a function raises": (
        "def f(g):\n    try: return g()\n    except ZeroDivisionError: return 'caught'",
        "assert f(lambda: 1 / 0) == 'caught'",
    ),
    "an iterator without end": (
        "import itertools\ndef f(xs): return list(itertools.islice(xs, 2))",
        "import itertools\nassert f(itertools.count()) == [0, 1]\nassert f(iter([5])) == [5]",
    ),
    "a linked list of the test": (
        "def f(h):\n    p = None\n    while h: h.next, p, h = p, h, h.next\n    return p",
        """
        class Node:
            def __init__(self, value, next=None):
                self.value, self.next = value, next
        last = Node(2)
        head = f(Node(1, last))
        assert head is last and head.next.value == 1 and head.next.next is None
        """,
    ),
    "types": ("def f(x, kind): return type(x) if isinstance(x, kind) else None", "assert f(1, int) is int"),
    "dates": (
        "def f(day, after): return day + after",
        "import datetime as d\nassert f(d.date(2020, 1, 1), d.timedelta(1)) == d.date(2020, 1, 2)",
    ),
    "a named tuple": (
        "from collections import namedtuple\ndef f(x): return namedtuple('P', 'x y')(x, 0)",
        "assert f(1).x == 1 and f(1) == (1, 0)",
    ),
    "a deque": ("def f(d): return d", "from collections import deque\nassert f(deque([1])) == deque([1])"),
    "arithmetic of objects": (
        "class f:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return f(self.x + o.x)\n"
        "    def __rmul__(self, k): return f(k * self.x)\n    def __eq__(self, o): return self.x == o.x",
        "assert f(1) + f(2) == f(3) and 3 * f(2) == f(6)\nassert isinstance(f(1), f)",
    ),
    "what it prints": (
        "def f(x):\n    print('value', x)",
        """
        import contextlib, io
        with contextlib.redirect_stdout(io.StringIO()) as heard:
            f("a")
        assert heard.getvalue() == "value a\\n"
        """,
    ),
    "numpy on both sides": (
        "import numpy as np\ndef f(x): return np.array(x) * 2",
        "import numpy as np\nassert np.allclose(f([1, 2]), [2, 4])",
    ),
}


@pytest.mark.parametrize("what", PASSES)
def test_right_code_passes_with(what: str) -> None:
    assert status(*PASSES[what]) == "passed"


LENT = """
class Node:
    def go(self): return 1
def gen():
    yield 1
SECRET = "gold"
assert f(lambda x: x + 1, Node(), gen()) == SECRET
"""
TRICKS = {
    "a function's globals": "return g.__globals__['check']",
    "a method's globals": "return n.go.__func__.__globals__",
    "a class's": "return n.__class__.go.__globals__",
    "a constructor's": "return n.__init__.__globals__",
    "a generator's frame": "return it.gi_frame.f_locals['SECRET']",
    "another class": "n.__class__ = str\n    return n",
    "the way itself": "return object.__getattribute__(g, '_owner').ask('call', eval, 'SECRET')",
    "a number that nobody gave": """
    for number in range(-9, 9):
        try: return type(g)(object.__getattribute__(g, '_owner'), number).__globals__
        except Exception: pass""",
    "calls without end": "while True: g(1)",
    "a sum too large": "return g(10 ** 1_000_000)",
    "what it raises": "return g('x')",
    "a lent object for an answer": "return n",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_is_lent_leads_no_further(trick: str) -> None:
    assert status(f"def f(g, n, it):\n    {TRICKS[trick]}", LENT, wall_s=1.0) == "failed"


def test_an_object_near_to_every_number_is_near_to_none() -> None:
    near = "class Z:\n    __sub__ = __rsub__ = __abs__ = __round__ = lambda *a: 0\n"
    near += "    __float__ = lambda s: 0.5\n    __lt__ = __le__ = lambda *a: True\ndef f(x): return Z()"
    for test in ("abs(f(1) - 0.5) < 1e-6", "round(f(1), 1) == 0", "math.isclose(f(1), 0.5)"):
        assert status(near, f"import math\nassert {test}") == "failed", test


def test_a_named_tuple_without_measure_fails_at_once() -> None:
    wide = (
        "from collections import namedtuple\ndef f(x): return namedtuple('P', [f'f{i}' for i in range(9999)])"
    )
    assert status(wide + "(*range(9999))", "assert f(1)") == "failed"


def test_what_cannot_be_sent_is_a_fault_and_not_the_codes() -> None:
    assert status("def f(x): return 1", "import threading\nassert f(threading.Lock()) == 1") == "fault"


def test_containers_are_renewed_in_place() -> None:
    inner = [1]
    outer = {"a": inner, "b": 2}
    assert renewed(outer, {"a": [1, 2], "c": (3,)}) is outer
    assert outer == {"a": [1, 2], "c": (3,)} and outer["a"] is inner
    assert renewed([1, 2, 3], [9]) == [9] and renewed((1,), (2,)) == (2,)
