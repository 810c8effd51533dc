#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets import_*: python3 gen_imports.py

Each follows the layout the source is published in, small; files of one input are joined by a byte 0."""
import io
import os
import zipfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
DWC = "http://rs.tdwg.org/dwc/terms/"
TSV = ('encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1" ')


def meta(media=True, core_format=TSV):
    terms = ["scientificName", "kingdom", "family", "decimalLatitude", "decimalLongitude", "eventDate", "associatedMedia"]
    core = "".join(f'<field index="{i + 1}" term="{DWC}{t}"/>' for i, t in enumerate(terms))
    text = (f'<archive xmlns="http://rs.tdwg.org/dwc/text/"><core {core_format}rowType="{DWC}Occurrence"><files>'
            f'<location>occurrence.txt</location></files><id index="0"/>{core}'
            f'<field term="{DWC}recordedBy" default="Ann"/></core>')
    if media:
        dc = "http://purl.org/dc/terms/"
        text += (f'<extension {TSV}rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files><location>multimedia.txt'
                 f'</location></files><coreid index="0"/><field index="1" term="{dc}type"/>'
                 f'<field index="2" term="{dc}identifier"/><field index="3" term="{dc}license"/></extension>')
    return (text + "</archive>").encode()


OCC = ("gbifID\tscientificName\tkingdom\tfamily\tlat\tlon\tdate\tmedia\n"
       "11\tAloe vera L.\tPlantae\tAsphodelaceae\t45.5\t-3\t2024-05-06\thttps://x.org/a.jpg|https://x.org/b.jpg\n"
       "12\tApis mellifera\tAnimalia\tApidae\t\t\t\t\n13\tshort\n11\tAgain\tPlantae\t\t\t\t\t\n").encode()
MEDIA = ("gbifID\ttype\tidentifier\tlicense\n11\tStillImage\thttps://x.org/1.jpg\tCC0\n12\tStillImage\thttps://x.org/2\t\n"
         "11\tSound\thttps://x.org/3\t\n99\t\thttps://x.org/4\t\n").encode()


def zipped(*extra):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in (("occurrence.txt", OCC), ("multimedia.txt", MEDIA), ("meta.xml", meta()), *extra):
            z.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


AC = meta().replace(b"http://rs.gbif.org/terms/1.0/Multimedia", b"http://rs.tdwg.org/ac/terms/Multimedia").replace(
    b"http://purl.org/dc/terms/license", b"http://rs.tdwg.org/ac/terms/subjectPart")
AC_MEDIA = (b"gbifID\ttype\tidentifier\tpart\n11\tStillImage\thttps://x.org/1.jpg\thttp://rs.tdwg.org/acpart/values/p0005\n"
            b"11\tStillImage\thttps://x.org/2.jpg\tflower | inflorescence\n11\t\thttps://x.org/3.jpg\tacpart:p0003|leaf\n")
QUOTED = TSV.replace('fieldsEnclosedBy=""', 'fieldsEnclosedBy="&quot;"').replace("\\t", ",").replace("UTF-8", "latin1")
V1 = (b'{"0a1b": {"species_id": "1355868", "obs_id": "1", "organ": "leaf", "is_shareable": true, "v1_id": "x",'
      b' "author": "Ann", "license": "cc-by-sa", "split": "train"}, "0a1c": {"species_id": "1", "split": "val"}}')
V2 = (b"species_id,PN_observation_id,organ,author,license,split,PN_hash\n0,77,leaf,Ann,cc-by-sa,train,0a1b\n"
      b"5,78,bark,Bob,cc-by-nc,test,0a1d\n0,78\n")
INAT = (b'{"info": {"year": 2020}, "images": [{"id": 10, "width": 500, "height": 375, "file_name": "train/1/a.jpg",'
        b' "license": 1, "rights_holder": "A", "date": "2012", "latitude": 45.5, "longitude": -3}, {"id": 11, "file_name": "b"}],'
        b' "categories": [{"id": 7, "name": "Aloe vera", "kingdom": "Plantae", "family": "F"}],'
        b' "annotations": [{"id": 1, "image_id": 10, "category_id": 7}, {"image_id": 11, "category_id": 7},'
        b' {"image_id": 11, "category_id": 8}], "licenses": [{"id": 1, "name": "CC", "url": "http://cc"}]}')
TABLE = (b"path,scientificName,family,date,lat,lon,split,organ,no_train,kingdom\r\na.jpg,Aloe vera,F,2024,45,-3,train,leaf,1,Plantae\r\n"
         b"\"b,\"\"1\"\".jpg\",Aloe vera,,,91,,,,,\r\nc.jpg,,,,,,maybe,,,\r\n../d.jpg,caf\xe9,,,,,,,,\r\ne.jpg\r\n")
SEEDS = {
    "import_csv": {"all": TABLE, "names": TABLE + b"\0scientific_name,family,common_en\nAloe vera,F,Aloe\n",
                   "url": b"url,species\nhttps://x.org/1,Aloe vera\n", "open": b"path,species\na,\"b\n", "empty": b"",
                   "nul": b"path,species\nb,c\n", "utf16": b"\xff\xfep\0"},
    "import_dwca": {"media": b"\0".join((meta(), OCC, MEDIA)), "no_media": b"\0".join((meta(False), OCC)),
                    "organs": b"\0".join((AC, OCC, AC_MEDIA)),
                    "quoted": b"\0".join((meta(False, QUOTED), OCC.replace(b"\t", b","))),
                    "doctype": b'<!DOCTYPE a [<!ENTITY x "y">]><archive>&x;</archive>', "up": meta().replace(b"occ", b"../occ"),
                    "core_only": b"<archive><core/></archive>", "empty": b""},
    "import_zip": {"plain": zipped(), "up": zipped(("../x", b"x")), "folder": zipped(("a/meta.xml", b"x")), "short": zipped()[:300]},
    "import_plantnet300k": {"plain": V1 + b'\0{"1355868": "Lactuca virosa L."}', "cut": V1[:80] + b"\0{}", "no_name": b'{"": {}, "a": 1}\0{}', "empty": b"{}\0{}"},
    "import_plantnet300k2": {"plain": V2 + b"\0species_id,full_species,family\n0,Lactuca virosa L.,Asteraceae\n",
                             "twice": V2 + b"\0species_id,full_species\n0,A a\n0,B b\n", "no_columns": b"a\0b"},
    "import_inat2021": {"plain": INAT, "cut": INAT[:200], "other_order": INAT[:-1] + b', "images": []}', "empty": b"{}",
                        "escapes": b'{"im\\u0061ges": [{"id": 1, "file_name": "\\"\\\\"}], "categories": [{"id": 1}]}'},
    "import_oxford102": {"columns": b"labels\n77\n77.0\n3\n\0trnid,valid,tstid\n1,2,3\n\0{\"77\": \"passion flower\"}",
                         "lines": b"77,77,3\n\0trnid,1\nvalid,2\ntstid,3\n", "two_sets": b"1\n\0trnid,1\nvalid,1\n"},
    "import_folders": {"plain": b"Aloe_vera/leaf_1.jpg\nAloe_vera/deep/2.png\nloose.jpg\nAloe_vera/.hidden.jpg\nB/notes.txt",
                       "deep": b"a/b/c/d/e/f/g/h/i/j/k.jpg", "names": b"caf\xe9/x.jpg\nclasses.csv", "loose": b"a.jpg"},
}
for folder, seeds in SEEDS.items():
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(HERE, folder, name), "wb") as f:
            f.write(data)
