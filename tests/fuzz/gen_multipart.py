#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets multipart and query: python3 gen_multipart.py"""
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
TYPE = b"multipart/form-data; boundary=XX\n"


def part(headers, data):
    return b"--XX\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + data + b"\r\n"


def cd(name, file=None):
    return b'Content-Disposition: form-data; name="' + name + b'"' + (
        b'; filename="' + file + b'"' if file is not None else b"")


PHOTO = part([cd(b"images", b"a.jpg"), b"Content-Type: image/jpeg"], b"\xff\xd8\xff\xe0")
END = b"--XX--\r\n"
FORMS = {
    "one_photo": TYPE + PHOTO + END,
    "organs_first": TYPE + part([cd(b"organs")], b"leaf") + PHOTO + END,
    "five_photos": TYPE + PHOTO * 5 + part([cd(b"organs")], b"auto") * 5 + END,
    "no_part_type": TYPE + part([cd(b"images", b"images")], b"x") + END,
    "path": TYPE + part([cd(b"images", b"../data/image_1.jpeg")], b"x") + END,
    "windows_path": TYPE + part([cd(b"images", b"C:\\photos\\")], b"x") + END,
    "not_ascii": TYPE + part([cd(b"images", "été.jpg".encode())], b"x") + END,
    "escaped_quote": TYPE + part([cd(b"images", b'a\\"b.jpg')], b"x") + END,
    "bare_values": TYPE + part([b"content-disposition:form-data;name=images;filename=a.jpg"], b"x") + END,
    "empty_file": TYPE + part([cd(b"images", b"")], b"") + END,
    "no_name": TYPE + part([b"X: y"], b"x") + END,
    "no_headers": TYPE + part([], b"x") + END,
    "preamble": TYPE + b"hello\r\n" + PHOTO + END + b"bye",
    "padding": TYPE + PHOTO.replace(b"--XX\r\n", b"--XX \t\r\n") + END,
    "almost_boundary": TYPE + part([cd(b"images", b"a")], b"\r\n--X\r\n--XXX\r\n--XX-") + END,
    "quoted_boundary": b'multipart/form-data; boundary="a b"\n--a b\r\n' + cd(b"q") + b"\r\n\r\n1\r\n--a b--",
    "long_boundary": b"multipart/form-data; boundary=" + b"Y" * 201 + b"\n--" + b"Y" * 201 + b"--",
    "no_boundary": b"multipart/form-data\n" + PHOTO + END,
    "truncated": TYPE + PHOTO,
    "truncated_header": TYPE + b"--XX\r\nContent-Disp",
    "empty": TYPE,
    "only_end": TYPE + END,
    "bare_newlines": TYPE + (PHOTO + END).replace(b"\r\n", b"\n"),
    "many_parts": TYPE + part([cd(b"q")], b"1") * 70 + END,
    "many_headers": TYPE + part([b"a: b"] * 20, b"1") + END,
    "json": b"application/json\n{}",
}
QUERIES = {
    "usual": b"api-key=2b10x&lang=fr&nb-results=5&include-related-images=true&no-reject=FALSE&type=kt",
    "repeated": b"images=https://a.example/a.jpg&images=https%3A%2F%2Fa.example%2Fb.jpg&organs=leaf&organs=auto",
    "empty_values": b"a&b=&=c&&d",
    "bad_percent": b"a=%&b=%4&c=%zz&d=%00&e=%c3%a9",
    "plus": b"a=x+y",
    "numbers": b"a=-1&b=99999999999999999999&c=0&d=-&e=+1",
    "many": b"a=1&" * 100,
    "none": b"",
}
for folder, seeds in (("multipart", FORMS), ("query", QUERIES)):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(HERE, folder, name), "wb") as f:
            f.write(data)
