#!/usr/bin/python3
"""Reads a run's event files as the formats of TFRecord and event.proto say, and holds them against metrics.jsonl.

read_events.py TEST_TRAIN_RUNLOG lets that program write a log with a resume in it. Only the standard library.
"""
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path


def crc32c_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


TABLE = list(crc32c_table())


def masked(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(data[at : at + 8]), f"checksum of the length at {at}"
        body = data[at + 12 : at + 12 + size]
        assert len(body) == size, f"record at {at} reaches outside the file"
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked(body), f"checksum of the record at {at}"
        yield body
        at += 16 + size


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            (value,), at = struct.unpack_from("<d", data, at), at + 8
        elif kind == 5:
            (value,), at = struct.unpack_from("<f", data, at), at + 4
        else:
            assert kind == 2, f"wire type {kind}"
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            assert len(value) == size
        yield key >> 3, value


def scalars(files):
    """{(step, tag): (time, value)} after the rule that a START makes readers forget what follows its step."""
    found = {}
    for file in files:
        first = True
        for body in records(file.read_bytes()):
            event = dict(fields(body))
            if first:
                assert event[3] == b"brain.Event:2" and abs(event[1]) > 1.7e9, event
                first = False
            elif 7 in event:
                assert dict(fields(event[7])) == {1: 1}, event
                found = {k: v for k, v in found.items() if k[0] < event[2]}
            else:
                for number, value in fields(event[5]):
                    assert number == 1
                    value = dict(fields(value))
                    found[event[2], value[1].decode()] = event[1], value[2]
    return found


def as_float(value):
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "write", folder], check=True, stderr=subprocess.DEVNULL)
        files = sorted(Path(folder).glob("events.out.tfevents.*.tepal"))
        assert len(files) == 2, files
        events = scalars(files)
        wanted = {}
        for line in (Path(folder) / "metrics.jsonl").read_text().splitlines():
            line = json.loads(line)
            step, time, odd = line.pop("step"), line.pop("time"), line.pop("nonfinite", {})
            assert line.pop("epoch") == step / 100
            for tag, value in line.items():
                assert (value is None) == (tag in odd)
                wanted[step, tag] = time, float(odd[tag]) if value is None else as_float(value)
    assert events.keys() == wanted.keys() and len(wanted) == 200 * 4 + 50
    for key, (time, value) in wanted.items():
        assert abs(events[key][0] - time) < 0.001, key
        assert events[key][1] == value or (math.isnan(value) and math.isnan(events[key][1])), key
    print(f"{len(wanted)} values agree")


main()
