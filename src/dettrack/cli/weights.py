"""`dettrack weights`: what weights there are, whether they are intact, and how to add others."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dettrack.errors import InputError, UsageError
from dettrack.files import file_sha256
from dettrack.models.weights import add_file, fetch, fetch_known, find_weights, list_weights, metadata, store
from dettrack.models.weights.catalogue import External, catalogue, external

__all__ = ["WeightsArgs", "run"]

_SUMS = {
    "file": "the sum was computed from the file, which runs here",
    "records": "the sum is that of public records of people who downloaded the file; it was not run here",
}


@dataclass(frozen=True)
class WeightsArgs:
    """Weights by name: list them, say what one is, verify checksums, import a file, or fetch one.

    `dettrack weights calibrate --help` is about what the scores of a model mean.

    Imported and fetched weights go to the store ($DETTRACK_WEIGHTS, else the user's data folder); their names then
    work as --model.

    Attributes:
        action: list; info NAME; verify [NAME]; import FILE --name NAME; fetch NAME [--mirror PLACE], with a name that
            `list` shows; fetch URL_OR_PATH --name NAME --sha256 SUM.
        what: Name, file or address, as the action takes it.
        name: Name in the store; the file's own by default.
        sha256: SHA-256 that a file fetched by its address must have.
        mirror: With fetch NAME: folder or web address to take the files from, instead of their source.
        joints: With import of a .pth of HRNet or mmpose: its joint set; "auto" takes the joints that the file names,
            else goes by its name and their number (17 are COCO's).
        size: With import of a .pth of HRNet or mmpose: its input as HEIGHTxWIDTH, if the file name does not say it.
    """

    action: Annotated[Literal["list", "info", "verify", "import", "fetch"], tyro.conf.Positional]
    what: Annotated[str, tyro.conf.Positional] = ""
    name: str = ""
    sha256: str = ""
    mirror: str = ""
    joints: str = "auto"
    size: str = ""


def run(args: list[str]) -> int:
    """Entry point of the command."""
    if args[:1] == ["calibrate"]:
        from dettrack.cli import calibrate

        return calibrate.run(args[1:])
    options = tyro.cli(WeightsArgs, args=args, prog="dettrack weights")
    if options.action in ("info", "import", "fetch") and not options.what:
        raise UsageError(f"weights {options.action} needs a name, file or address")
    actions = {"list": _list, "info": _info, "verify": _verify, "import": _import, "fetch": _fetch}
    lines = actions[options.action](options)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _list(_: WeightsArgs) -> list[str]:
    rows, here = [], list_weights()
    for each in here:
        origin = "shipped" if each.shipped else "stored"
        rows.append(f"{each.name:<24} {origin:<8} {each.path.stat().st_size / 1e6:8.1f} MB  {each.path}")
    rows = rows or [f"no weights: neither shipped nor in {store()}"]
    others = [one for one in catalogue().values() if one.name not in {each.name for each in here}]
    if others:
        rows += ["", "Other people's, not here; `dettrack weights fetch NAME` gets them:"]
        rows += [
            f"{one.name:<24} {one.kind:<8} {one.size:>11}  {one.about}{_reaches(one)} ({one.licence})" for one in others
        ]
    return rows


def _info(options: WeightsArgs) -> list[str]:
    if options.what in catalogue() and all(each.name != options.what for each in list_weights()):
        one = external(options.what)
        lines = [f"{one.name}: not here; dettrack weights fetch {one.name}", one.about + _reaches(one)]
        lines += [f"licence: {one.licence}", f"trained on: {one.trained_on or 'not stated'}"]
        lines += [f"use: dettrack track VIDEO {one.use}"]
        lines += [f"sha256 {file.sha256}  {file.url}" for file in one.files]
        return [*lines, _SUMS[one.sums]]
    each = find_weights(options.what)
    lines = [f"{each.name}: {each.path}", f"sha256 {file_sha256(each.path)}"]
    lines += [f"{key} {json.dumps(value)}" for key, value in metadata(each.path).items()]
    card = each.path.with_suffix(".md")
    return lines + (["", card.read_text().rstrip()] if card.is_file() else [])


def _reaches(one: External) -> str:
    return f"; {one.accuracy}" if one.accuracy else ""


def _verify(options: WeightsArgs) -> list[str]:
    checked = [find_weights(options.what)] if options.what else list_weights()
    bad = [each.name for each in checked if not each.intact]
    if bad:
        raise InputError(f"not the files that were written down, or no checksum is: {', '.join(bad)}; get them again")
    return [f"{each.name}: intact" for each in checked]


def _import(options: WeightsArgs) -> list[str]:
    source = Path(options.what)
    name = options.name or source.stem
    if not source.is_file():
        raise InputError(f"no such file: {source}")
    if source.suffix != ".pth":
        return [f"{name}: {add_file(source, name).path}"]
    from dettrack.models.pose.checkpoint import save_checkpoint
    from dettrack.models.pose.official import load_official

    checkpoint = load_official(source, joints=options.joints, size=_size(options.size))
    converted = store() / f"{name}.importing.safetensors"
    try:
        save_checkpoint(converted, checkpoint.network, checkpoint.spec, source=checkpoint.source)
        kept = add_file(converted, name)
    finally:
        converted.unlink(missing_ok=True)
    spec = checkpoint.spec
    about = f"HRNet-W{spec.width}, {spec.size[1]}x{spec.size[0]}, {spec.joints}"
    notes = [f"note: {checkpoint.note}: --joints"] if checkpoint.note else []
    return [f"{name}: {kept.path} ({about})", *notes]


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise UsageError(f"--size is {text!r}: expected HEIGHTxWIDTH, such as 384x288")
    return int(height), int(width)


def _fetch(options: WeightsArgs) -> list[str]:
    if options.what in catalogue():
        if options.sha256 or options.name:
            raise UsageError(
                f"{options.what} is in the catalogue, with its name and sums: leave out --name and --sha256"
            )
        one = external(options.what)
        return [f"{one.name}: {fetch_known(one, mirror=options.mirror).path}", f"dettrack track VIDEO {one.use}"]
    if options.mirror:
        external(options.what)  # says which names a mirror may have
    if not options.sha256:
        raise UsageError(
            "weights fetch takes a name of the catalogue, or an address with --sha256: only the expected file is kept; "
            f"known names: {', '.join(catalogue())}"
        )
    name = options.name or Path(options.what.partition("?")[0]).stem
    return [f"{name}: {fetch(options.what, name, options.sha256).path}"]
