"""A recording as Parquet, for pandas, Polars, DuckDB; needs the extra `parquet` (pyarrow)."""

from __future__ import annotations

from typing import Any, BinaryIO

from harness.errors import UsageError
from harness.load.export import OUTCOMES, Taken
from harness.load.recording import Flag, Rows

_INSTANTS = {"due": "intended", "started": "started", "ended": "ended"}
_NUMBERS = ("status", "bytes", "arrival", "worker")


def write(taken: Taken, out: BinaryIO) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow", hint="pip install 'reliability-harness[parquet]'"
        ) from None
    schema = _schema(pa)
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for rows in taken.parts():
            writer.write_table(pa.table(_columns(pa, taken, rows), schema=schema))


def _schema(pa: Any) -> Any:
    words = pa.dictionary(pa.int32(), pa.string())
    instants = [(name, pa.timestamp("ns", tz="UTC")) for name in _INSTANTS]
    return pa.schema([
        *instants, ("latency_ns", pa.int64()), ("name", words), ("outcome", words),
        ("status", pa.uint16()), ("bytes", pa.uint32()), ("arrival", pa.uint32()),
        ("worker", pa.uint16()), ("first", pa.bool_()), ("journey", pa.bool_()),
    ])  # fmt: skip


def _columns(pa: Any, taken: Taken, rows: Rows) -> dict[str, Any]:
    instants = {name: taken.wall_ns(rows[key]) for name, key in _INSTANTS.items()}
    return {
        **instants,
        "latency_ns": rows["ended"] - rows["intended"],
        "name": _words(pa, rows["name"], taken.names),
        "outcome": _words(pa, rows["outcome"], OUTCOMES),
        **{name: rows[name] for name in _NUMBERS},
        "first": (rows["flags"] & Flag.FIRST) > 0,
        "journey": (rows["flags"] & Flag.JOURNEY) > 0,
    }


def _words(pa: Any, numbers: Any, words: tuple[str, ...]) -> Any:
    return pa.DictionaryArray.from_arrays(numbers.astype("int32"), list(words))
