"""Sentences that only look like a procedure, as data: stories about checks, buses and hats."""

from __future__ import annotations

LOOKALIKES: dict[str, tuple[str, ...]] = {
    "backtracking": (
        r"\b(?:actually|instead|back to),? (?:he|she|they|his|her)\b",
        r"\b(?:he|she|they|who) (?:went|came|goes|comes|walked|drove|returned|got|gave) back\b",
        r"\bdead end (?:street|road|job)\b",
    ),
    "verification": (
        r"\b(?:he|she|they|who) (?:\w+ )?(?:checks?|checked)\b",
        r"\b(?:wrote|write|pay|paid|cash\w*|sent|by|of|deposit\w*) (?:a |an |the |his |"
        r"her )?(?:\w+ )?checks?\b",
        r"\b(?:check(?:ed|s)?[- ]?(?:in|out|up|ups|book|ing account|pattern|mark)) (?:at|of|from|the|a|"
        r"three|fee|counter|time)\b",
        r"\bcheck for \$",
    ),
    "subgoals": (
        r"\bback(?:wards?)? step by step\b",
        r"^instead\b.{0,80}\bagain\b",
    ),
    "backward-chaining": (
        r"\b(?:walk\w*|spell\w*|runs?|ran|steps?|skat\w+|rides?|rode) (?:\w+ ){0,3}?backwards?\b",
    ),
    "trial-and-error": (
        r"\btr(?:y|ies|ied|ying) (?:on|out for|hard)\b|\b(?:he|she|they) (?:try|tries|tried)\b",
    ),
}
"""Procedure -> patterns, of which none may be found in a sentence that holds it."""
