#!/bin/sh
# with-node.sh COMMAND…: runs it in visualizer/ with a Node that is new enough. Debian 12 has Node 18; then the npm package
# `node` brings the binary into npm's own cache, nothing is installed.
set -eu
cd "$(dirname "$0")/.."
major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || major=0
if [ "${major:-0}" -ge 20 ]; then
    exec "$@"
fi
command -v npm >/dev/null || { echo "with-node.sh: npm is missing (apt-get install npm)" >&2; exit 77; }
exec npm exec --yes --package=node@22 -c "$*"
