"""Gold answers of benchmarks are right, those of other problems wrong: python -m pytest tests/test_golds.py

A seeded sample; bench/verdicts.py grades all of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import golds
import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("benchmark", golds.MATHEMATICS)
def test_gold_answers_are_correct_in_any_dress_and_others_are_wrong(benchmark: str) -> None:
    found = golds.asked(benchmark, 200)
    right = [(problem, problem.gold) for problem in found]
    right += [(problem, golds.redressed(problem)) for problem in found]
    wrong = golds.others(found)
    scores = golds.verdicts([*right, *wrong])
    assert [(s.problem, s.answer, s.why) for s in scores[:400] if s.outcome != "correct"] == []
    found_right = [
        (p.gold, a, s.why) for (p, a), s in zip(wrong, scores[400:], strict=True) if s.outcome != "wrong"
    ]
    assert found_right == []


@pytest.mark.parametrize("benchmark", golds.PROGRAMS)
def test_the_authors_own_programs_pass_and_others_fail(benchmark: str) -> None:
    found = golds.asked(benchmark, 40)
    turned = [*found[1:], found[0]]
    with ThreadPoolExecutor(2) as pool:
        own = list(pool.map(golds.examined, found, map(golds.program, found)))
        other = list(pool.map(golds.examined, found, map(golds.program, turned)))
    assert [(p.id, o) for p, o in zip(found, own, strict=True) if o.status != "passed"] == []
    assert [(p.id, o) for p, o in zip(found, other, strict=True) if o.status != "failed"] == []
