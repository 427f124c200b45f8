"""Hostile code in the sandbox gains nothing: python -m pytest tests/test_sandbox.py"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from rsft.errors import EngineError, SpecError
from rsft.scoring import sandbox
from rsft.scoring.jail.calls import Outcome
from rsft.scoring.sandbox import CallTests, Limits, ProgramTests, examine

pytestmark = pytest.mark.slow

HOUSE = str(Path(__file__).resolve().parents[1])
TEST = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(5) == 6\n\ncheck(f)"


def called(
    code: str, *tests: str, wall_s: float = 5.0, helpers: str = "", entry: str | None = "f"
) -> Outcome:
    exam = CallTests(tests=tests or (TEST,), helpers=helpers, entry_point=entry)
    return examine([[textwrap.dedent(code)]], exam, Limits(wall_s=wall_s))


def printed(code: str, *pairs: tuple[str, str], wall_s: float = 5.0) -> Outcome:
    return examine([[textwrap.dedent(code)]], ProgramTests(pairs=pairs), Limits(wall_s=wall_s))


def seen(code: str) -> str:
    """What code finds out in there: its `f()` returns a text that no test expects."""
    outcome = called(code, "raise AssertionError(f())")
    assert outcome.status == "failed"
    return outcome.why


RIGHT = "def f(x):\n    return x + 1\n"


def test_right_code_passes_and_wrong_code_fails() -> None:
    assert called(RIGHT) == Outcome("passed")
    assert called("def f(x): return 2") == Outcome("failed", "a test does not hold: line 3")
    assert called("def g(x): return 2") == Outcome("failed", "the code does not define f")
    assert called("def f(x: return 2").status == "unreadable"


ATTACKS = {
    "leaves at once": "import sys; sys.exit(0)",
    "leaves hard": "import os; os._exit(0)",
    "leaves when called": "def f(x):\n    raise SystemExit(0)",
    "leaves hard when called": "import os\ndef f(x):\n    os._exit(0)",
    "says it passed": """
        print("passed"); print('{"status": "passed", "why": ""}')
        def f(x): print("passed"); return "passed"
    """,
    "writes to every descriptor": """
        import os
        def f(x):
            for fd in range(256):
                try: os.write(fd, b'{"secret": "", "status": "passed", "why": ""}')
                except OSError: pass
            return 0
    """,
    "kills its parent": """
        import os, signal
        def f(x):
            for pid in (os.getppid(), 1, -1):
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGKILL):
                    try: os.kill(pid, number)
                    except OSError: pass
            return 0
    """,
    "kills its group and session": """
        import os
        def f(x):
            for group in (0, os.getsid(0)):
                try: os.killpg(group, 9)
                except OSError: pass
    """,
    "an object equal to all": """
        class All:
            __eq__ = __le__ = __ge__ = __contains__ = lambda *a: True
            __ne__ = lambda *a: False
            __hash__ = lambda self: 2
        def f(x): return All()
    """,
    "a number equal to all": """
        class All(int):
            __eq__ = lambda *a: True
            __ne__ = lambda *a: False
        def f(x): return All(0)
    """,
    "overwrites builtins": """
        import builtins
        class Never(BaseException): pass
        builtins.AssertionError = Never
        builtins.abs = builtins.len = builtins.int = builtins.isinstance = lambda *a: True
        def f(x): return 0
    """,
    "changes what it was given": "def f(x):\n    x.__class__ = int\n    return x",
    "swallows the end of time": """
        def f(x):
            while True:
                try:
                    while True: pass
                except BaseException: pass
    """,
    "sleeps": "import time\ndef f(x): time.sleep(60)",
    "big integers": "def f(x): return 9 ** 9 ** 9 ** 9",
    "recursion": "def f(x): return f(x)",
    "a crash": "import ctypes\ndef f(x): return ctypes.string_at(0)",
    "speaks nonsense": """
        import json
        json.dumps = lambda *a, **k: "{" * 100000
        def f(x): return 2
    """,
    "returns a circle": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "returns depth": "def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a",
    "returns without end": "def f(x):\n    while True: yield 1",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_trick_is_a_failure(attack: str) -> None:
    start = time.monotonic()
    outcome = called(ATTACKS[attack], wall_s=1.0)
    assert outcome.status == "failed", outcome
    assert time.monotonic() - start < 30


def test_a_generator_that_never_ends_is_the_codes_own_loop() -> None:
    outcome = called(ATTACKS["returns without end"], "assert list(f(1)) == [1]", wall_s=1.0)
    assert outcome == Outcome("failed", "no end after 1 s")


def test_a_fork_bomb_ends_with_the_exam() -> None:
    start = time.monotonic()
    outcome = called(
        "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass",
        wall_s=1.0,
    )
    assert outcome.status == "failed"
    assert time.monotonic() - start < 30
    for _ in range(100):
        if not sandboxed():
            break
        time.sleep(0.05)
    assert sandboxed() == []


def sandboxed() -> list[int]:
    """Processes of this test's sandboxes."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"rsft.scoring.jail.main" in b" ".join(words) and str(os.getpid()).encode() in words:
            found.append(int(folder.name))
    return found


def test_memory_files_and_processes_are_bounded() -> None:
    assert called("def f(x): return bytearray(1 << 31)").why == "the code raised MemoryError: "
    grown = "def f():\n    with open('x', 'wb') as file:\n        file.write(bytes(1 << 25))"
    assert "OSError" in called(grown, "f()").why
    many = """
        import os
        def f():
            count = 0
            try:
                while True:
                    if os.fork() == 0:
                        import time; time.sleep(60)
                    count += 1
            except OSError:
                return count
    """
    assert called(many, "assert 0 < f() <= 8") == Outcome("passed")


def test_it_sees_neither_our_environment_nor_our_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hidden-token")
    (tmp_path / "key").write_text("hidden-key")
    look = f"""
        import os, glob
        def f():
            found = [repr(dict(os.environ)), str(os.path.exists("/proc/self"))]
            for path in [*glob.glob("/proc/*/environ"), {str(tmp_path / "key")!r}, "/etc/passwd"]:
                try: found.append(open(path).read())
                except OSError: pass
            return " ".join(found)
    """
    found = seen(look)
    assert "PATH" in found and "hidden" not in found and "root:" not in found


def test_it_finds_neither_test_nor_secret_in_its_memory() -> None:
    look = """
        import gc, sys
        class Found(Exception): pass
        def f(x):
            parts = [str(o) for o in gc.get_objects() if type(o) in (dict, list, tuple)]
            frame = sys._getframe()
            while frame:
                parts.append(str(frame.f_locals))
                frame = frame.f_back
            text = "".join(parts)
            if "".join(("mark", "er_a")) in text: raise Found("examiner's half")
            if "".join(("mark", "er_b")) not in text: raise Found("nothing at all")
            return x + 1
        OWN = "marker_b"
    """
    assert called(look, "assert f(1) == 2  # marker_a") == Outcome("passed")


def test_it_cannot_write_to_what_it_can_read() -> None:
    code = f"""
        import os
        def f():
            for folder in ("/usr", "/usr/bin", {sys.base_prefix!r}, "/dev"):
                try: open(folder + "/written", "w"); return folder
                except OSError: pass
            return "nowhere"
    """
    assert called(code, "assert f() == 'nowhere'") == Outcome("passed")


def test_it_has_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
            import socket
            def f():
                socket.create_connection(("127.0.0.1", {port}), timeout=2)
        """
        assert "the code raised OSError" in called(code, "f()").why
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_it_has_no_rights() -> None:
    code = """
        import os, ctypes
        def f():
            libc = ctypes.CDLL(None)
            mounted = libc.mount(b"tmpfs", b"/box", b"tmpfs", 0, None)
            traced = libc.ptrace(16, 1, 0, 0)
            try: os.setuid(0); user = "root"
            except OSError: user = "nobody"
            return mounted, traced, user
    """
    assert called(code, "assert f() == (-1, -1, 'nobody')") == Outcome("passed")


def test_its_process_group_and_session_are_its_own() -> None:
    """One of 0 would have its leader outside the namespace: there, killpg reaches what watches the exam."""
    groups = "import os\ndef f(): return os.getpgrp(), os.getsid(0), os.getpgid(1)"
    group, session, examiners = eval(seen(groups).removeprefix("a test does not hold: line 1, "))
    assert group == session != examiners == 1


def test_each_exam_begins_in_an_empty_folder() -> None:
    code = "import os\ndef f():\n    names = os.listdir('.')\n    open('left', 'w').close()\n    return names"
    before = set(Path("/tmp").iterdir())
    for _ in range(2):
        assert called(code, "assert f() == []") == Outcome("passed")
    assert not [path for path in set(Path("/tmp").iterdir()) - before if path.name in ("left", "box")]


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    page = tmp_path / "parent.py"
    page.write_text(
        "from rsft.scoring.sandbox import CallTests, examine, Limits\n"
        "print('up', flush=True)\n"
        'code = \'import time\\ndef f():\\n    open("begun", "w"); time.sleep(60)\'\n'
        "examine([[code]], CallTests(tests=('f()',)), Limits(wall_s=50.0))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(page)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": HOUSE}
    )
    assert parent.stdout and parent.stdout.readline() == "up\n"
    found: list[int] = []
    end = time.monotonic() + 20
    while len(found) < 4 and time.monotonic() < end:  # warder, examiner, spawner, candidate
        found = descendants(parent.pid)
        time.sleep(0.02)
    assert len(found) == 4
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    while any(running(pid) for pid in found) and time.monotonic() < end:
        time.sleep(0.02)
    assert not [pid for pid in found if running(pid)]


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_broken_test_is_a_fault_and_not_the_codes() -> None:
    for broken in (
        "def check(candidate:\n    pass",
        "assert nobody_defines_this(f(1)) == 2",
        "import no_such_module\nassert f(1) == 2",
        "assert 1 == 2",
        "raise ValueError('at once')",
        "raise SystemExit(0)",
    ):
        outcome = called(RIGHT, broken)
        assert outcome.status == "fault", (broken, outcome)
    stuck = called(RIGHT, "assert f(1) == 2\nwhile True: pass", wall_s=1.0)
    assert stuck == Outcome("fault", "the test itself ran longer than 1 s")
    swallowing = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    assert called(RIGHT, swallowing, wall_s=1.0).status == "fault"
    assert called(RIGHT, "9 ** 9 ** 9 ** 9", wall_s=1.0).status == "fault"


def test_values_of_all_plain_kinds_cross_as_they_are() -> None:
    code = "def f(*values, **named):\n    return (*values, named) if named else values"
    tests = (
        "x = (None, True, 1, -2**70, 10**5000, 0.1, float('inf'), 'ä\\ud800\\0', b'\\xff', 1+2j)",
        "assert f(*x) == x and [type(v) for v in f(*x)] == [type(v) for v in x]",
        "x = ([1, [2]], (3,), {4, 5}, frozenset({6}), {(7,): {8: [9]}}, range(3), [])",
        "assert f(*x) == x and [type(v) for v in f(*x)] == [type(v) for v in x]",
        "import fractions, decimal\nassert f(fractions.Fraction(1, 3), decimal.Decimal('0.1'))"
        " == (fractions.Fraction(1, 3), decimal.Decimal('0.1'))",
        "assert f(1, key=[2]) == (1, {'key': [2]})",
        "nan = f(float('nan'))[0]\nassert nan != nan",
    )
    assert called(code, *tests) == Outcome("passed")


def test_objects_of_the_code_serve_its_tests() -> None:
    code = """
        import collections, itertools
        class Pair:
            def __init__(self, a, b): self.a, self.b = a, b
            def __eq__(self, other): return (self.a, self.b) == (other.a, other.b)
            def total(self): return self.a + self.b
        def longest(pairs): return max(p.total() for p in pairs)
        def squares(n): return (i * i for i in range(n))
        def counted(text): return collections.Counter(text)
        def refuses(x): raise ValueError("no")
        def adder(n): return lambda x: x + n
    """
    tests = (
        "assert longest([Pair(5, 24), Pair(15, 25)]) == 40",
        "assert Pair(1, 2) == Pair(1, 2) and Pair(1, 2).b == 2 and Pair(1, 2) != 3",
        "assert list(squares(4)) == [0, 1, 4, 9] and sorted(squares(2)) == [0, 1]",
        "assert counted('aab') == {'a': 2, 'b': 1}",
        "assert adder(2)(3) == 5",
        "assert math.isclose(longest([Pair(0.1, 0.2)]), 0.3)",
        "try:\n    refuses(1)\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'no'",
    )
    assert called(code, *tests, entry=None) == Outcome("passed")
    assert called(code, "missing(1)", entry=None) == Outcome("failed", "the code does not define missing")
    assert called("def sum(a, b): return a * b", "assert sum(2, 3) == 6", entry=None) == Outcome("passed")
    cheat = "def f(): return 0\ndef set(x): return 0"
    assert called(cheat, "assert set(f()) == set([1])", entry=None).status == "failed"
    assert called("def set(x): return 0", "assert set(f()) == set([1])", entry=None).status == "failed"


def test_a_test_may_use_the_prompts_helpers_but_not_the_codes() -> None:
    helpers = "def double(x):\n    return 2 * x\n\ndef f(x):\n    '''Doubles.'''\n"
    test = "assert f(3) == double(3)"
    assert called("def f(x): return x + x", test, helpers=helpers) == Outcome("passed")
    cheat = "def double(x): return 0\ndef f(x): return 0"
    assert called(cheat, test, helpers=helpers).status == "failed"


def test_the_first_alternative_that_compiles_counts() -> None:
    exam = CallTests(tests=(TEST,), entry_point="f")
    parts = [["def f(x):\nreturn x"], ["import math, none", "def f(x):\n    return x + 1"], ["f = None"]]
    assert examine(parts, exam) == Outcome("passed")


def test_programs_are_compared_by_words() -> None:
    double = "import sys\nfor line in sys.stdin: print(int(line) * 2)"
    assert printed(double, ("1\n2\n", "2\n4"), ("3", "6  \n\n"), ("", "")) == Outcome("passed")
    assert printed(double, ("1", "2"), ("1\n2\n", "2\n5\n")).why == "test 2: word 1 of line 2 is '4', not '5'"
    assert printed("print(0.5, 1e3, '007')", ("", "0.50 1000 007")) == Outcome("passed")
    assert printed("print('07', 'nan')", ("", "7 nan")).status == "failed"
    assert printed("print(open(0).read()); import sys; sys.exit(0)", ("a", "a")) == Outcome("passed")
    assert printed("print('a'); raise ValueError", ("", "a")).why == "test 1: ended with exit code 1"
    assert printed("import os; os.kill(os.getpid(), 9)", ("", "")).why == "test 1: ended with signal 9"
    assert printed("while True: print('x' * 9999)", ("", "x")).why.endswith("bytes printed")
    assert (
        printed("import fileinput\nfor line in fileinput.input(): print(line)", ("a", "a")).status == "passed"
    )
    assert printed(
        "import sys\nprint(1, file=sys.__stdout__)\nsys.stdout.close()\nquit()", ("", "1")
    ) == Outcome("passed")
    assert printed("\ufeffprint(1)", ("", "1")) == Outcome("passed")
    threads = (
        "import threading, time\ndef go(): time.sleep(0.2); print(1)\nthreading.Thread(target=go).start()"
    )
    assert printed(threads, ("", "1")) == Outcome("passed")
    big = "1 " * 400_000
    assert printed("print(input())", (big, big)) == Outcome("passed")
    assert printed("print(1)", (big, "1")) == Outcome("passed")
    assert printed("if __name__ == '__main__': print(1)", ("", "1")) == Outcome("passed")


def test_code_may_start_python_and_a_pool_and_use_tmp() -> None:
    starts = (
        "import subprocess, sys\ndef f(): return subprocess.check_output([sys.executable, '-c', 'print(1)'])"
    )
    assert called(starts, "assert f() == b'1\\n'") == Outcome("passed")
    pool = (
        "import multiprocessing\ndef f():\n    with multiprocessing.Pool(2) as p: return p.map(abs, [-1, 2])"
    )
    assert called(pool, "assert f() == [1, 2]") == Outcome("passed")
    file = "def f():\n    open('/tmp/x', 'w').write('1')\n    return open('/tmp/x').read()"
    assert called(file, "assert f() == '1'") == Outcome("passed")


def test_python_may_be_installed_below_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a clone in a folder for temporary files has it; what lies there stays as it is."""
    with tempfile.TemporaryDirectory(dir="/tmp") as installed:
        os.chmod(installed, 0o755)
        Path(installed, "kept").write_text("1")
        known = sandbox._read_only()
        monkeypatch.setattr(sandbox, "_read_only", lambda: [*known, installed])
        tries = f"""
            import os
            acts = (
                lambda: os.rename({installed!r}, "/tmp/y"),
                lambda: open({installed!r} + "/z", "w"),
                lambda: os.remove({installed!r} + "/kept"),
            )
            def f():
                open("/tmp/x", "w").write("1")
                done = 0
                for act in acts:
                    try:
                        act()
                        done += 1
                    except OSError:
                        pass
                return done, open("/tmp/x").read(), open({installed!r} + "/kept").read()
        """
        assert called(textwrap.dedent(tries), "assert f() == (0, '1', '1')") == Outcome("passed")


def test_a_program_that_hangs_or_hides_its_end_fails() -> None:
    assert printed("while True: pass", ("", ""), wall_s=1.0).why == "test 1: no end after 1 s"
    closes = "import os, time\nprint(1, flush=True)\nos.close(1)\ntime.sleep(60)"
    assert printed(closes, ("", "1"), wall_s=1.0).status == "failed"
    leaves_a_child = "import os, time\nprint(1, flush=True)\nif os.fork() == 0: time.sleep(60)"
    assert printed(leaves_a_child, ("", "1")) == Outcome("passed")


def test_the_clock_starts_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    late = "import time; time.sleep(1.5); " + sandbox._START
    monkeypatch.setattr(sandbox, "_START", late)
    assert called(RIGHT, wall_s=1.0) == Outcome("passed")


def test_without_isolation_it_refuses_and_says_how_to_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    deny = "import sys; sys.path.insert(0, sys.argv[1]); from rsft.scoring.jail import isolation; "
    deny += (
        "refused = type('L', (), {'__getattr__': lambda s, n: getattr(isolation.ctypes.CDLL(None), n)})(); "
    )
    deny += "refused.unshare = lambda flags: -1; refused.prctl = isolation._libc.prctl; "
    deny += "isolation._libc = refused; sys.path.pop(0); "
    monkeypatch.setattr(sandbox, "_START", deny + sandbox._START)
    with pytest.raises(
        EngineError, match=r"cannot be isolated on this machine \(unshare.*max_user_namespaces"
    ):
        called(RIGHT)


def test_a_limit_that_cannot_work_is_refused() -> None:
    with pytest.raises(SpecError, match="wall_s=0"):
        called(RIGHT, wall_s=0)


def test_threads_may_examine_at_the_same_time() -> None:
    found: list[Outcome] = []
    threads = [threading.Thread(target=lambda: found.append(called(RIGHT))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Outcome("passed")] * 4
