"""What all specs share: frozen, no unknown fields, one clear sentence for a wrong value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rsft.errors import SpecError, install_one_sentence_hook

install_one_sentence_hook()


class Spec(BaseModel):
    """A frozen page of settings. Every field is checked when it is built.

    Raises:
        SpecError: one sentence with the field, the value, the rule and the fix.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="constants"
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SpecError(_sentence(type(self).__name__, error)) from None


def _sentence(spec: str, error: ValidationError) -> str:
    """The first complaint of pydantic, as field, value, rule and fix."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if isinstance((cause := first.get("ctx", {}).get("error")), SpecError):
        return str(cause)
    if first["type"] == "extra_forbidden":
        return f"{spec} has no field {field!r}; remove it or correct its spelling."
    if first["type"] == "missing":
        return f"{spec}.{field} is missing; give it a value."
    more = "" if error.error_count() == 1 else f" ({error.error_count() - 1} more in this spec)"
    rule = first["msg"][0].lower() + first["msg"][1:]
    value = repr(first["input"])
    value = value if len(value) < 100 else value[:97] + "..."
    where = f"{spec}.{field}" if field else spec
    return f"{where}={value}: {rule.removeprefix('value error, ')}; change it{more}."


def canonical(facts: object) -> str:
    """JSON-able facts as the one text that they have on any machine."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def content_hash(facts: object, length: int = 8) -> str:
    """Hex digest of JSON-able facts; the same facts give the same digest on any machine."""
    return hashlib.sha256(canonical(facts).encode()).hexdigest()[:length]


def joined_hash(texts: Mapping[str, str], length: int = 8) -> str:
    """The `content_hash` of a mapping from plain words to values that are canonical texts already."""
    text = ",".join([f'"{name}":{texts[name]}' for name in sorted(texts)])
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()[:length]
