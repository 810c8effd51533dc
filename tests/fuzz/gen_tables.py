#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets csv and manifest: python3 gen_tables.py"""
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
TABLES = {
    "plain": b"path,species\na.jpg,Aloe vera\nb.jpg,Mangifera indica\n",
    "crlf": b"path,species\r\na.jpg,Aloe vera\r\n",
    "mark": b"\xef\xbb\xbfpath,species\na.jpg,Aloe vera",
    "quotes": b'"a ""b""","1\n2",\r\n"","x"y,"\r\n"\n',
    "empty_lines": b"\n\na\n\r\n\"\"\n,\n",
    "no_end": b"a,b,",
    "open_quote": b'a,b\nc,"d\n',
    "nul": b"a,b\0c\n",
    "nul_in_quotes": b'"a\0"\n',
    "lone_cr": b"a\rb,\r\r\n\r",
    "fields_1024": b"," * 1023 + b"\n",
    "fields_1025": b"," * 1024 + b"\n",
    "not_ascii": "Café,\xe9\n".encode() + b"\xff\xfe\n",
    "empty": b"",
}
ALL = b"path,species,family,organ,source,split,licence,author\n"
TWO = b"path,species\na.jpg,Aloe vera\nb.jpg,Mangifera indica\n"
CLASSES = b"folder,scientific_name,author,family,ipni_id,common_en,common_fr\n"
SETS = {
    "plain": TWO,
    "columns": ALL + b"a.jpg,A a,F,leaf,here,train,CC0,Me\nb/c.jpg,B b,,flower,,test,,\nd.jpg,B b,,,,val,,\n",
    "other_order": b"license,species,x,path\nCC0,A a,1,a.jpg\n,B b,2,b.jpg\n",
    "ten_each": b"species,path\n" + b"".join(b"%s,%d.jpg\n" % (s, i) for i, s in enumerate([b"A a", b"B b"] * 10)),
    "twice": TWO + b"a.jpg,Aloe vera\n",
    "two_names": TWO + b"a.jpg,Mangifera indica\n",
    "no_species": TWO + b"c.jpg,\n",
    "no_column": b"path,name\na.jpg,A a\n",
    "narrow": TWO + b"c.jpg\n",
    "leaves": TWO + b"../c.jpg,A a\n",
    "absolute": TWO + b"/c.jpg,A a\n",
    "no_path": TWO + b",A a\n",
    "bad_split": b"path,species,split\na.jpg,A a,maybe\n",
    "one_species": b"path,species\na.jpg,A a\n",
    "classes": TWO + b"\0" + CLASSES + b"aloe,Aloe vera,(L.) Burm.f.,Asphodelaceae,1-2,Aloe,Alo\xc3\xa8s\nx,Other,,,,,\n",
    "classes_of_many_names": TWO + b"\0" + CLASSES + b"aloe,Aloe vera,,,,a,b\n" * 9,
    "classes_no_name": TWO + b"\0folder,family\nx,y\n",
    "classes_narrow": TWO + b"\0" + CLASSES + b"aloe,Aloe vera\n",
    "classes_wide": TWO + b"\0scientific_name" + b",common_" * 70 + b"\nAloe vera" + b",x" * 70 + b"\n",
    "empty": b"",
}
for folder, seeds in (("csv", TABLES), ("manifest", SETS)):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(HERE, folder, name), "wb") as f:
            f.write(data)
