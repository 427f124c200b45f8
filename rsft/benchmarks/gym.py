"""reasoning-gym's tasks as benchmarks: those of the catalogue, and any other by name."""

from __future__ import annotations

import difflib
from urllib.parse import parse_qsl

from rsft.benchmarks.card import Benchmark, Dimension, GeneratedProblems
from rsft.errors import SpecError
from rsft.spec.seeds import BLOCK, BLOCKS

PREFIX = "reasoning_gym:"

SIZE = 500
"""Problems of a generated benchmark that names no size."""

TASKS = frozenset(
    """
ab acre advanced_geometry aiw arc_1d arc_agi base_conversion basic_arithmetic bf binary_alternation
binary_matrix bitwise_arithmetic boxnet caesar_cipher calendar_arithmetic chain_sum circuit_logic codeio
coin_flip color_cube_rotation complex_arithmetic count_bits count_primes countdown course_schedule
cryptarithm decimal_arithmetic decimal_chain_sum dice emoji_mystery family_relationships figlet_font
fraction_simplification futoshiki game_of_life game_of_life_halting gcd graph_color group_anagrams
gsm_symbolic intermediate_integration isomorphic_strings jugs kakurasu knight_swap knights_knaves
largest_island lcm leg_counting letter_counting letter_jumble list_functions mahjong_puzzle
manipulate_matrix maze mini_sudoku modulo_grid n_queens needle_haystack number_filtering number_format
number_sequence number_sorting palindrome_generation palindrome_partitioning path_star polynomial_equations
polynomial_multiplication pool_matrix power_function prime_factorization products propositional_logic
puzzle24 quantum_lock ransom_note rearc rectangle_count rotate_matrix rotten_oranges rubiks_cube rush_hour
self_reference sentence_reordering shortest_path simple_equations simple_geometry simple_integration sokoban
spell_backward spiral_matrix string_insertion string_manipulation string_splitting string_synthesis sudoku
survo syllogism time_intervals tower_of_hanoi tsumego word_ladder word_sequence_reversal word_sorting
zebra_puzzles
""".split()  # noqa: SIM905 - a list of one name a line would hide the file
)
"""All that reasoning-gym 0.1.25 makes without being given parts (`composite` needs them)."""


def generated(name: str, dimension: Dimension, about: str, **config: int | float | str | bool) -> Benchmark:
    """A card of the catalogue whose problems a task makes; the task's name has underscores."""
    return Benchmark(
        name=name,
        dimension=dimension,
        source=GeneratedProblems(task=name.replace("-", "_"), config=config),
        problems=SIZE,
        grader="reasoning_gym",
        about=about,
        note="made by reasoning-gym, not in the study",
    )


def by_name(name: str) -> Benchmark:
    """The benchmark that `reasoning_gym:TASK?seed=7&size=200&max_terms=3` describes.

    `seed` is a block of evaluation problems, 0 to 999, and `size` their number; the rest are settings of
    the task, which it checks itself when it makes the first problem. What is not set is as the package has
    it, for countdown too, whose card is easier.

    Raises:
        SpecError: an unknown task, a seed or size that cannot be, or a setting that is given twice.
    """
    task, _, query = name.removeprefix(PREFIX).partition("?")
    if task not in TASKS:
        near = difflib.get_close_matches(task, TASKS, n=1, cutoff=0.0)[0]
        raise SpecError(
            f"evaluation.benchmarks names {name!r}, but reasoning-gym has no task {task!r}; "
            f"the nearest is {near!r}."
        )
    given = parse_qsl(query, keep_blank_values=True)
    config = {key: _value(text) for key, text in given}
    if len(config) < len(given):
        raise SpecError(f"evaluation.benchmarks: {name!r} sets something twice; say it once.")
    seed, size = config.pop("seed", 0), config.pop("size", SIZE)
    if type(seed) is not int or not 0 <= seed < BLOCKS:
        raise SpecError(f"evaluation.benchmarks: {name!r} has seed={seed}; choose one in 0..{BLOCKS - 1}.")
    if type(size) is not int or not 2 <= size <= BLOCK:
        raise SpecError(f"evaluation.benchmarks: {name!r} has size={size}; choose one in 2..{BLOCK}.")
    return Benchmark(
        name=name,
        dimension="out-of-domain",
        source=GeneratedProblems(task=task, config=config, seed=seed),
        problems=size,
        grader="reasoning_gym",
        about=f"reasoning-gym's {task}" + (f" ({query})" if query else ""),
        note="made by reasoning-gym, not in the study",
    )


def _value(text: str) -> int | float | str | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
