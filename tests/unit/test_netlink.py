"""The bytes of netlink messages, against those that the kernel's documentation gives."""

import struct

import pytest

from harness.mechanisms import netlink


def test_attributes_are_padded_to_four_bytes():
    assert netlink._attr(3, b"ab") == struct.pack("=HH", 6, 3) + b"ab\0\0"


def test_a_list_of_devices_is_read():
    attributes = (
        netlink._attr(netlink._IFLA_IFNAME, b"eth0\0")
        + netlink._attr(netlink._IFLA_ADDRESS, bytes.fromhex("0200c6120003"))
        + netlink._attr(netlink._IFLA_MASTER, struct.pack("=I", 7))
        + netlink._attr(netlink._IFLA_MTU, struct.pack("=I", 1500))
    )
    body = struct.pack("=BxHiII", 0, 1, 5, 1, 0) + attributes
    assert netlink._device(body) == netlink.Device(
        index=5, name="eth0", mac="02:00:c6:12:00:03", up=True, master=7, peer=0, mtu=1500
    )


def test_an_address_is_read():
    body = struct.pack("=BBBBi", 2, 16, 0, 0, 9) + netlink._attr(2, bytes([198, 18, 0, 3]))
    assert netlink._address(body) == netlink.Address(9, "198.18.0.3", 16)


def test_messages_of_one_datagram_are_split():
    one = struct.pack("=IHHII", 18, 16, 0, 1, 0) + b"ab\0\0"
    two = struct.pack("=IHHII", 16, 3, 0, 1, 0)
    assert list(netlink._messages(one + two)) == [(1, 16, b"ab"), (1, 3, b"")]


def test_a_refusal_says_what_was_asked():
    with pytest.raises(PermissionError, match="add br0"):
        netlink._raise(struct.pack("=i", -1), "add br0")


def test_a_broken_attribute_ends_the_list():
    assert list(netlink._attributes(struct.pack("=HH", 0, 1), 0)) == []
