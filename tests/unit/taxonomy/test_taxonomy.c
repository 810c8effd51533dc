/* Names, authors, backbones, matches: cases that show what is meant, and the lists that lie beside the photo set. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "shared.h"
#include "t.h"
#include "taxonomy/match.h"

static const struct {
	const char *text, *canonical, *author;
	tp_rank rank;
	unsigned hybrid, qualifier;
} names[] = {
	{ "Rosa canina L.", "Rosa canina", "L.", TP_RANK_SPECIES, 0, 0 },
	{ "Mangifera_indica", "Mangifera indica", "", TP_RANK_SPECIES, 0, 0 },
	{ "  Allium karataviense\xc2\xa0Regel ", "Allium karataviense", "Regel", TP_RANK_SPECIES, 0, 0 },
	{ "Vanilla planifolia Jacks. ex Andrews", "Vanilla planifolia", "Jacks. ex Andrews", TP_RANK_SPECIES,
		0, 0 },
	{ "Cornus sanguinea L. subsp. australis (C.A. Mey.) Jáv. ex Soó in Soó & Jáv.",
		"Cornus sanguinea subsp. australis", "(C.A. Mey.) Jáv. ex Soó in Soó & Jáv.",
		TP_RANK_SUBSPECIES, 0, 0 },
	{ "Pilosella x stoloniflora (Waldst. et Kit.) F.W. Schultz & Schultz-Bip.",
		"Pilosella × stoloniflora", "(Waldst. et Kit.) F.W. Schultz & Schultz-Bip.", TP_RANK_SPECIES,
		TP_HYBRID_SPECIES, 0 },
	{ "Malus ×domestica Borkh.", "Malus × domestica", "Borkh.", TP_RANK_SPECIES, TP_HYBRID_SPECIES, 0 },
	{ "x Agropogon lutosus (Poir.) P. Fourn.", "× Agropogon lutosus", "(Poir.) P. Fourn.",
		TP_RANK_SPECIES, TP_HYBRID_GENUS, 0 },
	{ "+ Laburnocytisus adamii (Poit.) C.K.Schneid.", "+ Laburnocytisus adamii", "(Poit.) C.K.Schneid.",
		TP_RANK_SPECIES, TP_HYBRID_GRAFT, 0 },
	{ "Chenopodium album L. x hircinum", "Chenopodium album × Chenopodium hircinum", "", TP_RANK_SPECIES,
		TP_HYBRID_FORMULA, 0 },
	{ "Lysichiton americanus Hultén & St John x L. camtschatcensis (L.) Schott",
		"Lysichiton americanus × Lysichiton camtschatcensis", "", TP_RANK_SPECIES, TP_HYBRID_FORMULA,
		0 },
	{ "Mentha × piperita nothosubsp. citrata (Ehrh.) Briq.", "Mentha × piperita nothosubsp. citrata",
		"(Ehrh.) Briq.", TP_RANK_SUBSPECIES, TP_HYBRID_SPECIES | TP_HYBRID_INFRA, 0 },
	{ "Aconitum napellus  L. subsp. napellus var. giganteum (Dum. ex Thielens) J. Duvigneaud",
		"Aconitum napellus var. giganteum", "(Dum. ex Thielens) J. Duvigneaud", TP_RANK_VARIETY, 0,
		0 },
	{ "Hypoxis hirsuta (L.) Coville f. villosissima Fernald", "Hypoxis hirsuta f. villosissima",
		"Fernald", TP_RANK_FORM, 0, 0 },
	{ "Dracaena draco L. f. ex Hook. f. et Thomson", "Dracaena draco", "L. f. ex Hook. f. et Thomson",
		TP_RANK_SPECIES, 0, 0 },
	{ "Avena sterilis L. subsp. sterilis", "Avena sterilis subsp. sterilis", "L.", TP_RANK_SUBSPECIES, 0,
		0 },
	{ "Pinus contorta murrayana (Sierra lodgepole pine)", "Pinus contorta murrayana", "",
		TP_RANK_INFRASPECIFIC, 0, 0 },
	{ "Phedimus spurius (M.Bieb) 't Hart", "Phedimus spurius", "(M.Bieb) 't Hart", TP_RANK_SPECIES, 0,
		0 },
	{ "Rosa sect. Caninae DC.", "Rosa sect. Caninae", "DC.", TP_RANK_SECTION, 0, 0 },
	{ "Prunus (Cerasus) avium L.", "Prunus avium", "L.", TP_RANK_SPECIES, 0, 0 },
	{ "Dryopteris filix-mas (L.) Schott", "Dryopteris filix-mas", "(L.) Schott", TP_RANK_SPECIES, 0, 0 },
	{ "Isoe\xcc\x88tes lacustris L.", "Isoëtes lacustris", "L.", TP_RANK_SPECIES, 0, 0 },
	{ "Rosa 'Hollandica'", "Rosa 'Hollandica'", "", TP_RANK_CULTIVAR, 0, 0 },
	{ "Sedum \"Autumn Joy\" (S. spectabile Boreau x telephium L.)", "Sedum 'Autumn Joy'", "",
		TP_RANK_CULTIVAR, 0, 0 },
	{ "Malus domestica Borkh. cv. Golden Delicious", "Malus domestica 'Golden Delicious'", "Borkh.",
		TP_RANK_CULTIVAR, 0, 0 },
	{ "Hosta spec.", "Hosta", "", TP_RANK_GENUS, 0, TP_QUAL_SP },
	{ "Quercus cf. robur L.", "Quercus robur", "L.", TP_RANK_SPECIES, 0, TP_QUAL_CF },
	{ "Rosa aff. canina", "Rosa canina", "", TP_RANK_SPECIES, 0, TP_QUAL_AFF },
	{ "Rubus fruticosus L. agg.", "Rubus fruticosus", "L.", TP_RANK_SPECIES, 0, TP_QUAL_AGG },
	{ "Rapistrum rugosum (L.) All. s.l.", "Rapistrum rugosum", "(L.) All.", TP_RANK_SPECIES, 0,
		TP_QUAL_LATO },
	{ "Festuca ovina s. str.", "Festuca ovina", "", TP_RANK_SPECIES, 0, TP_QUAL_STRICTO },
	{ "Ophrys araneola sensu auct.plur.", "Ophrys araneola", "", TP_RANK_SPECIES, 0, TP_QUAL_SENSU },
	{ "Solanum nodiflorum Jacq. ?", "Solanum nodiflorum", "Jacq.", TP_RANK_SPECIES, 0, TP_QUAL_DOUBT },
	{ "Bidens alba (L.) DC. nom. illeg.", "Bidens alba", "(L.) DC.", TP_RANK_SPECIES, 0, TP_QUAL_STATUS },
	{ "ROSA CANINA", "Rosa canina", "", TP_RANK_SPECIES, 0, 0 },
	{ "rosa canina", "Rosa canina", "", TP_RANK_SPECIES, 0, 0 },
	{ "Rosaceae", "Rosaceae", "", TP_RANK_HIGHER, 0, 0 },
};

static int test_names(void)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		tp_name n;
		tp_err err = { 0 };
		char canonical[TP_NAME_CANONICAL];
		CHECK_OK(tp_name_parse(&n, names[i].text, strlen(names[i].text), &err), err);
		tp_name_canonical(canonical, &n);
		CHECK_STR(canonical, names[i].canonical);
		CHECK_STR(n.author, names[i].author);
		CHECK(n.rank == names[i].rank && n.hybrid == names[i].hybrid &&
				n.qualifier == names[i].qualifier,
			"%s: %s, hybrid %u, qualifier %u", names[i].text, tp_rank_name(n.rank), n.hybrid,
			n.qualifier);
	}
	return 0;
}

static int test_what_is_no_name(void)
{
	static const struct {
		const char *text, *says;
	} bad[] = { { "", "empty" }, { " _ ", "empty" }, { "background", "no genus" },
		{ "<i>Rosa</i> canina", "HTML" }, { "Fragaria &times; ananassa", "HTML" },
		{ "Q. robur L.", "abbreviated" }, { "Rosa\tcanina\x01", "control" },
		{ "Rosa m\xfclleri", "UTF-8" }, { "Роза", "U+0420" }, { "12 roses", "no genus" },
		{ "Rosa = canina", "U+003D" },
		{ "Rosaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa canina",
			"63 are" } };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_name n;
		tp_err err = { 0 };
		CHECK(tp_name_parse(&n, bad[i].text, strlen(bad[i].text), &err) &&
				strstr(err.msg, bad[i].says),
			"%s: %s", bad[i].text, err.msg);
		CHECK(!*n.genus, "%s", n.genus);
	}
	return 0;
}

static int test_authors(void)
{
	static const struct {
		const char *a, *b;
		tp_author_fit fit;
	} pairs[] = { { "(L.) Link", "( L. ) Link in Buch, 1831", TP_AUTHOR_SAME },
		{ "Waldst. & Kit.", "Waldst. et Kit.", TP_AUTHOR_SAME },
		{ "Müll.Arg.", "Mull. Arg.", TP_AUTHOR_SAME }, { "Ait.", "Aiton", TP_AUTHOR_ALIKE },
		{ "Michaux", "Michx.", TP_AUTHOR_ALIKE }, { "Jacks.", "Jacks. ex Andrews", TP_AUTHOR_ALIKE },
		{ "Andrews", "Jacks. ex Andrews", TP_AUTHOR_ALIKE },
		{ "(L.) Mill.", "Miller", TP_AUTHOR_ALIKE }, { "L.", "Lam.", TP_AUTHOR_OTHER },
		{ "L.", "L.f.", TP_AUTHOR_OTHER }, { "L.", "Linnaeus", TP_AUTHOR_ALIKE },
		{ "(L.) Link", "(Lam.) Link", TP_AUTHOR_OTHER }, { "Mill.", "DC.", TP_AUTHOR_OTHER },
		{ "", "L.", TP_AUTHOR_UNKNOWN } };
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		CHECK(tp_author_compare(pairs[i].a, pairs[i].b) == pairs[i].fit, "%s, %s", pairs[i].a,
			pairs[i].b);
		CHECK(tp_author_compare(pairs[i].b, pairs[i].a) == pairs[i].fit, "%s, %s", pairs[i].b,
			pairs[i].a);
	}
	return 0;
}

static int test_distance(void)
{
	static const struct {
		const char *a, *b;
		int most, is;
	} pairs[] = { { "rosa", "rosa", 2, 0 }, { "rosa", "rsoa", 2, 1 }, { "rosa", "roosa", 2, 1 },
		{ "rosa", "rsa", 2, 1 }, { "rosa", "ruta", 2, 2 }, { "rosa", "ruta", 1, 2 },
		{ "", "abc", 3, 3 }, { "abc", "", 2, 3 }, { "leucanthemum", "lecuantehmumm", 3, 3 },
		{ "abcdefgh", "hgfedcba", 20, 7 }, { "ca", "abc", 3, 3 } };
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int d = tp_word_distance(
			pairs[i].a, strlen(pairs[i].a), pairs[i].b, strlen(pairs[i].b), pairs[i].most);
		CHECK(d == pairs[i].is, "%s, %s: %d", pairs[i].a, pairs[i].b, d);
	}
	return 0;
}

static const char list[] = "taxonID\tscientificName\tscientificNameAuthorship\tfamily\ttaxonRank\ttaxonomicSt"
			   "atus\tacceptedNameUsageID\n"
			   "1\tRosa canina\tL.\tRosaceae\tspecies\tAccepted\t\n"
			   "2\tRosa leucantha\tM.Bieb.\t\tspecies\tSynonym\t3\n"
			   "3\tRosa dumetorum\t\"Thuill.\"\tRosaceae\tspecies\tSynonym\t1\n"
			   "4\tBellis perennis\tL.\tCompositae\tspecies\tAccepted\t\n"
			   "5\tBellis hybrida\tTen.\tCompositae\tspecies\tSynonym\t4\n"
			   "6\tBellis hybrida\tMill.\tCompositae\tspecies\tSynonym\t1\n"
			   "7\tBellis loop\tA.\tCompositae\tspecies\tSynonym\t8\n"
			   "8\tBellis pool\tA.\tCompositae\tspecies\tSynonym\t7\n"
			   "9\tBellis lost\tA.\tCompositae\tspecies\tSynonym\t99\n"
			   "10\tFragaria × ananassa\tDuchesne ex Rozier\tRosaceae\tspecies\tAccepted\t\n"
			   "11\tRosa canina var. glauca\tDesf.\tRosaceae\tvariety\tAccepted\t\n"
			   "12\tRosaceae\tJuss.\tRosaceae\tfamily\tAccepted\t\n"
			   "13\tBellis perennis × Rosa canina\t\t\tspecies\tAccepted\t\n"
			   "14\t12 roses\t\t\tspecies\tAccepted\t\n"
			   "1\tRosa alba\tL.\tRosaceae\tspecies\tAccepted\t\n"
			   "15\tshort\n"
			   "16\tBellis perennis\tauct.\tAsteraceae\tspecies\tMisapplied\t1\n"
			   "17\tHelipterum floribundum\tDC.\tAsteraceae\tspecies\tAccepted\t\n"
			   "18\tPilosocereus royenii\tByles\tCactaceae\tspecies\tAccepted\t\n"
			   "19\tRosa muelleri\tX.\t\tspecies\tsomething\t\n";

static tp_backbone *open_list(tp_backbone_stats *s)
{
	tp_backbone *b = NULL;
	tp_err err = { 0 };
	if (tp_backbone_parse(&b, list, sizeof list - 1, s, &err))
		printf("%s\n", err.msg);
	return b;
}

static int test_no_line_vanishes(void)
{
	tp_backbone_stats s;
	tp_backbone *b = open_list(&s);
	CHECK(b && s.seen == 20, "%zu", s.seen);
	CHECK(s.by[TP_LINE_KEPT] == 15 && s.by[TP_LINE_OTHER_RANK] == 1 && s.by[TP_LINE_FORMULA] == 1 &&
			s.by[TP_LINE_NO_NAME] == 1 && s.by[TP_LINE_TWICE] == 1 &&
			s.by[TP_LINE_FEW_FIELDS] == 1,
		"%zu kept", s.by[TP_LINE_KEPT]);
	CHECK(s.loops == 2 && s.dangling == 1 && s.unknown_status == 1 && s.first_bad == 15,
		"%zu %zu %zu %zu", s.loops, s.dangling, s.unknown_status, s.first_bad);
	CHECK(strstr(s.example, "no genus"), "%s", s.example);
	CHECK(tp_backbone_count(b) == 15 + 5, "%u with 5 implied genera", tp_backbone_count(b));
	tp_backbone_free(b);
	return 0;
}

static const struct {
	const char *given, *accepted, *family;
	tp_how how;
	bool synonym, parent, ambiguous;
	int distance;
} matches[] = {
	{ "Rosa canina L.", "Rosa canina L.", "Rosaceae", TP_HOW_EXACT, false, false, false, 0 },
	{ "Rosa canina", "Rosa canina L.", "Rosaceae", TP_HOW_NAME, false, false, false, 0 },
	{ "Rosa canina Mill.", "Rosa canina L.", "Rosaceae", TP_HOW_NAME, false, false, false, 0 },
	{ "Rosa leucantha M.Bieb.", "Rosa canina L.", "Rosaceae", TP_HOW_EXACT, true, false, false, 0 },
	{ "Bellis perennis L.", "Bellis perennis L.", "Asteraceae", TP_HOW_EXACT, false, false, false, 0 },
	{ "Bellis perennis auct.", "Rosa canina L.", "Rosaceae", TP_HOW_NAME, true, false, false, 0 },
	{ "Bellis hybrida Ten.", "Bellis perennis L.", "Asteraceae", TP_HOW_EXACT, true, false, false, 0 },
	{ "Bellis hybrida Miller", "Rosa canina L.", "Rosaceae", TP_HOW_EXACT, true, false, false, 0 },
	{ "Bellis hybrida", NULL, "", TP_HOW_NAME, false, false, true, 0 },
	{ "Bellis loop", "Bellis loop A.", "Asteraceae", TP_HOW_NAME, false, false, false, 0 },
	{ "Fragaria ananassa", "Fragaria × ananassa Duchesne ex Rozier", "Rosaceae", TP_HOW_VARIANT, false,
		false, false, 0 },
	{ "Fragaria xananassa", "Fragaria × ananassa Duchesne ex Rozier", "Rosaceae", TP_HOW_VARIANT, false,
		false, false, 0 },
	{ "Helipterum floribunda", "Helipterum floribundum DC.", "Asteraceae", TP_HOW_VARIANT, false, false,
		false, 0 },
	{ "Pilosocereus royeni", "Pilosocereus royenii Byles", "Cactaceae", TP_HOW_VARIANT, false, false,
		false, 0 },
	{ "Rosa mülleri", "Rosa muelleri X.", "Rosaceae", TP_HOW_VARIANT, false, false, false, 0 },
	{ "Rosa canina subsp. canina", "Rosa canina L.", "Rosaceae", TP_HOW_NAME, false, true, false, 0 },
	{ "Rosa canina 'Kiese'", "Rosa canina L.", "Rosaceae", TP_HOW_NAME, false, true, false, 0 },
	{ "Rosa canina var. glauka", "Rosa canina var. glauca Desf.", "Rosaceae", TP_HOW_FUZZY, false, false,
		false, 1 },
	{ "Helipteron floribundus DC.", "Helipterum floribundum DC.", "Asteraceae", TP_HOW_FUZZY, false,
		false, false, 3 },
	{ "Belis perenis", "Bellis perennis L.", "Asteraceae", TP_HOW_FUZZY, false, false, false, 2 },
	{ "Bellis sp.", "Bellis", "Asteraceae", TP_HOW_NAME, false, false, false, 0 },
};

static int test_matches(void)
{
	tp_backbone *b = open_list(NULL);
	CHECK(b, "no list");
	for (size_t i = 0; i < sizeof matches / sizeof *matches; i++) {
		tp_name n;
		tp_match m;
		tp_err err = { 0 };
		char text[TP_NAME_CANONICAL] = "";
		CHECK_OK(tp_name_parse(&n, matches[i].given, strlen(matches[i].given), &err), err);
		tp_match_name(&m, b, &n, (tp_match_opts)TP_MATCH_OPTS_INIT);
		CHECK(m.how == matches[i].how && m.synonym == matches[i].synonym &&
				m.parent == matches[i].parent && m.ambiguous == matches[i].ambiguous &&
				m.distance == matches[i].distance,
			"%s: %s%s%s%s %d", matches[i].given, tp_how_name(m.how), m.synonym ? " synonym" : "",
			m.parent ? " parent" : "", m.ambiguous ? " ambiguous" : "", m.distance);
		CHECK((m.accepted == TP_NO_NAME) == !matches[i].accepted, "%s", matches[i].given);
		if (!matches[i].accepted)
			continue;
		tp_backbone_text(text, b, m.accepted, true);
		CHECK_STR(text, matches[i].accepted);
		CHECK_STR(tp_backbone_at(b, m.accepted).family, matches[i].family);
	}
	tp_backbone_free(b);
	return 0;
}

static int test_unmatched_names_have_a_nearest(void)
{
	static const char *const given[][2] = { { "Rosa completely", "Rosa" }, { "Xanthoria parietina", "" },
		{ "Eria canina", "Rosa canina" }, { "Helipteron floribundus", "Helipterum floribundum" },
		{ "Bellis perenis Mill.", "Bellis perennis" },
		{ "Rosa canina × Bellis perennis", "Rosa canina" } };
	tp_backbone *b = open_list(NULL);
	CHECK(b, "no list");
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		tp_name n;
		tp_match m;
		char text[TP_NAME_CANONICAL];
		CHECK(!tp_name_parse(&n, given[i][0], strlen(given[i][0]), NULL), "%s", given[i][0]);
		tp_match_name(&m, b, &n, (tp_match_opts)TP_MATCH_OPTS_INIT);
		CHECK(m.how == TP_HOW_NONE && m.nearest != TP_NO_NAME, "%s: %s", given[i][0],
			tp_how_name(m.how));
		tp_backbone_text(text, b, m.nearest, false);
		CHECK(!strncmp(text, given[i][1], strlen(given[i][1])), "%s: %s", given[i][0], text);
	}
	tp_name n;
	tp_match m;
	CHECK(!tp_name_parse(&n, "Rosa caninna", 12, NULL), "name");
	tp_match_name(&m, b, &n, (tp_match_opts){ .fuzzy = false });
	CHECK(m.how == TP_HOW_NONE && m.distance == 1, "%s %d", tp_how_name(m.how), m.distance);
	tp_backbone_free(b);
	return 0;
}

static int test_other_tables(void)
{
	static const char wcvp[] =
		"plant_name_id|ipni_id|taxon_rank|taxon_status|family|genus_hybrid|genus|species_hybrid|"
		"species|"
		"taxon_name|taxon_authors|accepted_plant_name_id|reviewed\n"
		"7|1-1|Species|Accepted|Rosaceae||Fragaria|×|ananassa|Fragaria × ananassa|Rozier|7|Y\n"
		"8|2-1|Species|Illegitimate|Rosaceae||Fragaria|×|grandiflora|Fragaria × "
		"grandiflora|\"Ehrh.\" x|7|Y\n"
		"9|3-1|Species|Local Biotype|Rosaceae||Fragaria||minor|Fragaria minor|X|7|Y\n";
	static const char csv[] = "genus;species;family\r\nRosa;canina;\"Rosaceae\"\r\n\r\n";
	tp_backbone *b;
	tp_backbone_stats s;
	tp_err err = { 0 };
	CHECK_OK(tp_backbone_parse(&b, wcvp, sizeof wcvp - 1, &s, &err), err);
	CHECK(s.by[TP_LINE_KEPT] == 3 && tp_backbone_count(b) == 4, "%u", tp_backbone_count(b));
	for (uint32_t i = 0; i < 4; i++)
		if (tp_backbone_at(b, i).status != TP_STATUS_IMPLIED)
			CHECK_STR(tp_backbone_at(b, tp_backbone_at(b, i).accepted).id, "7");
	tp_backbone_free(b);
	CHECK_OK(tp_backbone_parse(&b, csv, sizeof csv - 1, &s, &err), err);
	CHECK(s.seen == 1 && s.by[TP_LINE_KEPT] == 1, "%zu", s.seen);
	tp_backbone_free(b);
	CHECK(tp_backbone_parse(&b, "a,b\n1,2\n", 8, &s, &err) == TP_EFORMAT && strstr(err.msg, "no column"),
		"%s", err.msg);
	CHECK(tp_backbone_parse(&b, "species,genus\n\"a,b\n", 19, &s, &err) == TP_EFORMAT &&
			strstr(err.msg, "line 2"),
		"%s", err.msg);
	return 0;
}

static int test_every_failed_allocation_is_reported(void)
{
	for (long n = 1;; n++) {
		tp_backbone *b = NULL;
		tp_err err = { 0 };
		tp_mem_fail_at(n);
		tp_code rc = tp_backbone_parse(&b, list, sizeof list - 1, NULL, &err);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		tp_backbone_free(b);
		CHECK(tp_mem_live() == 0, "allocation %ld leaks", n);
		if (!failed)
			return rc ? 1 : 0;
		CHECK(rc == TP_ENOMEM || !rc, "allocation %ld: %s", n,
			tp_code_name(rc)); /* shrinking may fail unnoticed */
	}
}

/* Labels of photos as people have them. */
static bool reads(const char *text)
{
	tp_name n;
	tp_err err = { 0 };
	bool good = !tp_name_parse(&n, text, strlen(text), &err);
	if (!good)
		printf("  %s\n", err.msg);
	return good;
}

static int test_names_of_plantnet(void)
{
	char path[SHARED_PATH];
	uint8_t *text;
	size_t len, good = 0;
	json_t *all, *v;
	const char *key;
	tp_err err = { 0 };
	if (!shared(path, "plantnet300K_species_id_2_name.json"))
		return SKIP(NO_SHARED);
	CHECK_OK(tp_file_read(&text, &len, path, 1 << 24, &err), err);
	CHECK_OK(tp_json_parse(&all, (char *)text, len, path, &err), err);
	json_object_foreach(all, key, v)
	{
		good += reads(json_string_value(v));
	}
	CHECK(json_object_size(all) == 1088 && good == 1083,
		"%zu: all but rose, tulip, sunflower, deisy, dandalion", good);
	json_decref(all);
	tp_free(text);
	return 0;
}

static int test_labels_of_inaturalist(void)
{
	char path[SHARED_PATH];
	uint8_t *text;
	size_t len, good = 0, seen = 0;
	tp_err err = { 0 };
	if (!shared(path, "inat_plant_labels.txt"))
		return SKIP(NO_SHARED);
	CHECK_OK(tp_file_read(&text, &len, path, 1 << 24, &err), err);
	for (char *p = (char *)text, *end = p + len, *stop; p < end; p = stop + 1) {
		char line[512];
		stop = memchr(p, '\n', (size_t)(end - p));
		stop = stop ? stop : end;
		snprintf(line, sizeof line, "%.*s", (int)(stop - p), p);
		char *escape =
			strstr(line, "\\xd7"); /* the file writes "×" so, and letters of common names too */
		if (escape)
			memcpy(escape, "x   ", 4);
		if (strstr(line, " (") && strchr(strstr(line, " ("), '\\'))
			*strstr(line, " (") = 0;
		seen++;
		good += reads(line);
	}
	CHECK(seen == 2102 && good == 2101, "%zu of %zu: all but background", good, seen);
	tp_free(text);
	return 0;
}

static int test_lists_are_read(void)
{
	char path[2][SHARED_PATH];
	const char *paths[] = { path[0], path[1] };
	tp_backbone *b;
	tp_backbone_stats s[2];
	tp_err err = { 0 };
	if (!shared(path[0], "tpl11_sample.tsv") || !shared(path[1], "alien_plants_belgium_taxon.csv"))
		return SKIP(NO_SHARED);
	CHECK_OK(tp_backbone_open(&b, paths, 2, s, &err), err);
	CHECK(s[0].seen == 46000 && s[0].by[TP_LINE_KEPT] == 45997 && s[0].by[TP_LINE_FORMULA] == 3, "%zu",
		s[0].by[TP_LINE_KEPT]);
	CHECK(s[1].seen == 2617 && !s[1].by[TP_LINE_NO_NAME] && !s[1].by[TP_LINE_FEW_FIELDS], "%zu",
		s[1].seen);
	for (uint32_t i = 0; i < tp_backbone_count(b); i++)
		CHECK(strcmp(tp_backbone_at(b, i).family, "Compositae") != 0, "%u", i);
	tp_backbone_free(b);
	return 0;
}

int main(void)
{
	return RUN(T(test_names), T(test_what_is_no_name), T(test_authors), T(test_distance),
		T(test_no_line_vanishes), T(test_matches), T(test_unmatched_names_have_a_nearest),
		T(test_other_tables), T(test_every_failed_allocation_is_reported), T(test_names_of_plantnet),
		T(test_labels_of_inaturalist), T(test_lists_are_read));
}
