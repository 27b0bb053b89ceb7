"""HdrHistogram's counts and its compressed encoding, version 2 (Gil Tene's, as all its ports read).

Three significant digits: values below 2048 have buckets of their own, above that there are 1024 to
each doubling. The encoding is a header, then the counts as ZigZag LEB128, with a run of zeros as a
negative count; all of it is deflated behind a header of its own, and in Base64.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from harness.load.ranks import Ints

_DIGITS = 3
_SUB_BITS = 11
_HALF = 1 << (_SUB_BITS - 1)
_HOUR_NS = 3_600_000_000_000
_COOKIE, _COMPRESSED = 0x1C849313, 0x1C849314
#: Cookie, length of the counts, offset, digits, lowest and highest value, ratio.
_HEADER = struct.Struct(">iiiiqqd")


def counted(values: Ints) -> Ints:
    """How many of these values, none negative, lie in each bucket."""
    _, bits = np.frexp((values | (2 * _HALF - 1)).astype(np.float64))
    bucket = bits.astype(np.int64) - _SUB_BITS
    return np.bincount(((bucket + 1) << (_SUB_BITS - 1)) + (values >> bucket) - _HALF)


def encoded(counts: Ints) -> str:
    payload = _payload(counts)
    header = _HEADER.pack(_COOKIE, len(payload), 0, _DIGITS, 1, _highest(len(counts)), 1.0)
    deflated = zlib.compress(header + payload)
    return base64.b64encode(struct.pack(">ii", _COMPRESSED, len(deflated)) + deflated).decode()


def _highest(length: int) -> int:
    """The highest trackable value: an hour, so that histograms can be added, or what it takes."""
    doublings = max(1, -(-length // _HALF) - 1)
    return max(_HOUR_NS, (2 * _HALF << (doublings - 1)) - 1)


def _payload(counts: Ints) -> bytes:
    """Up to the last bucket in use."""
    payload, place = bytearray(), 0
    for used in np.flatnonzero(counts).tolist():
        if used > place:
            payload += _number(-(used - place) if used - place > 1 else 0)
        payload += _number(int(counts[used]))
        place = used + 1
    return bytes(payload)


def _number(value: int) -> bytes:
    """ZigZag LEB128: seven bits a byte, the sign in the lowest."""
    left, made = (value << 1) if value >= 0 else (-value << 1) - 1, bytearray()
    while left > 0x7F:
        made.append(left & 0x7F | 0x80)
        left >>= 7
    made.append(left)
    return bytes(made)
