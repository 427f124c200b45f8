"""Verdicts of a model: each asked for once, kept, and resumed.

Asked behind an OpenAI-compatible endpoint; or, of a judge without an address, by whoever has an engine, who
is told what is still `wanted` and hands over the words. The door of HTTP in this room; the standard library
is enough for it, so grading needs no client package. A verdict that cannot be had is an error with its
reason, never a low score.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

from rsft.errors import StorageError
from rsft.scoring.reading import answer_part
from rsft.scoring.rubrics import Rubric

KEY = "RSFT_JUDGE_KEY"
"""Environment variable with the endpoint's key; read where requests are made, never stored."""

LARGEST_REPLY = 1 << 20
"""Bytes; a longer reply is rubbish."""

LONGEST_PAUSE_S = 60.0
"""What a server may ask us to wait at most (Retry-After)."""


@dataclass(frozen=True, slots=True)
class Item:
    """A response to be judged."""

    prompt: str
    response: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the rubric asks for beside those two."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What judging came to."""

    raw: float
    """In [0, 1], as the rubric defines it; 0.0 when there is a `why`."""
    words: str = ""
    """What the judge wrote."""
    why: str = ""
    """Why there is no verdict; empty when there is one."""
    cached: bool = False
    """It was known before."""


WAITS = "not judged yet"
"""Why there is no verdict of a judge without an address that has not been asked."""


class _Again(Exception):
    """A failure that may pass; `pause_s` is what the server asked for."""

    def __init__(self, why: str, pause_s: float = 0.0, *, dead: bool = False) -> None:
        super().__init__(why)
        self.pause_s, self.dead = pause_s, dead


class _Never(Exception):
    """A failure that asking again cannot mend; `of_all`: nor any other item."""

    def __init__(self, why: str, *, of_all: bool = False) -> None:
        super().__init__(why)
        self.of_all = of_all


class Judge:
    """Judges items against one rubric, several at a time."""

    def __init__(
        self,
        address: str | None,
        model: str,
        rubric: Rubric,
        cache: str | Path,
        *,
        version: str = "",
        parallel: int = 8,
        attempts: int = 4,
        limit_s: float = 120.0,
        pause_s: float = 1.0,
    ) -> None:
        """Reads the verdicts that are known; opens no connection.

        Args:
            address: such as http://127.0.0.1:8000/v1; None: verdicts come by `hear` alone.
            model: name of the judge there.
            rubric: what is asked.
            cache: JSON-lines file to which each verdict is added as soon as it is there.
            version: of the judge, where its name does not say: part of a verdict's identity.
            parallel: requests in flight.
            attempts: requests per item and call.
            limit_s: seconds for one request, from its start to the last byte.
            pause_s: before the second attempt; doubles with each.

        Raises:
            StorageError: the cache cannot be read.
        """
        self._url = f"{address.rstrip('/')}/chat/completions" if address else None
        self._model, self._version, self._rubric = model, version, rubric
        self._parallel, self._attempts, self._limit_s, self._pause_s = parallel, attempts, limit_s, pause_s
        self._cache = Path(cache)
        self._known = self._read_cache()
        self._lock = threading.Lock()
        self._in_vain = 0  # since the last words: requests that reached nobody, items given up
        self._in_vain_why = ""

    def good(self, raw: float) -> bool:
        """Whether a number counts as correct."""
        return self._rubric.good(raw)

    def key(self, item: Item) -> str:
        """Of a verdict: who judges (model, version), a dash, and what (`judged`)."""
        return f"{_digest([self._model, self._version])[:16]}-{judged(self._rubric, item)}"

    def judge_all(self, items: Sequence[Item]) -> list[Judgement]:
        """A judgement per item, in the order given. Equal items are asked once; errors are not kept.

        A judge that is gone, or takes nothing from us (a wrong key, a quota that is used up), is noticed:
        once as many requests in a row as two rounds of all connections have reached nobody, or as many items
        have been given up, the rest are errors at once.

        Raises:
            SpecError: an item lacks what the rubric needs.
            StorageError: a verdict cannot be kept.
        """
        keys = [self.key(item) for item in items]
        known = set(self._known)
        found = {key: self._known[key] for key in keys if key in known}
        open_items = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
        if self._url is None:
            return [found.get(key) or Judgement(0.0, why=WAITS) for key in keys]
        self._in_vain = 0
        with ThreadPoolExecutor(self._parallel) as pool:
            asked = {pool.submit(self._judge, key, item): key for key, item in open_items.items()}
            try:
                for future in as_completed(asked):
                    found[asked[future]] = future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return [found[key] for key in keys]

    def wanted(self, items: Sequence[Item]) -> dict[str, str]:
        """What a judge without an address is to be asked, by verdict: the whole message."""
        return {
            key: f"{self._rubric.system}\n\n{_filled(self._rubric, item)}"
            for item in items
            if (key := self.key(item)) not in self._known
        }

    def hear(self, key: str, words: str) -> Judgement:
        """Reads and keeps what a judge without an address has said; also words without a verdict, since it
        says the same when it is asked again.

        Raises:
            StorageError: the verdict cannot be kept.
        """
        judgement = self._read(words) if words else Judgement(0.0, why="the judge had no room to answer")
        if judgement.why:
            judgement = replace(judgement, words=words)
        self._keep(key, judgement)
        return judgement

    def _read(self, words: str) -> Judgement:
        """The verdict in a judge's words, its thinking left out: there it tries verdicts on."""
        said = judged_part(words)
        raw = self._rubric.read(said)
        if raw is not None:
            return Judgement(raw, said)
        if words.strip() and not said:
            return Judgement(0.0, why="the judge never ended its thinking")
        return Judgement(0.0, why=f"no verdict in the judge's words: {said!r:.120}")

    def _judge(self, key: str, item: Item) -> Judgement:
        """Of one item; kept here, so that what is in flight when somebody interrupts us is not lost."""
        asked = _filled(self._rubric, item)
        why, pause_s, words = "", self._pause_s, None
        for attempt in range(self._attempts):
            if self._in_vain >= 2 * self._parallel:
                return Judgement(0.0, why=f"judge gone: {why or self._in_vain_why}")
            try:
                words = self._ask(asked)
                self._in_vain = 0
                judgement = self._read(words)
                if not judgement.why:
                    self._keep(key, judgement)
                    return judgement
                why = judgement.why
            except _Never as error:
                if error.of_all:
                    self._one_in_vain(str(error))
                return Judgement(0.0, why=str(error))
            except _Again as error:
                why, asked_s = str(error), error.pause_s
                if error.dead:
                    self._one_in_vain(why)
                pause_s = max(pause_s, min(asked_s, LONGEST_PAUSE_S))
            if attempt + 1 < self._attempts:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        if words is None:
            self._one_in_vain(why)
        return Judgement(0.0, why=f"{why} ({self._attempts} attempts)")

    def _one_in_vain(self, why: str) -> None:
        with self._lock:
            self._in_vain, self._in_vain_why = self._in_vain + 1, why

    def _ask(self, asked: str) -> str:
        """One request; the judge's words."""
        messages = [{"role": "system", "content": self._rubric.system}, {"role": "user", "content": asked}]
        body = {"model": self._model, "messages": messages, "temperature": 0.0, "seed": 0}
        assert self._url is not None, "a judge without an address is not asked from here"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        if key := os.environ.get(KEY):
            # Not sent on to where a server redirects us.
            request.add_unredirected_header("Authorization", f"Bearer {key}")
        try:
            reply = self._body(request)
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None
        except TimeoutError:
            raise _Again(f"judge timeout after {self._limit_s:g} s") from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _Again(f"judge timeout after {self._limit_s:g} s") from None
            raise _Again(f"judge not reached: {error.reason}", dead=True) from None
        except (OSError, HTTPException) as error:
            raise _Again(f"judge hung up: {type(error).__name__}", dead=True) from None
        try:
            words = json.loads(reply)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise _Again(f"judge's reply is no chat completion: {_said(reply[:2_000])!r:.120}") from None
        if not isinstance(words, str):
            raise _Again(f"judge's reply has no text: {words!r:.80}")
        return words

    def _body(self, request: urllib.request.Request) -> bytes:
        """The whole reply within the limit; a socket's own timeout starts again with every byte."""
        end, body = time.monotonic() + self._limit_s, b""
        with urllib.request.urlopen(request, timeout=self._limit_s) as reply:
            while piece := reply.read1(1 << 16):
                body += piece
                if time.monotonic() > end:
                    raise TimeoutError
                if len(body) > LARGEST_REPLY:
                    break
        return body

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        with error:
            said = _said(error.read(2_000))
        if error.code in (408, 409, 425, 429) or error.code >= 500:
            return _Again(f"judge says {error.code}: {said:.120}", _pause_s(error.headers["Retry-After"]))
        return _Never(f"judge says {error.code}: {said:.200}", of_all=error.code in (401, 403, 404))

    def _read_cache(self) -> dict[str, Judgement]:
        try:
            lines = self._cache.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"verdicts in {self._cache} cannot be read ({error}).") from None
        known = {}
        for line in lines:
            with contextlib.suppress(ValueError, LookupError, TypeError):  # torn by a kill: asked again
                row = json.loads(line)
                raw, words, why = float(row["raw"]), str(row["words"]), str(row.get("why", ""))
                known[str(row["key"])] = Judgement(raw, words, why, cached=True)
        return known

    def _keep(self, key: str, judgement: Judgement) -> None:
        row = {"key": key, "judge": self._model, "version": self._version, "rubric": self._rubric.name}
        said = {"raw": judgement.raw, "words": judgement.words}
        line = json.dumps(row | said | ({"why": judgement.why} if judgement.why else {}))
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, self._cache.open("ab") as file:
                torn = file.tell() > 0 and not _ends_a_line(self._cache)
                file.write(b"\n" * torn + line.encode() + b"\n")
        except OSError as error:
            raise StorageError(f"a verdict cannot be kept in {self._cache} ({error}).") from None
        self._known[key] = replace(judgement, cached=True)


def judged(rubric: Rubric, item: Item) -> str:
    """What is judged, rubric and message, as a hash: the same for every judge, and for people."""
    return _digest([rubric.name, rubric.fingerprint, _filled(rubric, item)])


def _said(body: bytes) -> str:
    """What a server said, on one line."""
    text = " ".join(body.decode("utf-8", "replace").split())
    key = os.environ.get(KEY)
    return text.replace(key, "(the key)") if key else text  # some servers repeat what they refuse


def _pause_s(asked: str | None) -> float:
    """Seconds of a Retry-After, which is a number or a date; 0 where it is neither."""
    with contextlib.suppress(ValueError, TypeError):
        return float(asked or 0)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(asked or "").timestamp() - time.time())
    return 0.0


def _filled(rubric: Rubric, item: Item) -> str:
    return rubric.fill(item.prompt, judged_part(item.response), item.metadata)


def _digest(facts: list[str]) -> str:
    # A lone surrogate of a broken response has no UTF-8: JSON escapes it.
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def judged_part(response: str) -> str:
    """What a judge sees: the text after the last end of thinking; nothing when it never ends."""
    return (answer_part(response) or "").strip()
