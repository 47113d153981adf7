#!/bin/sh
# The steps of the Containerfile (CPU) in a new virtual environment, and a smoke test: for machines without a container
# engine, and for CI.
#
#   containers/rehearse.sh PREFIX [TORCH_INDEX]
set -eu
prefix=${1:?usage: rehearse.sh PREFIX [TORCH_INDEX]}
index=${2:-}
[ ! -e "$prefix" ] || { echo "$prefix exists: name a new folder" >&2; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$prefix/src"
cp -r "$here/pyproject.toml" "$here/README.md" "$here/LICENSE" "$here/src" "$prefix/src"
cd "$prefix/src"
python3 -m venv "$prefix/dettrack"
bin=$prefix/dettrack/bin
"$bin/pip" wheel --quiet --no-deps --wheel-dir "$prefix/wheels" .
rm -rf "$prefix/src"
cd "$prefix"
# shellcheck disable=SC2086 (empty or two words)
"$bin/pip" install --quiet ${index:+--index-url "$index"} ${TORCH:-torch}
"$bin/pip" install --quiet "$(ls "$prefix"/wheels/dettrack-*.whl)[openvino,onnx]"
sh "$here/containers/smoke.sh" "$prefix/smoke" "$bin/dettrack"
