"""The 25 verifiable instructions of IFEval, each as a question to a response.

Defined in Zhou et al. 2023 (arXiv 2311.07911, table 4) and by the authors' program, google-research's
`instruction_following_eval/instructions.py`; the class named in each docstring is the one there. Verdicts are
the program's, quirks included, with these differences: every check takes time linear in the response; an
argument that is missing is an error instead of a random value; language detection is seeded; a letter that
is none of a to z ("#") is counted as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rsft.scoring import sentences

Arguments = Mapping[str, Any]
Check = Callable[[str, Arguments], bool]


def _compared(found: int, arguments: Arguments, relation: str, threshold: str) -> bool:
    """`less than` is strict, `at least` is not (`_COMPARISON_RELATION`)."""
    wanted, how = int(arguments[threshold]), arguments[relation]
    if how not in ("less than", "at least"):
        raise ValueError(f"{relation} is {how!r}; IFEval knows 'less than' and 'at least'")
    return found < wanted if how == "less than" else found >= wanted


def _pattern(keyword: str) -> str:
    """A keyword is a regular expression there; one that is none ("C++") is meant literally."""
    try:
        re.compile(keyword)
    except re.error:
        return re.escape(keyword)
    return keyword


def keyword_existence(response: str, arguments: Arguments) -> bool:
    """KeywordChecker: every keyword occurs, in any case, also inside a word."""
    return all(re.search(_pattern(word), response, re.IGNORECASE) for word in arguments["keywords"])


def keyword_frequency(response: str, arguments: Arguments) -> bool:
    """KeywordFrequencyChecker: how often a keyword occurs, also inside words."""
    found = re.findall(_pattern(arguments["keyword"].strip()), response, re.IGNORECASE)
    return _compared(len(found), arguments, "relation", "frequency")


def forbidden_words(response: str, arguments: Arguments) -> bool:
    """ForbiddenWords: none of these occurs as a whole word."""
    words: Sequence[str] = arguments["forbidden_words"]
    return not any(re.search(rf"\b{_pattern(word)}\b", response, re.IGNORECASE) for word in words)


def letter_frequency(response: str, arguments: Arguments) -> bool:
    """LetterFrequencyChecker: how often a letter occurs, in any case."""
    found = response.lower().count(arguments["letter"].strip().lower())
    return _compared(found, arguments, "let_relation", "let_frequency")


def response_language(response: str, arguments: Arguments) -> bool:
    """ResponseLanguageChecker: the language that langdetect finds; true where it finds none."""
    return sentences.language(response) in (arguments["language"], None)


def number_sentences(response: str, arguments: Arguments) -> bool:
    """NumberOfSentences, by NLTK's Punkt."""
    return _compared(sentences.count(response), arguments, "relation", "num_sentences")


def number_paragraphs(response: str, arguments: Arguments) -> bool:
    """ParagraphChecker: parts between `***`; an empty one is allowed at both ends only."""
    parts = re.split(r"\s?\*\*\*\s?", response)
    if any(not part.strip() for part in parts[1:-1]):
        return False
    ends = {0, len(parts) - 1}
    return len(parts) - sum(not parts[at].strip() for at in ends) == int(arguments["num_paragraphs"])


def number_words(response: str, arguments: Arguments) -> bool:
    r"""NumberOfWords: runs of `\w`."""
    return _compared(len(re.findall(r"\w+", response)), arguments, "relation", "num_words")


def nth_paragraph_first_word(response: str, arguments: Arguments) -> bool:
    """ParagraphFirstWordCheck: paragraphs between blank lines, and the word that opens one of them."""
    parts = response.split("\n\n")
    count, nth = sum(bool(part.strip()) for part in parts), int(arguments["nth_paragraph"])
    if nth > count or not (paragraph := parts[nth - 1].strip()):
        return False
    word = paragraph.split(maxsplit=1)[0].lstrip("'").lstrip('"')
    first = re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower()
    return count == int(arguments["num_paragraphs"]) and first == str(arguments["first_word"]).lower()


def number_placeholders(response: str, arguments: Arguments) -> bool:
    r"""PlaceholderChecker: matches of `\[.*?\]`."""
    found = 0
    for line in response.split("\n"):
        start = line.find("[")
        while start >= 0 and (end := line.find("]", start)) >= 0:
            found += 1
            start = line.find("[", end)
    return found >= int(arguments["num_placeholders"])


def postscript(response: str, arguments: Arguments) -> bool:
    """PostscriptChecker: the marker occurs; blanks between the letters of P.S. and P.P.S do not matter."""
    marker = arguments["postscript_marker"].strip()
    known = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    return re.search(known.get(marker) or _pattern(marker.lower()), response.lower()) is not None


def number_bullet_lists(response: str, arguments: Arguments) -> bool:
    r"""BulletListChecker: exactly so many matches of `^\s*\*[^\*].*$` and `^\s*-.*$`."""
    lines = [line.lstrip() for line in response.split("\n")]
    found, at = sum(line.startswith("-") for line in lines), 0
    while at < len(lines):
        if lines[at] == "*" and at + 1 < len(lines):
            found, at = found + 1, at + 1  # `[^\*]` takes the line end, `.*` the line after it
        elif lines[at][:1] == "*" and lines[at][1:2] not in ("", "*"):
            found += 1
        at += 1
    return found == int(arguments["num_bullets"])


def constrained_response(response: str, arguments: Arguments) -> bool:
    """ConstrainedResponseChecker: contains one of three fixed answers."""
    return any(f"My answer is {word}." in response for word in ("yes", "no", "maybe"))


def number_highlighted_sections(response: str, arguments: Arguments) -> bool:
    """HighlightSectionChecker: `*text*` and `**text**`; the latter is found by both patterns there too."""
    single = [match for match in re.findall(r"\*[^\n\*]*\*", response) if match.strip("*").strip()]
    double = [match for match in re.findall(r"\*\*[^\n\*]*\*\*", response) if match[2:-2].strip()]
    return len(single) + len(double) >= int(arguments["num_highlights"])


def multiple_sections(response: str, arguments: Arguments) -> bool:
    """SectionChecker: at least so many "Section 1"."""
    splitter = _pattern(arguments["section_spliter"].strip())
    return len(re.findall(rf"\s?{splitter}\s?\d+\s?", response)) >= int(arguments["num_sections"])


def json_format(response: str, arguments: Arguments) -> bool:
    """JsonFormat: all of it is JSON, a code fence around it apart."""
    text = response.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(opening)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(response: str, arguments: Arguments) -> bool:
    r"""TitleChecker: a `<<[^\n]+>>` with something in it."""
    for line in response.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end - 2 and line[start : end + 2].lstrip("<").rstrip(">").strip():
            return True
    return False


def two_responses(response: str, arguments: Arguments) -> bool:
    """TwoResponsesChecker: two different parts around `******`."""
    parts = response.split("******")
    if any(not part.strip() for part in parts[1:-1]):
        return False
    found = [part.strip() for part in parts if part.strip()]
    return len(found) == 2 and found[0] != found[1]


def repeat_prompt(response: str, arguments: Arguments) -> bool:
    """RepeatPromptThenAnswer: starts with the request, in any case."""
    return response.strip().lower().startswith(arguments["prompt_to_repeat"].strip().lower())


def end_checker(response: str, arguments: Arguments) -> bool:
    """EndChecker: ends with the phrase, in any case, quotation marks around all of it apart."""
    return response.strip().strip('"').lower().endswith(arguments["end_phrase"].strip().lower())


def capital_word_frequency(response: str, arguments: Arguments) -> bool:
    """CapitalWordFrequencyChecker: NLTK word tokens in capitals ("I" is one)."""
    found = sum(word.isupper() for word in sentences.words(response))
    return _compared(found, arguments, "capital_relation", "capital_frequency")


def english_capital(response: str, arguments: Arguments) -> bool:
    """CapitalLettersEnglishChecker; true where langdetect finds no language."""
    return response.isupper() and sentences.language(response) in ("en", None)


def english_lowercase(response: str, arguments: Arguments) -> bool:
    """LowercaseLettersEnglishChecker; true where langdetect finds no language."""
    return response.islower() and sentences.language(response) in ("en", None)


def no_comma(response: str, arguments: Arguments) -> bool:
    """CommaChecker."""
    return "," not in response


def quotation(response: str, arguments: Arguments) -> bool:
    """QuotationChecker: starts and ends with a straight double quotation mark."""
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


CHECKS: dict[str, Check] = {
    "keywords:existence": keyword_existence,
    "keywords:frequency": keyword_frequency,
    "keywords:forbidden_words": forbidden_words,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": response_language,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
    "startend:end_checker": end_checker,
    "startend:quotation": quotation,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
}
"""IFEval's instruction id -> check of (response, arguments)."""
