"""`trc/`: one TRC marker file per person, as OpenSim, Pose2Sim and Mokka read it: y upwards from the lower edge, z = 0.

TRC knows one body per file and one row per frame at a constant rate, so every track gets a file that runs from its
first to its last frame; frames without the person, and joints that are missing, are "nan". Markers have the names of
Pose2Sim's and Halpe's models. Lengths are metres where a scale is given; else one pixel is written as one millimetre,
and the first line says so: OpenSim knows no pixels.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np

from dettrack.errors import OutputError, UsageError
from dettrack.files import output_error
from dettrack.formats.part import PartFile
from dettrack.measure.scale import Scale
from dettrack.structures import TrackTable, VideoInfo

__all__ = ["TrcWriter", "marker_name"]

_LINES_AT_ONCE = 4096
_MISSING = "nan\tnan\tnan"
_MARKERS = {"head_top": "Head", "head_bottom": "Neck", "pelvis": "Hip"}


def marker_name(joint: str) -> str:
    """A joint's name in Pose2Sim's and Halpe's models: left_knee is LKnee, head_top Head, head_bottom Neck."""
    if joint in _MARKERS:
        return _MARKERS[joint]
    side, _, part = joint.partition("_")
    if side in ("left", "right"):
        return side[0].upper() + "".join(word.capitalize() for word in part.split("_"))
    return "".join(word.capitalize() for word in joint.split("_"))


def plane_factor(scale: Scale | None, what: str) -> float:
    """The one factor that formats of whole bodies need; 0.001 where there is no scale.

    Args:
        scale: What the user knows.
        what: The format, for the message.

    Returns:
        Metres a pixel.

    Raises:
        UsageError: The scale is good for the floor alone.
    """
    if scale is None:
        return 0.001
    if scale.metres_per_px is None:
        raise UsageError(f"{what} needs one scale for the whole body: give --metres a length or a person's height")
    return scale.metres_per_px


class TrcWriter:
    """Writes `person_<track id>.trc` files into a folder; files of an earlier run in it are removed first."""

    def __init__(self, folder: Path, info: VideoInfo, scale: Scale | None = None) -> None:
        """Make the folder.

        Args:
            folder: Folder of one file for each person.
            info: The video.
            scale: Metres; None writes one pixel as one millimetre.

        Raises:
            OutputError: It cannot be written.
            UsageError: The scale is good for the floor alone.
        """
        self._folder, self._info = folder, info
        # In millimetres a pixel is 1: the digits of the file are those of the pixels.
        self._factor, self._digits = (1.0, 3) if scale is None else (plane_factor(scale, "trc"), 6)
        self._metres = scale is not None
        self._joints: tuple[str, ...] = ()  # names, as the rows say
        self._lines: dict[int, list[str]] = defaultdict(list)
        self._waiting = 0
        # track -> first frame and time, last frame and time
        self._spans: dict[int, tuple[int, float, int, float]] = {}
        self._done = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in (*folder.glob("person_*.trc"), *folder.glob("person_*.part")):
                old.unlink()
        except OSError as error:
            raise output_error(folder, error) from error

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        self._joints = rows.joint_set.joints
        up = rows.shown_xy.astype(float)
        up[..., 1] = self._info.height - 1 - up[..., 1]
        up *= self._factor
        for track, joints in zip(rows.track_id.tolist(), up.tolist(), strict=True):
            first, start_s, last, last_s = self._spans.get(track, (frame_index, time_s, frame_index - 1, time_s))
            gap = frame_index - last
            for missing in range(1, gap):
                self._add(track, last + missing, last_s + (time_s - last_s) * missing / gap, [])
            self._add(track, frame_index, time_s, joints)
            self._spans[track] = (first, start_s, frame_index, time_s)
        if self._waiting >= _LINES_AT_ONCE:
            self._flush()

    def _add(self, track: int, frame: int, time_s: float, joints: list[list[float]]) -> None:
        d = self._digits
        cells = [f"{x:.{d}f}\t{y:.{d}f}\t0" if np.isfinite(x) and np.isfinite(y) else _MISSING for x, y in joints]
        cells = cells or [_MISSING] * len(self._joints)
        self._lines[track].append("\t".join([str(frame + 1), f"{time_s:.6f}", *cells]) + "\n")
        self._waiting += 1

    def _body(self, track: int) -> Path:
        return self._folder / f"person_{track:03d}.body.part"

    def _flush(self) -> None:
        """Append to each person's rows; files are not kept open: there may be thousands of persons."""
        for track, lines in self._lines.items():
            path = self._body(track)
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write("".join(lines))
            except OSError as error:
                raise output_error(path, error) from error
        self._lines.clear()
        self._waiting = 0

    def _header(self, track: int, name: str) -> str:
        first, start_s, last, last_s = self._spans[track]
        count, markers = last - first + 1, len(self._joints)
        rate = (count - 1) / (last_s - start_s) if last_s > start_s else 1.0
        rate = float(self._info.fps) if self._info.fps else rate
        unit = "m" if self._metres else "mm"
        numbers = [f"{rate:.6g}", f"{rate:.6g}", count, markers, unit, f"{rate:.6g}", first + 1, count]
        keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
        axes = "\t".join(f"{axis}{i}" for i in range(1, markers + 1) for axis in "XYZ")
        return (
            f"PathFileType\t4\t(X/Y/Z)\t{name}{'' if self._metres else ' (1 mm = 1 pixel)'}\n"
            + "\t".join(keys.split())
            + "\n"
            + "\t".join(map(str, numbers))
            + "\n"
            + "Frame#\tTime\t"
            + "\t\t\t".join(map(marker_name, self._joints))
            + "\t\t\n"
            + f"\t\t{axes}\n\n"
        )

    def close(self) -> None:
        """See `formats.Writer.close`."""
        if self._done:
            return
        self._done = True
        try:
            self._flush()
            self._join()
        finally:  # on a full disk, rows that found no room
            for body in map(self._body, self._spans):
                with suppress(OSError):
                    body.unlink(missing_ok=True)

    def _join(self) -> None:
        """Put each person's rows behind a header, which says how many there are."""
        for track in self._spans:
            body, name = self._body(track), f"person_{track:03d}.trc"
            file = PartFile(self._folder / name)
            try:
                file.write(self._header(track, name))
                with body.open("rb") as rows:
                    while chunk := rows.read(1 << 20):
                        file.write(chunk)
                body.unlink()  # its room is wanted for the next one
            except OutputError:
                file.discard()
                raise
            except OSError as error:
                file.discard()
                raise output_error(self._folder / name, error) from error
            file.close()
