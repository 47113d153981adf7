"""Data of the command builder on the page of settings, made from the definitions that the program itself uses."""

from __future__ import annotations

import json
import types
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from docstring_parser import parse

from dettrack.config import DEFAULT_PRESET, PRESETS, SECTIONS, preset_config
from dettrack.files.toml import Range, field_types, option_name

__all__ = ["definitions", "element"]

_STYLE = (
    "#builder input, #builder select { border: 1px solid; border-radius: 2px; padding: 0 .3em; background: inherit; "
    "color: inherit; font: inherit } #builder input:invalid { border-color: red } "
    "#builder pre code { white-space: pre-wrap; overflow-wrap: anywhere }"
)


def definitions() -> dict[str, Any]:
    """Presets, sections and settings with their kind, choices, bounds, explanation and value in every preset."""
    presets = {name: preset_config(name) for name in PRESETS}
    sections = []
    for name, cls in SECTIONS.items():
        docs = parse(cls.__doc__)
        about = {one.arg_name: " ".join((one.description or "").split()) for one in docs.params}
        settings = [
            {
                "name": field.name,
                "option": option_name(field.name),
                "about": about[field.name],
                **_kind(field_types(cls)[field.name]),
                "values": {preset: getattr(getattr(config, name), field.name) for preset, config in presets.items()},
            }
            for field in fields(cls)
        ]
        sections.append({"name": name, "about": docs.short_description, "settings": settings})
    return {"presets": list(PRESETS), "default": DEFAULT_PRESET, "sections": sections}


def _kind(hint: Any) -> dict[str, Any]:
    """What a form shows for a type: a box, a list, a number with bounds, or text."""
    bounds = Range()
    if get_origin(hint) is Annotated:
        hint, bounds = get_args(hint)
    if isinstance(hint, types.GenericAlias):
        return {"kind": "list"}
    if get_origin(hint) is Literal:
        return {"kind": "choice", "choices": list(get_args(hint))}
    if hint not in (int, float):
        return {"kind": "bool" if hint is bool else "text"}
    least = 0 if bounds.zero else bounds.least
    finite = {"min": least, "max": bounds.most}
    return {"kind": "number", "whole": hint is int, **{k: v for k, v in finite.items() if abs(v) != float("inf")}}


def element() -> str:
    """The builder as HTML, for the page."""
    data = json.dumps(definitions()).replace("</", "<\\/")
    script = Path(__file__).with_name("builder.js").read_text(encoding="utf-8")
    return (
        f"<style>{_STYLE}</style>\n"
        '<div id="builder"></div>\n'
        f'<script type="application/json" id="builder-data">{data}</script>\n<script>\n{script}</script>\n'
    )
