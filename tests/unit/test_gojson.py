"""JSON as Go reads and writes it; expected values are Go's own."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.toxiproxy import gojson


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.3, "0.3"), (1.0, "1"), (0.0, "0"), (1e-7, "1e-7"), (123456.0, "123456"), (3e38, "3e+38"),
        (-1.5, "-1.5"), (1e21, "1e+21"), (1.17549435e-38, "1.1754944e-38"), (1e-10, "1e-10"),
        (16777216.0, "16777216"), (0.123456789, "0.12345679"),
    ],
)  # fmt: skip
def test_floats_are_as_short_as_float32_can_be(number: float, written: str) -> None:
    assert gojson.write(gojson.single(number)) == written


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_float32_is_read_back(number: float) -> None:
    assert struct.pack("f", float(gojson.write(number))) == struct.pack("f", number)


def test_strings_are_safe_in_html() -> None:
    assert gojson.write({"a<b": ["&", "é\u2028\n\x01"]}) == (
        '{"a\\u003cb":["\\u0026","é\\u2028\\n\\u0001"]}'
    )


def test_the_first_wrong_field_is_said_and_the_rest_filled() -> None:
    fields = {"a": gojson.an_int, "b": gojson.an_int, "c": gojson.a_string}
    values = {"a": 1, "b": 2, "c": "old"}
    body = gojson.read(b'{"A": 5, "b": "x", "C": "new", "c": null, "d": [1]} rest')
    with pytest.raises(gojson.Wrong, match="b: cannot unmarshal string"):
        gojson.fill(body, fields, values)
    assert values == {"a": 5, "b": 2, "c": "new"}


@pytest.mark.parametrize("number", ["1.0", "1e3", "9223372036854775808", '"5"', "true"])
def test_integers_are_written_as_integers(number: str) -> None:
    with pytest.raises(gojson.Wrong):
        gojson.an_int(gojson.read(number.encode()))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(gojson.Wrong):
        gojson.read(body)
