"""`trc/`: one TRC marker file per person (OpenSim, Pose2Sim, Mokka): tab-separated, in pixels, y up, z = 0.

TRC knows one body per file and one row per frame at a constant rate, so every track gets a file that runs from its
first to its last frame; frames without the person, and joints that are missing, are empty cells.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from dettrack.errors import OutputError
from dettrack.files import output_error
from dettrack.formats.part import PartFile
from dettrack.structures import TrackTable, VideoInfo

__all__ = ["TrcWriter"]

_LINES_AT_ONCE = 4096


class TrcWriter:
    """Writes `person_<track id>.trc` files into a folder; files of an earlier run in it are removed first."""

    def __init__(self, folder: Path, info: VideoInfo) -> None:
        """Make the folder.

        Args:
            folder: Folder of one file for each person.
            info: The video.

        Raises:
            OutputError: It cannot be written.
        """
        self._folder, self._info = folder, info
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
        up = rows.xy.astype(float)
        up[..., 1] = self._info.height - 1 - up[..., 1]
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
        cells = [f"{x:.3f}\t{y:.3f}\t0" if np.isfinite(x) and np.isfinite(y) else "\t\t" for x, y in joints]
        cells = cells or ["\t\t"] * len(self._joints)
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
        numbers = [f"{rate:.6g}", f"{rate:.6g}", count, markers, "px", f"{rate:.6g}", first + 1, count]
        keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
        axes = "\t".join(f"{axis}{i}" for i in range(1, markers + 1) for axis in "XYZ")
        return (
            f"PathFileType\t4\t(X/Y/Z)\t{name}\n"
            + "\t".join(keys.split())
            + "\n"
            + "\t".join(map(str, numbers))
            + "\n"
            + "Frame#\tTime\t"
            + "\t\t\t".join(self._joints)
            + "\t\t\n"
            + f"\t\t{axes}\n\n"
        )

    def close(self) -> None:
        """See `formats.Writer.close`."""
        if self._done:
            return
        self._done = True
        self._flush()
        for track in self._spans:
            body, name = self._body(track), f"person_{track:03d}.trc"
            file = PartFile(self._folder / name)
            try:
                file.write(self._header(track, name))
                with body.open("rb") as rows:
                    while chunk := rows.read(1 << 20):
                        file.write(chunk)
                body.unlink()
            except OutputError:
                file.discard()
                raise
            except OSError as error:
                file.discard()
                raise output_error(self._folder / name, error) from error
            file.close()
