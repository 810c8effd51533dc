#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets tar and shard_index: python3 gen_shards.py"""
import io
import os
import struct
import tarfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def tar(*members, format=tarfile.USTAR_FORMAT, kind=tarfile.REGTYPE):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as t:
        for name, data in members:
            m = tarfile.TarInfo(name)
            m.size, m.type = len(data), kind
            t.addfile(m, io.BytesIO(data))
    return out.getvalue()


TWO = tar(("000000001.jpg", b"\xff\xd8\xff" * 300), ("000000001.json", b'{"label":0}'))
TARS = {
    "two": TWO,
    "short_end": TWO[:2560 + 1024],
    "no_end": TWO[:2560],
    "one_block_end": TWO[:2560 + 512],
    "cut": TWO[:900],
    "behind_the_end": TWO[:2560 + 1024] + b"x" * 512,
    "empty_member": tar(("a.jpg", b"")),
    "empty": tar(),
    "nothing": b"",
    "folder": tar(("a/b.jpg", b"x")),
    "leaves": tar(("../b.jpg", b"x")),
    "dots": tar(("..", b"x")),
    "absolute": tar(("/etc/passwd", b"x")),
    "link": tar(("a.jpg", b""), kind=tarfile.SYMTYPE),
    "gnu": tar(("a.jpg", b"x"), format=tarfile.GNU_FORMAT),
    "pax": tar(("\xe4" * 60 + ".jpg", b"x"), format=tarfile.PAX_FORMAT),
    "long_name": tar(("a" * 96 + ".jpg", b"x")),
    "wrong_sum": TWO[:3] + b"9" + TWO[4:],
}

TEXT = b"\0Aloe_vera/leaf_1.jpg\0leaf\0b.jpg\0CC0\0"
ROW = "<QIIIIHHIIIIIII"


def row(offset, shard=0, label=0, length=900, path=1, number=1, text=0, w=256, h=300, zero=0):
    return struct.pack(ROW, offset, length, 7, shard, label, w, h, number, path, 22, text, 34, text, zero)


def index(*rows, shards=2, classes=2, text=TEXT, version=1, n=None):
    head = b"tepalidx" + struct.pack("<IIQIIQ", version, shards, len(rows) if n is None else n, classes, 0, len(text))
    return head.ljust(64, b"\0") + b"".join(rows) + text


GOOD = (row(512), row(3072, path=27, number=2), row(512, shard=1, label=1, path=27, number=3))
INDEXES = {
    "three": index(*GOOD),
    "none": index(),
    "version": index(*GOOD, version=2),
    "too_many": index(*GOOD, n=1 << 60),
    "overlap": index(row(512), row(1024)),
    "odd_offset": index(row(513)),
    "no_header": index(row(0)),
    "shard_back": index(row(512, shard=1), row(512)),
    "shard_none": index(row(512, shard=2)),
    "class_none": index(row(512, label=2)),
    "no_length": index(row(512, length=0)),
    "too_long": index(row(512, length=0xffffffff)),
    "text_outside": index(row(512, path=len(TEXT))),
    "text_open": index(row(512), text=b"\0abc"),
    "leaves": index(row(512), text=b"\0../../etc/passwd".ljust(40, b"x") + b"\0"),
    "no_path": index(row(512, path=0)),
    "no_pixels": index(row(512, w=0)),
    "not_zero": index(row(512, zero=1)),
    "cut": index(*GOOD)[:-3],
    "head_only": index(*GOOD)[:64],
    "nothing": b"",
}
for folder, seeds in (("tar", TARS), ("shard_index", INDEXES)):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(HERE, folder, name), "wb") as f:
            f.write(data)
