"""Strict reading of YAML and CSV configuration, with errors that name file, key and expected value.

The YAML loader is stricter than PyYAML's default: a number with a decimal point stays text (money never
passes through float), `NO` is Norway and not false, `0140` is an account and not ninety-six, and a repeated
key is an error.
"""

from __future__ import annotations

import csv
import difflib
import re
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from showcost.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound="ConfigModel")
MadeT = TypeVar("MadeT")


class ConfigModel(BaseModel):
    """Base of all configuration models: immutable, without unknown keys; numbers are accepted as text."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class _StrictConstructor(yaml.constructor.SafeConstructor):
    """Builds mappings without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; a repeated key is an error at its place."""
        keys: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} occurs twice", problem_mark=key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep=deep)


_TAG: Final = "tag:yaml.org,2002:"


def _day(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    """Build a date; an impossible date is an error at its place."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


def _strict(base: type[yaml.SafeLoader | yaml.CSafeLoader]) -> type[yaml.SafeLoader]:
    """Return a loader whose plain scalars are text, true/false, null, plain integers or ISO dates."""
    loader: type[yaml.SafeLoader] = type("_StrictLoader", (_StrictConstructor, base), {})
    loader.yaml_implicit_resolvers = {}
    for name, pattern, first in (
        ("bool", r"true|True|false|False", "tTfF"),
        ("null", r"~|null|Null|", ["~", "n", "N", ""]),
        ("int", r"0|-?[1-9][0-9]*", "-0123456789"),
        ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "0123456789"),
        ("merge", r"<<", "<"),
    ):
        loader.add_implicit_resolver(_TAG + name, re.compile(rf"^(?:{pattern})$"), list(first))
    loader.add_constructor(_TAG + "timestamp", _day)
    return loader


# libyaml, which is part of PyYAML's wheels, takes an eighth of the time; the Python loader has better errors.
_VERBOSE: Final = _strict(yaml.SafeLoader)
_FAST: Final = _strict(yaml.CSafeLoader) if yaml.__with_libyaml__ else _VERBOSE


def read_yaml(path: Path) -> object:
    """Return the content of a YAML file, read strictly; ConfigError when missing or malformed."""
    documents = read_yaml_documents(path)
    if len(documents) > 1:
        raise ConfigError(path, "", "one YAML document", f"{len(documents)} documents")
    return documents[0] if documents else None


def read_yaml_documents(path: Path) -> list[object]:
    """Return the documents of a YAML file, read strictly; ConfigError when missing or malformed."""
    text = _read_text(path, "utf-8")
    with suppress(ValueError, yaml.YAMLError):
        return list(yaml.load_all(text, Loader=_FAST))
    try:
        return list(yaml.load_all(text, Loader=_VERBOSE))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(path, where, f"YAML ({error.problem})") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(path, "", f"YAML ({error})") from None


def _read_text(path: Path, encoding: str) -> str:
    try:
        return path.read_text(encoding=encoding)
    except FileNotFoundError:
        raise ConfigError(path, "", "this file to exist") from None
    except OSError as error:
        raise ConfigError(path, "", f"a readable file ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(path, "", f"UTF-8 text (byte {error.start} is not)") from None


def load_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read a YAML file into a model; ConfigError names the first invalid key."""
    return made_once(path, model, lambda: build_model(path, model, read_yaml(path)))


def made_once(path: Path, what: Hashable, make: Callable[[], MadeT]) -> MadeT:
    """Return what `make` makes of a file, made once per process for the same bytes and the same `what`.

    The result must be immutable, since it is shared. Errors are not kept. ConfigError without the file.
    """
    key = (sha256(_read_text(path, "utf-8").encode()).digest(), what)
    if key not in _MADE:
        made = make()
        if len(_MADE) >= _MOST_MADE:
            _MADE.clear()
        _MADE[key] = made
    made_before: MadeT = _MADE[key]
    return made_before


_MADE: Final[dict[tuple[bytes, Hashable], Any]] = {}
_MOST_MADE: Final = 1_000


def build_model(path: Path | str, model: type[ModelT], content: object, *, below: str = "") -> ModelT:
    """Build a model from loaded content; ConfigError names the file, the key and the expected value.

    `below` is the key in the file that contains the content.
    """
    if not isinstance(content, dict):
        raise ConfigError(path, below, f"a mapping of keys such as {', '.join(list(model.model_fields)[:3])}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # A misspelt key is also missing under its correct name: the unknown key says more.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != _UNKNOWN_KEY)
        raise _config_error(path, model, faults[0], below) from None


_UNKNOWN_KEY: Final = "extra_forbidden"
_EXPECTED: Final = {
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_short": "text that is not blank",
    "string_type": "text",
    "too_short": "at least {min_length} of them",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "date_type": "a date such as 2026-10-31",
    "date_parsing": "a date such as 2026-10-31",
    "date_from_datetime_parsing": "a date such as 2026-10-31",
}
"""Texts that replace those of pydantic, by its type of error."""


def _config_error(path: Path | str, model: type[BaseModel], detail: ErrorDetails, below: str) -> ConfigError:
    key = ".".join([*([below] if below else []), *(str(part) for part in detail["loc"])])
    match detail["type"]:
        case "missing":
            return ConfigError(path, key, "a value here, but the key is missing")
        case "extra_forbidden":
            return ConfigError(path, key, f"no such key{_suggestion(model, detail['loc'])}")
        case "value_error":
            # A rule over several keys has all of them as its input: its own text names the wrong value.
            value = None if isinstance(detail["input"], dict) else _shown(detail["input"])
            return ConfigError(path, key, str(detail["ctx"]["error"]), value)
        case _:
            template = _EXPECTED.get(detail["type"])
            expected = (
                template.format(**detail.get("ctx", {}))
                if template
                else detail["msg"].removeprefix("Input should be ")
            )
            return ConfigError(path, key, expected, _shown(detail["input"]))


def _shown(value: object) -> object:
    return value if isinstance(value, str | int | bool) or value is None else str(value)[:80]


def _suggestion(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Return a suggestion for an unknown key, following its path into nested models."""
    here: type[BaseModel] | None = model
    for part in location[:-1]:
        field = here.model_fields.get(str(part)) if here else None
        if field is not None:
            here = next(
                (
                    candidate
                    for candidate in (field.annotation, *get_args(field.annotation))
                    if isinstance(candidate, type) and issubclass(candidate, BaseModel)
                ),
                None,
            )
    names = [field.alias or name for name, field in here.model_fields.items()] if here else []
    near = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f" (did you mean {near[0]}?)" if near else f" (known keys: {', '.join(names)})" if names else ""


def read_csv_rows(path: Path, required: tuple[str, ...], optional: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a configuration CSV (UTF-8, comma, header), each with its `line` number as text.

    ConfigError when the file, a required column or a cell is missing, or a column is unknown.
    """
    text = _read_text(path, "utf-8-sig")
    reader = csv.reader(text.splitlines(), strict=True)
    rows: list[dict[str, str]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required, optional)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise ConfigError(path, f"line {reader.line_num}", f"{len(header)} cells", len(cells))
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            rows.append(row | {"line": str(reader.line_num)})
    except csv.Error as error:
        raise ConfigError(path, f"line {reader.line_num}", f"CSV ({error})") from None
    return rows


def _check_header(
    path: Path, header: list[str], required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    for name in required:
        if name not in header:
            raise ConfigError(path, "line 1", f"a column {name}", ",".join(header))
    for name in header:
        if name not in required + optional:
            raise ConfigError(path, "line 1", f"only columns {', '.join(required + optional)}", name)
