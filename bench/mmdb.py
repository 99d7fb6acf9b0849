"""Writes an MMDB file of one network, so that looking up a country is part of what is measured.

As the MaxMind DB file format 2.0 describes: a search tree over IPv6 addresses with IPv4 ones in ::/96,
records of 32 bits, one entry of data, metadata.  Debian packages readers of it, but no writer.
"""
import ipaddress
import struct

MAP, TEXT, UINT16, UINT32, UINT64, ARRAY = 7, 2, 5, 6, 9, 11


def control(kind, size):
    return bytes([kind << 5 | size]) if kind <= 7 else bytes([size, kind - 7])


def text(value):
    return control(TEXT, len(value)) + value.encode()


def mapping(**members):
    return control(MAP, len(members)) + b"".join(text(k) + v for k, v in members.items())


def number(kind, value):
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(digits)) + digits


def country_of(network, country):
    """The bytes of a file in which the addresses of an IPv4 network are of that country."""
    network = ipaddress.ip_network(network)
    depth = 96 + network.prefixlen
    address = int(network.network_address)
    tree = b""
    for node in range(depth):
        bit = address >> (127 - node) & 1
        found = depth + 16 if node + 1 == depth else node + 1  # the entry, at the beginning of the data
        pair = [depth, depth]  # nothing
        pair[bit] = found
        tree += struct.pack(">II", *pair)
    data = mapping(country=mapping(iso_code=text(country)))
    metadata = mapping(
        binary_format_major_version=number(UINT16, 2), binary_format_minor_version=number(UINT16, 0),
        build_epoch=number(UINT64, 1), database_type=text("Bench"), description=control(MAP, 0),
        ip_version=number(UINT16, 6), languages=control(ARRAY, 0), node_count=number(UINT32, depth),
        record_size=number(UINT16, 32))
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata
