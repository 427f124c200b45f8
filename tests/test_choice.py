"""Multiple choice: python -m pytest tests/test_choice.py"""

from __future__ import annotations

import pytest

from rsft.errors import DataError
from rsft.scoring.choice import choice_reference, is_right, read_choice

CITIES = ["London", "Berlin", "Paris", "Rome"]
TEN = [f"text {number}" for number in range(10)]

CHOSEN = [
    (r"so \boxed{C}", "C"),
    (r"\boxed{(C)}", "C"),
    (r"\boxed{\text{C}}", "C"),
    (r"\boxed{\textbf{(C)}}", "C"),
    (r"\boxed{C. Paris}", "C"),
    (r"\boxed{c}", "C"),
    (r"\boxed{A}", "A"),
    (r"\boxed{\text{Paris}}", "C"),
    (r"\boxed{paris}", "C"),
    (r"\boxed{Option C}", "C"),
    (r"\boxed{A} no, \boxed{D}", "D"),
    (r"The answer is A. \boxed{B}", "B"),
    ("the answer is (C)", "C"),
    ("The answer is (c).", "C"),
    ("The correct answer is C.", "C"),
    ("The correct option is **C**.", "C"),
    ("Answer: C", "C"),
    ("**Answer:** C", "C"),
    ("**Answer: C**", "C"),
    ("Answer: **C. Paris**", "C"),
    ("Answer: C) Paris", "C"),
    ("Answer: $C$", "C"),
    ("Answer: A", "A"),
    ("The answer is A.", "A"),
    ("The answer is A because of the river.", "A"),
    ("The answer is option B, since it flows.", "B"),
    ("Final answer is:\nD", "D"),
    ("The answer is B. Wait, the answer is D.", "D"),
    ("The answer is Paris.", "C"),
    ("Answer: paris", "C"),
    ("Paris", "C"),
    ("  Paris.\n", "C"),
    ("C", "C"),
    ("(C)", "C"),
    ("C.", "C"),
    ("**C**", "C"),
    ("C) Paris", "C"),
    ("Think of the Seine.\nC", "C"),
    ("Think of the Seine.\n\n**Paris**", "C"),
    ("A", "A"),
    ("**C.** Paris", "C"),
    ("C – Paris", "C"),
    ("C\n\nParis is the capital.", "C"),
    (r"\boxed{\text{Option C}}", "C"),
    ("The answer is Paris (C).", "C"),
    ("The answer is not A but C.", "C"),
    ("The answer is B, not A.", "B"),
    ("Answer: d", "D"),
    ("Therefore, option C is correct.", "C"),
    ("So (C) is the correct answer.", "C"),
    ("I choose C.", "C"),
    ("C is correct.", "C"),
    ("So it is option C.", "C"),
    ("- C", "C"),
    ('\\boxed{"C"}', "C"),
    ('"Paris"', "C"),
    ("A) London is English.\nB) Berlin is German.\n\nC) Paris", "C"),
    ("Paris is the answer.", "C"),
    ("By its river, I see this.\nSo **Paris** is the correct answer.", "C"),
    ("Therefore, option (C) is the correct one.", "C"),
    ("The answer is 'C'.", "C"),
    ("<answer>C</answer>", "C"),
    ("<answer>Paris</answer>", "C"),
    ("Hence (C).", "C"),
    ("It's C.", "C"),
    ("I'm going with C.", "C"),
    ("I'd say C.", "C"),
    ("> **C**", "C"),
    ("### C", "C"),
    ("B is incorrect. A is correct.", "A"),
    ("Ans: C", "C"),
    ("Answer - C", "C"),
    (r"\boxed{\textbf{(C)}\ \text{Paris}}", "C"),
    (r"The answer is \(\textbf{C}\).", "C"),
    ("The answer is <C>.", "C"),
    ("The answer is Paris (option C).", "C"),
    ("This corresponds to option C.", "C"),
    ("The answer is that Paris.", "C"),
    ("The answer to the question is C.", "C"),
    ("A. London\nB. Berlin\nC. Paris\nD. Rome\n\nC. Paris", "C"),
]

NOT_CHOSEN = [
    "",
    "I give up",
    "A river runs through it.",
    "It could be A or B.",
    "The answer is A or B.",
    "The answer is (A) and (C).",
    "Paris or Rome",
    "I",
    "Both London and Paris are nice",
    "The letter C is the third",
    "A) London is English.\nB) Berlin is German.\nI cannot say.",
    "The answer is D-glucose",
    "So it cannot be C.",
    "Say whether statement C is correct, and why.",
    "Paris is not the answer.",
    "I doubt that Paris is the answer.",
    "The answer can't be A.",
    "If the answer is A, then London is it.",
    "The wrong answer is A.",
    "I don't choose A.",
    "One might choose A, but that is wrong.",
    "Paris is the answer to another question.",
    "The answer is unlikely to be A.",
    "I'd say C is wrong.",
    "I'd say A is not right.",
    "If C is correct, the Seine is there.",
    "A. London is English.\nB. Berlin is German.\nC. Paris is French.\nD. Rome is Italian.",
]


@pytest.mark.parametrize(("part", "letter"), CHOSEN)
def test_what_was_chosen_is_read(part: str, letter: str) -> None:
    chosen = read_choice(part, CITIES)
    assert chosen and chosen.answer == letter


@pytest.mark.parametrize("part", NOT_CHOSEN)
def test_what_names_no_option_is_no_letter(part: str) -> None:
    chosen = read_choice(part, CITIES)
    assert chosen is None or chosen.answer not in "ABCD"


@pytest.mark.parametrize(
    "part",
    [
        "The answer is A large river.",
        "The answer is I think unclear.",
        "The answer is I'm not sure.",
        "My answer: I do not know",
        "I think it is this one.",
        "A good answer would need more.",
        "The answer is A* search.",
    ],
)
def test_letters_that_are_words_are_no_choices(part: str) -> None:
    chosen = read_choice(part, TEN)
    assert chosen is None or chosen.answer not in "ABCDEFGHIJ"


def test_a_letter_beyond_the_options_is_wrong_and_not_nothing() -> None:
    chosen = read_choice(r"\boxed{F}", CITIES)
    assert chosen and chosen.answer == "F"
    assert not is_right(chosen, choice_reference({"answer": "C", "choices": CITIES}))


def test_options_that_look_like_letters_or_numbers() -> None:
    def letter(part: str, choices: list[str]) -> str | None:
        chosen = read_choice(part, choices)
        return chosen.answer if chosen else None

    assert letter(r"\boxed{4}", ["2", "4", "8", "16"]) == "B"
    assert letter(r"\boxed{B}", ["B", "A", "D", "C"]) == "B"
    assert letter("x^2", ["$x$", "$x^2$"]) == "B"
    assert letter("us", ["US", "us"]) == "B"
    assert letter("The answer is B cells.", ["B cells", "T cells"]) == "A"
    assert letter("The answer is the U.S. Congress.", ["the U.S", "the U.S. Congress"]) == "B"
    assert letter(r"\boxed{23}", ["2*3", "x_1"]) == "23" and letter("x1", ["2*3", "x_1"]) is None
    assert letter("Same", ["same", "same"]) is None
    formulas = [r"$\frac{1}{2}$", r"$\frac{1}{3}$", r"$\sqrt{2}$", r"$2\pi$", "100 m/s"]
    for letter_, text in zip(
        "AACDE", [r"\frac12", "1/2", r"\sqrt 2", r"2 \pi", r"100\,\text{m/s}"], strict=True
    ):
        assert letter(rf"\boxed{{{text}}}", formulas) == letter_
    assert letter(r"\boxed{\frac\pi4}", [r"\pi/2", r"\pi/4"]) == letter(
        r"\boxed{\pi/4}", ["$x$", r"\frac{\pi}{4}"]
    )
    assert letter(r"The answer is $\frac{3}{4}$.", [r"\(\frac{1}{4}\)", r"\(\frac{3}{4}\)"]) == "B"
    assert letter(r"\boxed{\frac13}", [r"\frac{1}{2}", r"\sqrt{13}"]) == r"\frac13"


def test_an_answer_that_may_go_on_says_so() -> None:
    assert [read_choice(part, CITIES).at_end for part in ("Answer: C", "Answer: C.", "(C", r"\boxed{C}")] == [  # type: ignore[union-attr]
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("C", "object"),
        ({"answer": "C"}, "list of texts"),
        ({"answer": "E", "choices": CITIES}, "'E' is none of the letters ABCD"),
        ({"answer": None, "choices": CITIES}, "None"),
        ({"answer": "C", "choices": [1, 2, 3]}, "list of texts"),
    ],
)
def test_a_reference_of_another_form_is_refused(reference: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        choice_reference(reference)


@pytest.mark.parametrize(
    "piece",
    ["answer is ", "Answer: (", "Answer: A ", "**", "(((", "\\text{", "A) ", "$", "\n", "(C) is the "],
)
@pytest.mark.timeout(60)  # a pattern that goes back over what it read would take hours
def test_long_texts_are_read_in_one_go(piece: str) -> None:
    longest = piece * (2_000_000 // len(piece))
    assert read_choice(longest + "\nThe answer is (C).", CITIES).answer == "C"
