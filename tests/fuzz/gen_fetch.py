#!/usr/bin/env python3
"""Writes the seeds of the fuzz target fetch: python3 gen_fetch.py"""
import ipaddress
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "fetch")
SEEDS = {
    "range": b"cbytes 200-1023/1024", "range_open": b"cbytes 0-0/*", "range_wrong": b"cbytes 5-4/9",
    "range_large": b"cbytes 0-9999999999999999999/*", "tag": b'v"abc-1"|Tue, 24 Nov 2026 21:00:00 GMT',
    "weak": b'vW/"abc"|Tue, 24 Nov 2026 21:00:00 GMT', "date": b"vTue, 24 Nov 2026 21:00:00 GMT",
    "inject": b'v"a\r\nX: y"|', "note": b'ntepal part 1 1024 "abc"\n', "note_date": b"ntepal part 1 0 Tue, 24 Nov 2026 21:00:00 GMT\n",
    "note_torn": b"ntepal part 1 10", "empty": b"",
}
for text in ("::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2001:4860:4860::8888", "2002:7f00:1::", "fe80::1", "::1", "3fff::1",
             "64:ff9b:1::1", "::ffff:8.8.8.8"):
    SEEDS["address_" + text.replace(":", "_")] = b"a" + ipaddress.ip_address(text).packed
os.makedirs(HERE, exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)
