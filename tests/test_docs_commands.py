"""Every command and block of the documentation is executed as it stands, or the reason why not stands here.

The tutorials are in `test_examples.py`, the PoseTrack page in `test_posetrack_page.py`.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import write_detections, write_posetrack
from viewer_results import HEIGHT, WIDTH, people, write_result

from dettrack.cli import main
from dettrack.files.toml import read_toml
from dettrack.lab.synth import demo_scene
from dettrack.models.pose.frame_layout import read_stated
from dettrack.skeleton import joint_set
from dettrack.video import VideoWriter, open_video

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
PROGRAM = re.compile(r"^(dettrack|python|make|pip|git|torchrun|for|\.venv/)\b")
ELSEWHERE = {"docs/first_run.md", "docs/python.md", "docs/posetrack.md"}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md"))
)

NOT_RUN: dict[str, tuple[str, ...]] = {
    "continuous integration installs and tests with make; tests/cli/test_cli_demo.py is the demo": (
        r"pip install |python -m venv |make (demo|test)$|git clone |\.venv/bin/pre-commit",
    ),
    "minutes of real videos; tests/lab and tests/cli/test_cli_picture.py run these programs": (
        r"python tests/golden/golden\.py|python -m dettrack\.lab\.studies\.recovery",
        r"dettrack (track|picture) VIDEO ",
    ),
    "hours; tests/lab/ablation and the PoseTrack page's test run them small": (
        r"make reproduce-small|dettrack ablate |dettrack synth runs/|for split in|done$",
        r"dettrack train configs/temporal",
    ),
    "hours of training on real data; tests/training and tests/cli/test_cli_train.py run each command small": (
        r"dettrack (pseudo|train|data|synth|weights calibrate) .*(data/|configs/|runs/|synth_|lspet|coco_photos|\.\w+)",
        r"dettrack track match\.mp4 --model runs/default_pose",
    ),
    "other machines; tests/runs/batch/test_ray.py and test_schedule.py": (r"dettrack batch .*--(ray|shard 3/16)",),
    "minutes; tests/lab/bench, tests/runs/test_live.py": (r"dettrack (bench|track match\.mp4 --live)",),
    "a camera": (r"dettrack track (0|rtsp\S*) --live",),
    "stays until it is ended; tests/view": (r"dettrack view .*\.(dettrack|mp4)$|dettrack view tracks\.slp",),
    "a video of hours": (r"dettrack track day\.mp4",),
}


def commands(text: str) -> Iterator[str]:
    """Command lines of blocks that name no language, continued ones joined, without their comments."""
    for kind, block in BLOCK.findall(text):
        if kind in ("", "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                stripped = line.strip()
                if PROGRAM.match(stripped) or stripped == "done":
                    yield stripped.partition("  #")[0].strip()


def reason(line: str) -> str:
    """Why a command is not run; empty for one that is."""
    return next((why for why, patterns in NOT_RUN.items() if any(re.match(one, line) for one in patterns)), "")


def matching(line: str) -> set[str]:
    return {one for patterns in NOT_RUN.values() for one in patterns if re.match(one, line)}


def run(line: str) -> None:
    assert main(shlex.split(line)[1:]) == 0, line


def write_video(path: Path, frames: int, scene: list[np.ndarray]) -> None:
    with VideoWriter(path, scene[0].shape[:2], Fraction(10)) as writer:
        for number in range(frames):
            writer.write(scene[number % len(scene)])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """Frames of drawn people."""
    video, _ = demo_scene(tmp_path_factory.mktemp("scene") / "demo")
    with open_video(str(video)) as frames:
        return [frame.image for _, frame in zip(range(20), frames, strict=False)]


# What a page finds in its folder -------------------------------------------------------------------------------------


def short_video(folder: Path, scene: list[np.ndarray]) -> None:
    write_video(folder / "match.mp4", len(scene), scene)


def long_result(folder: Path, scene: list[np.ndarray]) -> None:
    """36 s of video, and a result beside it with tracks 0 to 12 in all of them."""
    small = [np.ascontiguousarray(image[: 2 * HEIGHT : 2, : 2 * WIDTH : 2]) for image in scene]
    write_video(folder / "match.mp4", 360, small)
    times = np.arange(360) / 10
    (folder / "match.dettrack").mkdir()
    write_result(folder / "match.dettrack", people(times, tracks=13), times, folder / "match.mp4")


def many_inputs(folder: Path, scene: list[np.ndarray]) -> None:
    """Videos, frames, a photo, a data set, and the result of an earlier run."""
    import cv2

    short_video(folder, scene)
    shutil.copy(folder / "match.mp4", folder / "other.mp4")
    for name in ("videos", "frames"):
        (folder / name).mkdir()
    for name in ("a", "b"):
        shutil.copy(folder / "match.mp4", folder / "videos" / f"{name}.mp4")
    for number, image in enumerate(scene[:6]):
        cv2.imwrite(str(folder / "frames" / f"{number:03d}.jpg"), image[..., ::-1])
    cv2.imwrite(str(folder / "photo.jpg"), scene[0][..., ::-1])
    shutil.copytree(write_posetrack(folder / "set", 18) / "val", folder / "ann")
    (folder / "images").symlink_to(folder / "set", target_is_directory=True)
    run("dettrack track match.mp4 --quiet --preset fast")


def data_set(folder: Path, scene: list[np.ndarray]) -> None:
    """Annotations and predictions of a data set."""
    annotations = write_posetrack(folder, 18)
    write_detections(folder / "boxes.json", sorted(annotations.iterdir()))
    shutil.copytree(annotations / "train", folder / "train")
    shared = "--detector boxes.json --min-track-score 0 --presence 0 --min-joint-score 0 --no-flip --quiet"
    for source, out in (("annotations/val", "predictions"), ("annotations/val", "A"), ("train", "train_predictions")):
        run(f"dettrack track --posetrack {source} --images . --out {out} {shared}")
    shutil.copytree(folder / "A", folder / "B")
    for name, source in (("gt", "annotations/val"), ("pred", "predictions")):
        (folder / name).mkdir()
        shutil.copy(folder / source / "000201_mpii_test.json", folder / name / "a.json")


def two_results(folder: Path, scene: list[np.ndarray]) -> None:
    long_result(folder, scene)
    for name in ("ours", "theirs"):
        shutil.copytree(folder / "match.dettrack", folder / "results" / name)
    for name in ("ours", "theirs"):
        shutil.copytree(folder / "match.dettrack", folder / f"{name}.dettrack")


World = Callable[[Path, list[np.ndarray]], None]
WORLDS: dict[str, World] = {
    "README.md": short_video,
    "docs/index.md": short_video,
    "docs/install.md": short_video,
    "docs/settings.md": short_video,
    "docs/synthetic.md": short_video,
    "docs/corrections.md": long_result,
    "docs/formats.md": long_result,
    "docs/measures.md": long_result,
    "docs/video.md": two_results,
    "docs/viewer.md": two_results,
    "docs/how_to/README.md": many_inputs,
    "docs/scaling.md": many_inputs,
    "docs/evaluation.md": data_set,
}
FILLED = {"--gt … ": "--gt annotations/val ", "--gt …": "--gt annotations/val", "--pred …": "--pred predictions"}


def text_of(page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    for short, whole in FILLED.items():
        text = text.replace(short, whole)
    return text


def test_every_command_is_run_or_says_why_not() -> None:
    used: set[str] = set()
    for page in PAGES:
        if page in ELSEWHERE:
            continue
        for line in commands(text_of(page)):
            assert reason(line) or page in WORLDS, f"{page}: {line}"
            used |= matching(line)
        python = [block for kind, block in BLOCK.findall(text_of(page)) if kind == "python"]
        assert page in WORLDS or not python, f"{page}: a block of Python"
    how_to = re.findall(r"`(dettrack [^`]+)`", text_of("docs/how_to/README.md"))
    used.update(*map(matching, how_to))
    assert used == {one for patterns in NOT_RUN.values() for one in patterns}  # no reason without a command


@pytest.mark.slow
@pytest.mark.parametrize("page", WORLDS)
def test_a_page_runs_as_it_stands(
    page: str, scene: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    WORLDS[page](tmp_path, scene)
    text, names, done = text_of(page), dict[str, Any](), 0
    for kind, block in BLOCK.findall(text):
        if kind == "toml" and (named := re.match(r"# (\w+\.toml)", block)):
            (tmp_path / named.group(1)).write_text(block, encoding="utf-8")
    for kind, block in BLOCK.findall(text):
        if kind == "python":
            exec(compile(block, page, "exec"), names)
            done += 1
        elif kind == "json":
            for shown in re.split(r"\n(?=\{)", block):
                json.loads(shown.replace(", ...", ""))
        for line in commands(f"```{kind}\n{block}```\n"):
            if not reason(line):
                prepare(line, tmp_path)
                run(line)
                done += 1
    if page == "docs/how_to/README.md":
        for line in re.findall(r"`(dettrack [^`]+)`", text):
            if not reason(line) and line != "dettrack evaluate" and " --" in line:
                run(line)
                done += 1
    assert done


def prepare(line: str, folder: Path) -> None:
    """What a command needs that those before it on its page do not make."""
    if line == "dettrack associate match.dettrack --edits --out mended.dettrack":
        shutil.rmtree(folder / "match.dettrack")
        run("dettrack track match.mp4 --quiet --end 3 --preset fast")


@pytest.mark.slow
def test_what_stands_beside_a_model_is_read(tmp_path: Path) -> None:
    model, joints = (block for kind, block in BLOCK.findall(text_of("docs/models.md")) if kind == "toml")
    (tmp_path / "tinypose.toml").write_text(model)
    said = read_stated(tmp_path / "tinypose.xml")
    assert (said.layout, said.joints, said.size) == ("simcc", ("halpe26",), (256, 192))
    (tmp_path / "cat.toml").write_text(joints)
    assert joint_set(str(tmp_path / "cat.toml")).joints[-1] == "right_paw"
    (thresholds,) = (block for kind, block in BLOCK.findall(text_of("docs/evaluation.md")) if kind == "toml")
    (tmp_path / "thresholds.toml").write_text(thresholds)
    assert read_toml(tmp_path / "thresholds.toml")["thresholds"]["nose"] == 0.41
