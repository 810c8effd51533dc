#!/usr/bin/env python3
"""Writes the seeds of the fuzz target cfg: python3 gen_settings.py"""
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "cfg")
ALL = b"whole = 3\nchoice = three\nreal = -1.5e3\nflag = yes\ntext = stem, stage1\nother =\n"
SEEDS = {
    "all": ALL,
    "crlf": ALL.replace(b"\n", b"\r\n"),
    "mark": b"\xef\xbb\xbf" + ALL,
    "mark_alone": b"\xef\xbb\xbf",
    "comments": b"# first\n\n  # second\nwhole=4 # third\n#whole=5",
    "limits": b"whole=2147483647\nreal=1000000\n",
    "below": b"whole=-6\n",
    "above": b"whole=2147483648\n",
    "huge": b"whole=" + b"9" * 60 + b"\n",
    "nan": b"real=nan\n",
    "inf": b"real=-inf\n",
    "hex": b"real=0x1p3\n",
    "unknown": b"wohle = 1\n",
    "no_equals": b"whole 1\n",
    "no_key": b"= 1\n",
    "twice": b"flag=yes\nflag=no\n",
    "latin1": b"text = \xe9t\xe9\n",
    "utf8": "text = été € \U0001f331\n".encode(),
    "long_form": b"text = \xc0\xaf\n",
    "surrogate": b"text = \xed\xa0\x80\n",
    "utf16": "whole = 1\n".encode("utf-16"),
    "control": b"text = \x1b[31m\n",
    "nul": b"whole = 1\0\n",
    "lone_cr": b"whole = 1\rflag = yes\n",
    "text_255": b"text=" + b"x" * 255 + b"\n",
    "text_256": b"text=" + b"x" * 256 + b"\n",
    "line_1023": b"flag=yes" + b" " * 1015 + b"\n",
    "line_1024": b"flag=yes" + b" " * 1016 + b"\n",
    "equals": b"text = a = b\n",
    "empty": b"",
}
os.makedirs(HERE, exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)
