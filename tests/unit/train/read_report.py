#!/usr/bin/python3
"""Reads the report of a run without a browser: tags are balanced, ids differ, no host is named, numbers are the log's.

read_report.py TEST_TRAIN_RUNLOG MAKE_REPORT: the first writes the log, the second the report. Only the standard library.
"""
import json
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.data, self.refs, self.json = [], [], [], [], ""

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append((tag, attrs.get("id")))
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "data":
            self.data.append(float(attrs["value"]))
        self.refs += [attrs[k] for k in ("src", "href") if k in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]} at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == ("script", "data"):
            self.json += data


def main():
    with tempfile.TemporaryDirectory() as folder:
        log, record, out = (Path(folder) / name for name in ("metrics.jsonl", "record.json", "report.html"))
        subprocess.run([sys.argv[1], "write", folder], check=True, stderr=subprocess.DEVNULL)
        record.write_text(json.dumps({"a": {"b": [1, 2.5, "<&>"]}, "c": [{"</td>": "</script>"}]}))
        subprocess.run([sys.argv[2], log, record, out], check=True)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        text = out.read_text()
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, page.open
    assert len(set(page.ids)) == len(page.ids), page.ids
    assert page.refs == ["data:,"], page.refs
    assert "{{" not in text.split("<style>")[0] + text.split('id="data">')[0].split("</style>")[-1], "a mark was not filled"
    # uPlot's first line names its home
    assert set(re.findall(r"(?:https?:)?//\w[\w-]*\.[\w.]+", text)) == {"https://github.com"}

    wanted = []
    for tag, better in (("train/loss", min), ("train/lr", None), ("odd/large", None)):
        values = [line[tag] for line in lines if line.get(tag) is not None]
        wanted += [values[-1]] + ([better(values)] if better else [])
    assert page.data == wanted, (page.data, wanted)  # odd/inf has no finite value
    curves = {curve["tag"]: curve for chart in json.loads(page.json)["charts"] for curve in chart["curves"]}
    for tag, curve in curves.items():
        points = [(line["step"], line[tag]) for line in lines if tag in line]
        assert list(zip(curve["x"], curve["y"])) == points, tag
    assert set(curves) == {"train/loss", "train/lr", "odd/inf", "odd/large"}
    print(f"{len(wanted)} numbers and {len(curves)} curves agree")


main()
