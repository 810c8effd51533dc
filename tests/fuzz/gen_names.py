#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets name and backbone: python3 gen_names.py"""
import os

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
NAMES = """Rosa canina L.
Fragaria × ananassa (Duchesne ex Weston) Duchesne ex Rozier
x Agropogon littoralis (Sm.) C.E.Hubb.
+ Laburnocytisus adamii (Poit.) C.K.Schneid.
Salix alba L. × fragilis
Lysichiton americanus Hultén & St John x L. camtschatcensis (L.) Schott
Aconitum napellus  L. subsp. napellus var. giganteum (Dum. ex Thielens) J. Duvigneaud
Hypoxis hirsuta (L.) Coville f. villosissima Fernald
Dryopteris filix-mas (L.) Schott
Dracaena draco L. f. ex Hook. f. et Thomson
Rosa sect. Caninae DC.
Prunus (Cerasus) avium L.
Rosa 'Hollandica'
Sedum "Autumn Joy" (S. spectabile Boreau x telephium L.)
Malus domestica cv. Golden Delicious
Hosta spec.
Quercus cf. robur
Rubus fruticosus agg.
Ophrys araneola sensu auct.plur.
Taraxacum officinale s. l.
Mangifera_indica
ROSA CANINA L.
rosa canina
Cypripedium parviflorum pubescens (Large Yellow Lady's-slipper)
Isoëtes lacustris L.
Isoe\u0308tes mu\u0308lleri A.Braun
Mentha × piperita nothosubsp. citrata (Ehrh.) Briq.
Phedimus spurius (M.Bieb) 't Hart
Anchusa d'Urv.
Rosaceae
Leguminosae
Festuca ovina L., 1753
Brassica oleracea Italica Group
Salix × sepulcralis Simonk. nvar. chrysocoma (Dode) Meikle
Polygonum aviculare L. nom. cons.
Q. robur L.
<i>Rosa</i> canina
Fragaria &times; ananassa
Rosa‘Peace’ [sic]
""".splitlines() + ["", "×", "Rosa\0canina", "Rosa" + "a" * 70, "Rosa canina " + "L. & " * 150, "a" * 1025, "Роза канина"]


def write(folder, seeds):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(HERE, folder, name), "wb") as f:
            f.write(data)


write("name", {"%02d" % i: n.encode() for i, n in enumerate(NAMES)} | {"latin1": b"Rosa m\xfclleri L."})
