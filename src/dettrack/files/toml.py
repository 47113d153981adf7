"""Settings from users: one check of their values, and the one reader of TOML files into dataclasses.

A setting is a field of a frozen dataclass. Its type says what it may be, and a `Range` beside the type which numbers:

    lam: Annotated[float, Range(0)] = 0.1

`check` holds the fields of an object against their types, so a mistake has one message wherever it comes from: the
command line, a TOML file or Python. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dettrack.errors import InputError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "Range",
    "changed",
    "check",
    "field_types",
    "fit",
    "from_texts",
    "option_name",
    "read_joint_thresholds",
    "read_table",
    "read_toml",
    "without_removed",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """Bounds of a number, beside its type: `Annotated[float, Range(0, 1)]`. NaN and infinity are in no range.

    Attributes:
        least: The smallest value.
        most: The largest value.
        above: `least` itself is left out.
        zero: 0 is accepted beside the range, with a meaning of its own.
    """

    least: int | float = -math.inf
    most: int | float = math.inf
    above: bool = False
    zero: bool = False

    def __contains__(self, value: int | float) -> bool:
        return (self.zero and value == 0) or (
            self.least <= value <= self.most and not (self.above and value == self.least)
        )

    def __str__(self) -> str:
        zero = "0 or " if self.zero else ""
        if self.most < math.inf:
            return f", {zero}from {self.least:g} to {self.most:g}"
        if self.least > -math.inf:
            return f", {zero}{'above' if self.above else 'at least'} {self.least:g}"
        return ""


def option_name(name: str) -> str:
    """Name of a setting on the command line, which all messages about it use: clip_length -> --clip-length."""
    return "--" + name.replace("_", "-")


def field_types(cls: type) -> Mapping[str, Any]:
    """Types of the fields of a dataclass by name, `Annotated` ones with their `Range`."""
    return _field_types(cls)


@cache
def _field_types(cls: Any) -> Mapping[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def check(settings: Any) -> None:
    """Hold a product setting's dataclass against its types; to be called in `__post_init__`.

    Whole numbers given for floats become floats and lists given for tuples become tuples, also in a frozen object.

    Raises:
        UsageError: The option's name, the value and what was expected.
    """
    for name, kind in field_types(type(settings)).items():
        given = getattr(settings, name)
        value = fit(kind, given, option_name(name))
        if value is not given:
            object.__setattr__(settings, name, value)


def fit(kind: Any, value: Any, name: str) -> Any:
    """A value as its type wants it.

    Args:
        kind: Type of a field: bool, int, float, str, Path, `Literal`, a tuple, a mapping, a dataclass, any of them or
            None, and `Annotated` with a `Range`.
        value: What was given.
        name: How messages call it.

    Returns:
        The value; a float for a whole number, a tuple for a list, a dataclass for a table, where the type says so.

    Raises:
        UsageError: It is of another type, no finite number, or out of range.
    """
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        try:
            number = fit(inner[0], value, name)
        except UsageError:
            raise _unfit(name, value, kind) from None
        if not all(number in bounds for bounds in inner[1:] if isinstance(bounds, Range)):
            raise _unfit(name, value, kind)
        return number
    if origin in (Union, types.UnionType):
        others = [one for one in inner if one is not type(None)]
        return None if value is None and len(others) < len(inner) else fit(others[0], value, name)
    if origin in (tuple, dict, Mapping):
        return _fit_several(kind, value, name)
    if dataclasses.is_dataclass(origin):
        if isinstance(value, Mapping):
            return read_table(origin, value, name)  # type: ignore[arg-type]
        accepted = isinstance(value, origin)  # type: ignore[arg-type]
    elif origin is Literal:
        accepted = any(type(value) is type(one) and value == one for one in inner)
    elif origin is int:
        accepted = isinstance(value, Integral) and not isinstance(value, bool)
    elif origin is float:
        accepted = isinstance(value, Real) and not isinstance(value, bool) and _finite(value)
    elif origin is Path:
        accepted = isinstance(value, str | Path)
    else:
        accepted = origin is Any or isinstance(value, origin)
    if not accepted:
        raise _unfit(name, value, kind)
    return origin(value) if origin in (int, float, Path) and type(value) is not origin else value


def from_texts(kind: Any, texts: Sequence[str]) -> Any:
    """Texts, as an option or a cell of a table has them, as a TOML file would have them.

    Args:
        kind: Type of a field.
        texts: One, or several for a list.

    Returns:
        A number where one is expected and the text reads as one; whether it fits is for `check` to say.
    """
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is tuple:
        return [from_texts(inner[0], [text]) for text in texts]
    if origin is Annotated:
        return from_texts(inner[0], texts)
    if origin is bool:
        return {"true": True, "false": False}.get(texts[0].lower(), texts[0])
    if origin in (int, float):
        with suppress(ValueError):
            return int(texts[0])
        with suppress(ValueError):
            return float(texts[0])
    return texts[0]


def _finite(value: Any) -> bool:
    """No NaN, no infinity, no whole number that is too large for a float."""
    return abs(value) <= sys.float_info.max if isinstance(value, int) else math.isfinite(value)


def _fit_several(kind: Any, value: Any, name: str) -> Any:
    """A tuple or mapping, entry by entry."""
    inner = get_args(kind)
    if isinstance(value, Mapping) and get_origin(kind) is not tuple:
        return {key: fit(inner[1], one, f"{name}.{key}") for key, one in value.items()}
    if not isinstance(value, list | tuple) or get_origin(kind) is not tuple:
        raise _unfit(name, value, kind)
    kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
    if len(kinds) != len(value):
        raise UsageError(f"{name} has {len(value)} entries: expected {len(kinds)}")
    entries = tuple(fit(one, entry, f"{name}[{i}]") for i, (one, entry) in enumerate(zip(kinds, value, strict=True)))
    return value if entries == value else entries


def _unfit(name: str, value: Any, kind: Any) -> UsageError:
    return UsageError(f"{name} is {value!r}: expected {_expected(kind)}")


def _expected(kind: Any) -> str:
    """What a type accepts, in words."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        return _expected(inner[0]) + "".join(str(bounds) for bounds in inner[1:] if isinstance(bounds, Range))
    if origin is Literal:
        return "one of " + ", ".join(repr(one) if one == "" else str(one) for one in inner)
    if origin is tuple:
        return f"a list, each of its entries {_expected(inner[0])}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    return words.get(origin, f"a table [{getattr(origin, '__name__', origin)}]")


def read_toml(path: Path) -> dict[str, Any]:
    """Contents of a TOML file; raises `InputError` with the place of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, and lists nested as deep, too
        raise InputError(f"{path} is not valid TOML: {str(error).splitlines()[0]}") from error


def read_table(cls: type[T], table: Any, where: str, defaults: T | None = None, label: Callable[[str], str] = str) -> T:
    """A dataclass from a TOML table, checked key by key; tables in it become the dataclasses in its fields.

    A dataclass may have `RENAMED` (old name of a field -> its name) and `REMOVED` (name of a former field -> why).

    Args:
        cls: The dataclass.
        table: Its fields by name.
        where: File, and place in it, for messages.
        defaults: Where the fields come from that the table leaves out; the defaults of the class if not given.
        label: How messages call a field, from its name.

    Returns:
        The dataclass.

    Raises:
        UsageError: An unknown or missing key, or a value of the wrong type or out of range; the message names it.
    """
    known = field_types(cls)
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} is {table!r}: expected a table of {', '.join(known)}")
    renamed: Mapping[str, str] = getattr(cls, "RENAMED", {})
    removed: Mapping[str, str] = getattr(cls, "REMOVED", {})
    values: dict[str, Any] = {}
    for given, value in table.items():
        name = renamed.get(given, given)
        if name in removed:
            raise UsageError(f"{where}: {name} was removed in {removed[name]}; delete it from the file")
        if name not in known:
            what = f"section [{given}]" if isinstance(value, Mapping) else f"key {given!r}"
            raise UsageError(f"{where}: unknown {what}; expected some of {', '.join(known)}")
        if dataclasses.is_dataclass(known[name]) and not isinstance(value, known[name]):
            inner = getattr(cls if defaults is None else defaults, name, None)
            values[name] = read_table(known[name], value, f"{where} [{given}]", inner, label)
        else:
            values[name] = fit(known[name], value, f"{where}: {label(name)}")
    missing = [
        field.name
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in missing if name not in values and defaults is None]
    if missing:
        raise UsageError(f"{where}: {', '.join(missing)} is missing")
    try:
        return cls(**values) if defaults is None else dataclasses.replace(defaults, **values)  # type: ignore[type-var]
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def changed(table: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The contents of a TOML file with some values replaced.

    Args:
        table: The contents.
        changes: Each `KEY=VALUE`: the keys of tables joined by points, and a value as TOML has it, or a text without
            quotes. Of a list of tables all are changed, or the one whose number, from 0, follows:
            "loop.batch=8", "data.images=frames", "held_out.0.every=2".

    Returns:
        The new contents.

    Raises:
        UsageError: Not of that form, or a key leads through something that is no table.
    """
    out = dict(table)
    for change in changes:
        key, equals, text = change.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys):
            raise UsageError(f"--set is {change!r}: expected KEY=VALUE, such as loop.batch=8")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        out = _replaced(out, keys, value, change)
    return out


def _replaced(table: Any, keys: Sequence[str], value: Any, change: str) -> Any:
    """A table, or list of tables, with one value replaced."""
    if not keys:
        return value
    if isinstance(table, list):
        numbers, rest = (range(len(table)), keys) if not keys[0].isdecimal() else ([int(keys[0])], keys[1:])
        if any(number >= len(table) for number in numbers):
            raise UsageError(f"--set is {change!r}: there are {len(table)} of them, counted from 0")
        return [_replaced(one, rest, value, change) if i in numbers else one for i, one in enumerate(table)]
    if not isinstance(table, Mapping):
        raise UsageError(f"--set is {change!r}: {keys[0]} is below {table!r}, which is no table")
    return {**table, keys[0]: _replaced(table.get(keys[0], {}), keys[1:], value, change)}


def without_removed(cls: type, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a dataclass as an older version saved them, without those that are no more.

    Args:
        cls: The dataclass.
        saved: Field by name.

    Returns:
        Those that the class still has.
    """
    return {name: value for name, value in saved.items() if name not in getattr(cls, "REMOVED", {})}


def read_joint_thresholds(path: Path, joints: Sequence[str]) -> dict[str, float]:
    """Score thresholds by joint name, as `dettrack evaluate thresholds` learns and writes them.

    Args:
        path: A file with a table `[thresholds]` of joint names and numbers (beyond the scores' range too: a joint
            above all of whose scores its threshold lies is dropped everywhere).
        joints: Names that may occur.

    Returns:
        Threshold by joint name.

    Raises:
        InputError: The file cannot be read, has no such table, names an unknown joint or gives no number.
    """
    table = read_toml(path).get("thresholds")
    if not isinstance(table, dict):
        raise InputError(f"{path}: no table [thresholds]; expected one line per joint, such as nose = 0.4")
    for joint, number in table.items():
        if joint not in joints:
            raise InputError(f"{path}: unknown joint {joint!r}; expected {', '.join(joints)}")
        too_large = isinstance(number, int) and abs(number) > sys.float_info.max
        if isinstance(number, bool) or not isinstance(number, int | float) or too_large or math.isnan(number):
            raise InputError(f"{path}: the threshold of {joint} is {number!r}; expected a number")
    return {joint: float(number) for joint, number in table.items()}
