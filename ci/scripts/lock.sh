#!/usr/bin/env bash
# requirements/<name>.in -> requirements/<name>.txt: exact versions, hashes, no index addresses.
set -euo pipefail
cd "$(dirname "$0")/../.."
# The development set last: the images' sets are its constraints.
# The platform's programs stand alone: pulumi pins protobuf<7.
for name in operator service keeper dev infra clouds; do
  target="requirements/$name.txt"
  echo "locking $target"
  uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
    --python-version 3.11 "requirements/$name.in" -o "$target" "$@"
  sed -i "1i # Made from $name.in by ci/scripts/lock.sh." "$target"
done
