"""What `--help` shows of commands with many options: one screen; `--help-all` has the rest."""

from __future__ import annotations

__all__ = ["SHORT_HELP"]

SHORT_HELP = {
    "track": """\
usage: dettrack track INPUT... [OPTIONS]      INPUT: video, folder of videos or frames, photos

Finds every person, follows each one, and writes their joints in every frame to INPUT.dettrack/

  --out DIR               where the result folders go (beside the input)
  --formats LIST          jsonl,parquet,csv,posetrack18,coco,mot,trc,openpose (jsonl,parquet)
  --render                also render.mp4: skeletons and ids on the video
  --start 1:30 --end 2:00 a part of the video; seconds or minutes:seconds
  --fps 25                frames per second of a folder of frames, which has no clock
  --preset NAME           balanced, fast (twice the speed), accurate (a fifth of it), paper
  --detector FILE|NAME    person detector: ONNX, OpenVINO, boxes from a file, hf:NAME, own weights
  --model FILE|NAME       pose model: ONNX, OpenVINO, HRNet, hf:NAME, own weights
  --joints NAME|FILE      joint set of the results; "own" keeps the model's
  --smooth savgol         smoothed joints beside the raw ones
  --device cuda           where the networks run (auto)
  --live                  INPUT is a camera (0) or stream: a line of JSON for each frame
  --resume                leave out what is done already, with the same input and settings
  --save-tracklets        link again later, in seconds, with `dettrack associate`
  --config FILE           settings from a TOML file, or from the summary.json of another run
  --quiet                 errors only

All options, by task: --help-all.  Better models: dettrack weights list.  Your machine: doctor.
""",
    "batch": """\
usage: dettrack batch INPUT... --out DIR [OPTIONS]      dettrack batch status DIR

Tracks many videos; the same command again does what is missing or has changed, and nothing else.
INPUT: videos, folders (searched through), "patterns", .txt lists, .csv tables (column video)

  --out DIR               receives NAME.dettrack of each video, the manifest and the tables
  --workers N             worker processes, 0.8 to 1 GiB each (one for each core)
  --shard 3/16            the third of sixteen shares: array jobs, several machines, one DIR
  --ray ADDRESS|local     actors of a Ray cluster; with --num-cpus, --num-gpus for each
  --split SECONDS         longer videos are divided among workers with nothing to do (300)
  --retry WHAT            failed, poison (killed their worker) or all, once more
  --dry-run               what would be done, and how long it takes by the speed so far
  --formats LIST          jsonl,parquet,csv,posetrack18,coco,mot,trc,openpose (jsonl,parquet)
  --render                also render.mp4; with --blur-faces heads are unrecognisable
  --start 1:30 --end 2:00 a part of each video; seconds or minutes:seconds
  --preset NAME           balanced, fast (twice the speed), accurate (a fifth of it), paper
  --config FILE           settings from a TOML file, or from the summary.json of a run
  --quiet                 errors only

All options and settings: --help-all.  Containers, clusters, costs: docs/scaling.md.
""",
}
