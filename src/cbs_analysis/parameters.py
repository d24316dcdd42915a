"""Files of `params` as the models that describe them; what is wrong in one is said in one line: where, what, and what
would be right.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cbs_analysis.errors import UserError, nearest

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(params: Path, name: str) -> Any:
    """What a YAML file of `params` holds; None where it is empty. Raises UserError where it cannot be read."""
    shown = f"params/{name}"
    try:
        return _parsed((params / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{shown} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        said = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UserError(f"{shown}{where}: not readable as YAML: {said}") from None


def read_keys(params: Path, name: str) -> dict[str, Any]:
    """As `read_yaml`, of a file that must be keys with values."""
    return keyed(read_yaml(params, name), f"params/{name}")


def keyed(values: Any, shown: str) -> dict[str, Any]:
    """The values as they are, where they are keys with values. Raises UserError where they are not."""
    if values is None:
        raise UserError(f"{shown}: is empty; it must be keys with values")
    if not isinstance(values, dict):
        raise UserError(f"{shown}: must be keys with values, not {values!r}")
    return values


def validated(model: type[Model], values: Mapping[str, Any], shown: str) -> Model:
    """The model that the values make. Raises UserError on the first that is wrong, unknown keys before others."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first, *rest = sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        where = [str(part) for part in first["loc"] if part != "[key]"]
        more = f" (and {len(rest)} more)" if rest else ""
        if first["type"] == "extra_forbidden":
            said = f"unknown key {'.'.join(where)!r}; {nearest(where[-1], _keys_at(model, first['loc'][:-1]))}"
            if first["input"] is None:  # within braces, YAML takes what follows a comma for a key
                said += "; text that holds a comma belongs in quotation marks"
        else:
            said = ": ".join(filter(None, [".".join(where), _in_words(where[-1] if where else "", first)]))
        raise UserError(f"{shown}: {said}{more}") from None


def _in_words(key: str, error: Mapping[str, Any]) -> str:
    kind, given = error["type"], error["input"]
    if kind == "value_error":  # of a check of ours, which says what is wrong and what would be right
        return str(error["ctx"]["error"])
    if kind == "missing":
        return str(error["msg"]).lower()
    if kind == "tuple_type":
        return f"must be a list, each line starting with '- ', not {given!r}"
    if key.endswith("_year") and kind in ("string_type", "string_pattern_mismatch"):
        return f"a financial year is written like 2010/11, not {given!r}"
    is_plain = kind == "string_type" and not isinstance(given, list | dict | None)
    return f"{str(error['msg']).lower()}, not {given!r}{'; put it in quotation marks' if is_plain else ''}"


def _keys_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that a mapping may have at a place in a model, through the models that lie on the way to it."""
    here: type[BaseModel] = model
    for part in place:
        field = here.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field else None
        here = inner or here
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _model_in(part):
            return found
    return None


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    return yaml.safe_load(text)


class LocalCommentary(BaseModel):
    """What an area says for itself; shown as its own words, never mixed with the evidence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priorities: tuple[str, ...] = ()
    commentary: str = ""


def load_commentary(code: str, params: Path) -> LocalCommentary:
    """An area's own priorities and commentary, from `params/areas/<code>.yml`; empty where it has no such file."""
    name = f"areas/{code}.yml"
    if not (params / name).exists():
        return LocalCommentary()
    return validated(LocalCommentary, read_keys(params, name), f"params/{name}")
