#!/usr/bin/env bash
# requirements/<name>.in -> requirements/<name>.txt: exact versions, hashes, no index addresses.
set -euo pipefail
cd "$(dirname "$0")/../.."
for source in requirements/*.in; do
  target="${source%.in}.txt"
  echo "locking $target"
  uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
    --python-version 3.11 "$source" -o "$target" "$@"
done
