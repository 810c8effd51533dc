/* A catalog's names in a backbone: synonyms become one species, nothing is dropped, twice is as once, and another list
 * can be tried. */
#include <stdlib.h>
#include <string.h>

#include "../data/dump.h"
#include "base/mem.h"
#include "cli/match_catalog.h"
#include "t.h"

static const char full[] = "taxonID,scientificName,scientificNameAuthorship,family,taxonRank,taxonomicStatus,"
			   "acceptedNameUsageID\n"
			   "1,Rosa,L.,Rosaceae,genus,Accepted,\n"
			   "2,Rosa canina,L.,Rosaceae,species,Accepted,\n"
			   "3,Rosa rugosa,Thunb.,Rosaceae,species,Accepted,\n"
			   "4,Prunus dulcis,(Mill.) D.A.Webb,Rosaceae,species,Accepted,\n"
			   "5,Amygdalus dulcis,Mill.,Rosaceae,species,Synonym,4\n"
			   "6,Aster alpinus,L.,Compositae,species,Accepted,\n"
			   "7,Acacia alba,Willd.,Fabaceae,species,Accepted,\n"
			   "8,Acacia alba,Colla,Fabaceae,species,Accepted,\n";
static const char small[] = "scientificName,family\nRosa canina,Rosaceae\n";

static const struct {
	const char *name, *family;
	int photos;
} given[] = { { "Rosa canina", "", 3 }, { "Rosa canina L.", "", 2 }, { "Amygdalus dulcis", "Rosidae", 4 },
	{ "Prunus dulcis (Mill.) D.A.Webb", "", 1 }, { "Rosa rugsoa", "", 1 }, { "Aster alpina", "", 1 },
	{ "Rosa canina var. nova", "", 1 }, { "Rosa incognita", "", 2 }, { "Nemo  nusquam", "Nemoaceae", 1 },
	{ "dandelion!", "", 1 }, { "Acacia alba", "", 1 }, { "Acacia alba Colla", "", 1 } };
enum { NAMES = sizeof given / sizeof *given };

static char dir[64];
static tp_catalog *c;

static int made(void)
{
	static const tp_catalog_source here = { .kind = "csv", .root = "/photos", .options = "" };
	tp_err err = { 0 };
	tp_added how;
	snprintf(dir, sizeof dir, "/tmp/tepal-match-XXXXXX");
	CHECK(mkdtemp(dir), "no folder");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_CREATE, &err), err);
	CHECK_OK(tp_catalog_source_begin(c, &here, &err), err);
	for (int i = 0; i < NAMES; i++)
		for (int k = 0; k < given[i].photos; k++) {
			char path[32];
			tp_row r = TP_ROW_INIT;
			snprintf(path, sizeof path, "%d/%d.jpg", i, k);
			r.path = path, r.name = given[i].name, r.family = given[i].family, r.where = "line";
			CHECK_OK(tp_catalog_add(c, &r, &how, &err), err);
			CHECK(how == TP_ADDED, "%s", path);
		}
	const tp_species almond = { .name = "Amygdalus dulcis", .common = { { "en", "almond" } } };
	CHECK_OK(tp_catalog_species(c, &almond, &err), err);
	return 0;
}

static int clean(int result)
{
	char cmd[96];
	tp_catalog_close(c);
	c = NULL;
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

typedef struct {
	char text[4096];
} list;

static tp_code add_line(list *l, const char *line)
{
	snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), "%s\n", line);
	return TP_OK;
}

static tp_code note_unmatched(void *ud, const tp_unmatched *u, tp_err *err)
{
	char line[1024];
	(void)err;
	snprintf(line, sizeof line, "%s|%lld|%s|%s", u->text, (long long)u->photos, u->nearest, u->why);
	return add_line(ud, line);
}

static tp_code note_name(void *ud, const tp_catalog_name *n, tp_err *err)
{
	char line[1024];
	(void)err;
	snprintf(line, sizeof line, "%s|%s|%lld", n->text, n->matched, (long long)n->photos);
	return add_line(ud, line);
}

static tp_code note_taxon(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	char line[1024];
	(void)err;
	snprintf(line, sizeof line, "%s|%s|%s|%s", t->name, t->authorship, t->rank, t->family);
	return add_line(ud, line);
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The taxa, sorted: numbers do not matter. */
static int taxa(const char *want)
{
	tp_err err = { 0 };
	list l = { 0 }, sorted = { 0 };
	char *line[64];
	size_t n = 0;
	CHECK_OK(tp_catalog_each_taxon(c, note_taxon, &l, &err), err);
	for (char *p = strtok(l.text, "\n"); p && n < 64; p = strtok(NULL, "\n"))
		line[n++] = p;
	qsort(line, n, sizeof *line, by_line);
	for (size_t i = 0; i < n; i++)
		add_line(&sorted, line[i]);
	CHECK_STR(sorted.text, want);
	return 0;
}

static int match(tp_catalog_matched *m, const char *with, bool fuzzy, list *unmatched)
{
	tp_err err = { 0 };
	tp_backbone *b = NULL;
	tp_match_catalog_opts o = { .fuzzy = fuzzy, .unmatched = note_unmatched, .ud = unmatched };
	size_t names = 0, photos = 0;
	*unmatched = (list){ 0 };
	CHECK_OK(tp_backbone_parse(&b, with, strlen(with), NULL, &err), err);
	CHECK_OK(tp_match_catalog(m, c, b, &o, &err), err);
	tp_backbone_free(b);
	for (int k = 0; k < TP_NAME_KINDS; k++)
		names += m->by[k], photos += m->photos_by[k];
	CHECK(names == m->names && m->names == NAMES && photos == m->photos && m->photos == 19, "%zu and %zu",
		names, photos);
	return 0;
}

static const char after_full[] = "Acacia alba Colla|Colla|species|Fabaceae\n"
				 "Acacia alba|||Fabaceae\n"
				 "Aster alpinus|L.|species|Asteraceae\n"
				 "Nemo nusquam|||Nemoaceae\n"
				 "Prunus dulcis|(Mill.) D.A.Webb|species|Rosaceae\n"
				 "Rosa canina|L.|species|Rosaceae\n"
				 "Rosa incognita|||Rosaceae\n"
				 "Rosa rugosa|Thunb.|species|Rosaceae\n"
				 "dandelion!|||\n";

static tp_code note_common(void *ud, int64_t taxon, const char *lang, const char *name, tp_err *err)
{
	(void)taxon, (void)lang, (void)err;
	return add_line(ud, name);
}

static int matches(void)
{
	tp_catalog_matched m;
	tp_err err = { 0 };
	list unmatched, names = { 0 }, common = { 0 };
	CHECK(!match(&m, full, true, &unmatched), "match");
	CHECK(m.species_before == 12 && m.species == 9 && m.no_family == 1,
		"%zu, then %zu, %zu without a family", m.species_before, m.species, m.no_family);
	CHECK_OK(tp_catalog_each_name(c, note_name, &names, &err), err);
	CHECK_STR(names.text,
		"Rosa canina|exact|3\nRosa canina L.|exact|2\nAmygdalus dulcis|synonym|4\n"
		"Prunus dulcis (Mill.) D.A.Webb|exact|1\nRosa rugsoa|fuzzy|1\nAster alpina|variant|1\n"
		"Rosa canina var. nova|parent|1\nRosa incognita|unmatched|2\nNemo  nusquam|unmatched|1\n"
		"dandelion!|unmatched|1\nAcacia alba|unmatched|1\nAcacia alba Colla|exact|1\n");
	CHECK(!taxa(after_full), "taxa");
	CHECK(strstr(unmatched.text, "Rosa incognita|2|Rosa ") && strstr(unmatched.text, "|not listed\n") &&
			strstr(unmatched.text, "dandelion!|1||no name: ") &&
			strstr(unmatched.text,
				"several taxa have this name: Acacia alba Willd.; Acacia alba Colla"),
		"%s", unmatched.text);
	CHECK_OK(tp_catalog_each_common(c, note_common, &common, &err), err);
	CHECK_STR(common.text, "almond\n"); /* of the synonym, which is gone */
	return 0;
}

/* Nobody reads a catalog that is open for writing. */
static int dumped(tp_buf *out)
{
	tp_err err = { 0 };
	tp_catalog_close(c);
	c = NULL;
	CHECK(!dump(out, dir), "dump");
	CHECK_OK(tp_catalog_open(&c, dir, TP_CATALOG_WRITE, &err), err);
	return 0;
}

static int twice_is_as_once(void)
{
	tp_catalog_matched m;
	list unmatched;
	tp_buf before, after;
	CHECK(!dumped(&before), "dump");
	CHECK(!match(&m, full, true, &unmatched), "match");
	CHECK(!dumped(&after), "dump");
	CHECK_STR(after.ptr, before.ptr);
	CHECK(m.species_before == 9 && m.species == 9, "%zu", m.species);
	tp_buf_dispose(&before);
	tp_buf_dispose(&after);
	return 0;
}

/* A list that knows only one species: the others are taxa of their own again. */
static int another_list(void)
{
	tp_catalog_matched m;
	list unmatched;
	CHECK(!match(&m, small, false, &unmatched), "match");
	CHECK(m.by[TP_NAME_EXACT] == 2 && m.by[TP_NAME_PARENT] == 1 && m.by[TP_NAME_UNMATCHED] == 9,
		"%zu exact", m.by[TP_NAME_EXACT]);
	CHECK(!taxa("Acacia alba|||Fabaceae\nAmygdalus dulcis|||\nAster alpina|||\nNemo nusquam|||Nemoaceae\n"
		    "Prunus dulcis|(Mill.) D.A.Webb|species|Rosaceae\nRosa canina|L.|species|Rosaceae\n"
		    "Rosa incognita|||Rosaceae\nRosa rugsoa|||Rosaceae\ndandelion!|||\n"),
		"taxa");
	CHECK(!match(&m, full, true, &unmatched), "match");
	return taxa(after_full);
}

static int nothing_half(void)
{
	tp_backbone *b = NULL;
	tp_catalog_matched m;
	tp_err err = { 0 };
	const tp_match_catalog_opts o = { .fuzzy = true };
	tp_buf before, after;
	CHECK_OK(tp_backbone_parse(&b, full, strlen(full), NULL, &err), err);
	CHECK(!dumped(&before), "dump");
	for (int n = 1;; n++) {
		tp_mem_fail_at(n);
		tp_code rc = tp_match_catalog(&m, c, b, &o, &err);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		if (!failed)
			break;
		CHECK(rc == TP_ENOMEM && !dumped(&after), "allocation %d: code %d", n, rc);
		CHECK_STR(after.ptr, before.ptr);
		tp_buf_dispose(&after);
	}
	tp_buf_dispose(&before);
	tp_backbone_free(b);
	return 0;
}

static int test_names_are_matched(void)
{
	return clean(made() || matches() || twice_is_as_once());
}

static int test_another_list(void)
{
	tp_catalog_matched m;
	list unmatched;
	return clean(made() || match(&m, full, true, &unmatched) || another_list());
}

static int test_out_of_memory(void)
{
	return clean(made() || nothing_half());
}

int main(void)
{
	return RUN(T(test_names_are_matched), T(test_another_list), T(test_out_of_memory));
}
