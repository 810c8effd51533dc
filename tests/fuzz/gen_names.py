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

WFO = (
    "taxonID\tscientificNameID\tlocalID\tscientificName\ttaxonRank\tparentNameUsageID\tscientificNameAuthorship\tfamily\t"
    "subfamily\ttribe\tsubtribe\tgenus\tsubgenus\tspecificEpithet\tinfraspecificEpithet\tverbatimTaxonRank\t"
    "nomenclaturalStatus\tnamePublishedIn\ttaxonomicStatus\tacceptedNameUsageID\toriginalNameUsageID\tnameAccordingToID\t"
    "taxonRemarks\tcreated\tmodified\treferences\n"
    'wfo-1\tipni:1\t\t"Rosa canina"\tspecies\twfo-9\tL.\tRosaceae\t\t\t\tRosa\t\tcanina\t\t\tvalid\t"Sp. Pl. 1: 491 (1753)"\tAccepted\t\t\t\t\t\t\t\n'
    'wfo-2\t\t\t"Rosa leucantha"\tspecies\t\t"M.Bieb. ex Loisel."\tRosaceae\t\t\t\tRosa\t\tleucantha\t\t\t\t\tSynonym\twfo-1\t\t\t"two\nlines"\t\t\t\n'
    "wfo-9\t\t\tRosa\tgenus\t\tL.\tRosaceae\t\t\t\tRosa\t\t\t\t\t\t\tAccepted\t\t\t\t\t\t\t\n"
    "wfo-8\t\t\tRosaceae\tfamily\t\tJuss.\tRosaceae\t\t\t\t\t\t\t\t\t\t\tAccepted\t\t\t\t\t\t\t\n"
)
WCVP = (
    "plant_name_id|ipni_id|taxon_rank|taxon_status|family|genus_hybrid|genus|species_hybrid|species|infraspecific_rank|"
    "infraspecies|parenthetical_author|primary_author|publication_author|place_of_publication|volume_and_page|"
    "first_published|nomenclatural_remarks|geographic_area|lifeform_description|climate_description|taxon_name|"
    "taxon_authors|accepted_plant_name_id|basionym_plant_name_id|replaced_synonym_author|homotypic_synonym|"
    "parent_plant_name_id|powo_id|hybrid_formula|reviewed\n"
    '1|1-1|Species|Accepted|Rosaceae||Fragaria|×|ananassa|||Weston|Rozier||"Cours"|1|(1785)|||||Fragaria × ananassa|(Weston) Rozier|1||||||F. chiloensis × F. virginiana|Y\n'
    "2|2-1|Species|Illegitimate|Rosaceae||Fragaria|×|grandiflora||||Ehrh.||Beitr.|7|(1792)|nom. illeg.||||Fragaria × grandiflora|Ehrh.|1||||||F. x|Y\n"
    "3||Genus|Accepted|Rosaceae||Fragaria||||||L.||Sp.|1|(1753)|||||Fragaria|L.|3|||||||Y\n"
)
TPL = (
    "tpl_id\tgroup\tfamily\tgenus\tspecies\tinfra_rank\tinfra\tauthor\tstatus\taccepted_id\tipni_id\n"
    "a\tA\tCompositae\tBellis\tperennis\t\t\tL.\tAccepted\t\t\nb\tA\tCompositae\tBellis\thybrida\t\t\tTen.\tSynonym\ta\t\n"
    "c\tA\tCompositae\tBellis\thybrida\t\t\tOther\tSynonym\td\t\nd\tA\t\tBellis\tsylvestris\tvar.\tmajor\t\"Cirillo, X & Y\"\tAccepted\t\t\n"
    "e\tA\t\tBellis\tloop\t\t\t\tSynonym\tf\t\nf\tA\t\tBellis\tpool\t\t\t\tSynonym\te\t\ng\tA\t\tBellis\tnone\t\t\t\tMisapplied\tz\t\n"
    "d\tA\t\tBellis\tagain\t\t\t\tAccepted\t\t\n\tshort\n\tA\tX\tBellis\tglaucum x falcatum\t\t\t\tAccepted\t\t\n"
)
CSV = 'scientificName,family,taxonRank\n"Malva moschata L., 1753",Malvaceae,species\nRosa \'Peace\',Rosaceae,cultivar\nHosta spec.,,genus\n'
write("backbone", {
    "wfo": ("Rosa canninna L.\n" + WFO).encode(),
    "wcvp": ("Fragaria xananassa\n" + WCVP).encode(),
    "tpl": ("Belis perenis L.\n" + TPL).encode(),
    "csv": ("Malva moschatus\n" + CSV).encode(),
    "crlf": ("x\n" + CSV.replace("\n", "\r\n")).encode(),
    "mark": b"x\n\xef\xbb\xbfgenus;species\nRosa;canina\n",
    "no_name": b"x\nfamily,id\nRosaceae,1\n",
    "empty": b"\n",
    "open_quote": b"x\nscientificName,family\n\"Rosa canina,Rosaceae\n",
    "latin1": "x\nscientificName,author\nRosa canina,M\xfcller\nRosa alba,L.\n".encode("latin1"),
    "itself": b"x\nid,scientificName,status,accepted_id\n1,Rosa canina,synonym,1\n2,Rosa alba,,1\n",
})
