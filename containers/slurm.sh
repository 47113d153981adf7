#!/bin/sh
# An array job for Slurm: `sbatch containers/slurm.sh VIDEOS OUT`. Each task does its share of the videos; a task that is
# killed or requeued goes on where it was, and the same command again does what is missing.
#SBATCH --job-name=dettrack
#SBATCH --array=1-16
#SBATCH --cpus-per-task=8
#SBATCH --mem=24G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
set -eu
videos=${1:?usage: sbatch slurm.sh VIDEOS OUT}
out=${2:?usage: sbatch slurm.sh VIDEOS OUT}
# With GPUs: add --gpus-per-task=1 above, and take two or three workers a GPU.
exec dettrack batch "$videos" --out "$out" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --workers "$SLURM_CPUS_PER_TASK"
