#!/bin/sh
# What an image, or an installation, must be able to do: a batch of two drawn videos, twice.
#
#   containers/smoke.sh FOLDER DETTRACK...     such as: smoke.sh /tmp/smoke podman run --rm -v /tmp:/tmp dettrack:cpu
set -eu
folder=${1:?usage: smoke.sh FOLDER DETTRACK...}
shift
mkdir -p "$folder"
"$@" --version
"$@" demo --out "$folder/demo"
video=$(find "$folder/demo" -name '*.mp4' | grep -v render | head -n 1)
mkdir -p "$folder/videos"
cp "$video" "$folder/videos/a.mp4"
cp "$video" "$folder/videos/b.mp4"
"$@" batch "$folder/videos" --out "$folder/results" --workers 1 --end 1 --preset fast
again=$("$@" batch "$folder/videos" --out "$folder/results" --workers 1 --end 1 --preset fast)
echo "$again" | grep -q "^0 to do; left as they are: 2 done"
"$@" batch status "$folder/results"
