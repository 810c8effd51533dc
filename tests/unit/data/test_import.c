/* Importers: each kind of source, in the layout it is published in, and everything a source can have wrong. */
#include <archive.h>
#include <archive_entry.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/catalog.h"
#include "data/import.h"
#include "dump.h"
#include "t.h"

static char dir[64], to[96];

static void fresh_in(const char *where)
{
	snprintf(dir, sizeof dir, "%s/tepal-import-XXXXXX", where);
	if (!mkdtemp(dir))
		abort();
	snprintf(to, sizeof to, "%s/.to", dir); /* hidden: importers of folders do not look there */
}

static void fresh(void)
{
	fresh_in("/tmp");
}

static int clean(int result)
{
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

static void put_bytes(const char *rel, const void *p, size_t n)
{
	char path[256], *slash;
	snprintf(path, sizeof path, "%s/%s", dir, rel);
	slash = strrchr(path, '/');
	*slash = 0;
	(void)!tp_make_dirs(path, NULL);
	*slash = '/';
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		abort();
}

static void put(const char *rel, const char *text)
{
	put_bytes(rel, text, strlen(text));
}

typedef struct {
	char text[16384];
} notes;

static tp_code note(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	notes *x = ud;
	(void)err;
	size_t at = strlen(x->text);
	at += (size_t)snprintf(x->text + at, sizeof x->text - at, "%s%s n%lld t%lld o%lld s%d %s", p->path,
		p->url, (long long)p->name, (long long)p->taxon, (long long)p->observation, p->given,
		p->organ);
	if (!isnan(p->lat))
		at += (size_t)snprintf(x->text + at, sizeof x->text - at, " %g,%g", p->lat, p->lon);
	snprintf(x->text + at, sizeof x->text - at, "%s%s%s\n", *p->date ? " " : "", p->date,
		p->no_train ? " no" : "");
	return TP_OK;
}

static tp_code note_refused(void *ud, int64_t source, const char *where, const char *reason, tp_err *err)
{
	notes *x = ud;
	(void)err, (void)source;
	size_t at = strlen(x->text);
	snprintf(x->text + at, sizeof x->text - at, "%s: %s\n", where, reason);
	return TP_OK;
}

static tp_catalog_import_opts opts(const char *kind, const char *rel)
{
	static char path[256];
	snprintf(path, sizeof path, "%s%s%s", dir, *rel ? "/" : "", rel);
	return (tp_catalog_import_opts){ .kind = kind, .source = { .path = path }, .now = 5, .quiet = true };
}

/* Imports twice: the second time nothing is new. Then compares photos and refused rows; NULL: not compared. */
static int imports(const tp_catalog_import_opts *o, const char *photos, const char *refused)
{
	tp_imported n, again;
	tp_err err = { 0 };
	tp_catalog *c = NULL;
	static notes x, r;
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", to);
	CHECK(!system(cmd), "rm");
	CHECK_OK(tp_catalog_import(&n, to, o, &err), err);
	CHECK_OK(tp_catalog_import(&again, to, o, &err), err);
	CHECK(n.seen == n.added + n.there + n.refused, "%zu rows: %zu %zu %zu", n.seen, n.added, n.there,
		n.refused);
	CHECK(again.seen == n.seen && !again.added && again.there == n.added + n.there &&
			again.refused == n.refused,
		"again: %zu rows: %zu %zu %zu", again.seen, again.added, again.there, again.refused);
	size_t by = 0;
	for (int i = 0; i < 4; i++)
		by += n.refused_as[i];
	CHECK(by == n.refused, "refused: %zu, by reason %zu", n.refused, by);
	x.text[0] = r.text[0] = 0;
	CHECK_OK(tp_catalog_open(&c, to, TP_CATALOG_READ, &err), err);
	CHECK_OK(tp_catalog_each_photo(c, &all, note, &x, &err), err);
	CHECK_OK(tp_catalog_each_refused(c, 0, note_refused, &r, &err), err);
	tp_catalog_close(c);
	if (photos)
		CHECK_STR(x.text, photos);
	if (refused)
		CHECK_STR(r.text, refused);
	return 0;
}

static int fails(const tp_catalog_import_opts *o, tp_code want, const char *words)
{
	tp_imported n;
	tp_err err = { 0 };
	tp_code rc = tp_catalog_import(&n, to, o, &err);
	CHECK(rc == want && strstr(err.msg, words), "code %d, want %d \"%s\": %s", rc, want, words, err.msg);
	CHECK(n.seen == n.added + n.there + n.refused, "%zu rows: %zu %zu %zu", n.seen, n.added, n.there,
		n.refused);
	return 0;
}

/* ---- folders and tables ---- */

static int folders(void)
{
	put("Aloe_vera/leaf_1.jpg", "x");
	put("Aloe_vera/more/2.PNG", "x");
	put("Aloe_vera/notes.txt", "x");
	put("Mangifera_indica/a\xff.jpg", "x");
	put("Mangifera_indica/b.webp", "x");
	put("loose.jpg", "x");
	put("classes.csv", "scientific_name,family,common_en\nAloe vera,Asphodelaceae,Aloe\n");
	char link[128];
	snprintf(link, sizeof link, "%s/Aloe_vera/more/loop", dir);
	CHECK(!symlink("..", link), "symlink");
	tp_catalog_import_opts o = opts("folders", "");
	return imports(&o,
		"Aloe_vera/leaf_1.jpg n1 t1 o0 s-1 leaf\nAloe_vera/more/2.PNG n1 t1 o0 s-1 \n"
		"Mangifera_indica/b.webp n2 t2 o0 s-1 \n",
		"Aloe_vera/notes.txt: no photo, by its name\n"
		"Mangifera_indica/a\\xff.jpg: path is not UTF-8 (is the file Latin-1? then say so)\n"
		"classes.csv: no photo, by its name\nloose.jpg: a photo outside the species' folders\n");
}

static int test_class_folders(void)
{
	fresh();
	return clean(folders());
}

static int tables(void)
{
	put("p.csv", "path,scientificName,plant,date,lat,lon,split,organ,no_train\r\n"
		     "a.jpg,Aloe vera,p1,2024-01-02,45.5,-3,train,leaf,\r\n"
		     "b.jpg,Aloe vera,p1,,,,test,,yes\r\n"
		     "\"c,\"\"1\"\".jpg\",Mangifera indica,p2,,,,,,0\r\n"
		     "d.jpg,Aloe vera,p1\r\n"
		     "../e.jpg,Aloe vera,p1,,,,,,\r\n"
		     "f.jpg,,p1,,,,,,\r\n"
		     "g.jpg,Aloe vera,p1,,91,0,,,\r\n"
		     "h.jpg,Aloe vera,p1,,,,maybe,,\r\n"
		     "b.jpg,Aloe vera,p1,,,,test,,yes\r\n"
		     "a.jpg,Mangifera indica,p1,,,,,,\r\n"
		     "i.jpg,caf\xe9 rouge,p1,,,,,,\r\n");
	static const char *const columns[] = { "observation=plant" }, *const wrong[] = { "species=name" },
				 *const unknown[] = { "colour=plant" };
	tp_catalog_import_opts o = opts("csv", "p.csv");
	o.source.column = columns;
	o.source.n_columns = 1;
	int bad = imports(&o,
		"a.jpg n1 t1 o1 s0 leaf 45.5,-3 2024-01-02\nb.jpg n1 t1 o1 s2  no\nc,\"1\".jpg n2 t2 o2 s-1 "
		"\n",
		"line 5: 3 fields, the first line has 9\nline 6: path \"../e.jpg\" leaves the folder\nline "
		"7: no species\n"
		"line 8: latitude \"91\" is no number of -90..90\nline 9: split \"maybe\" is none of train, "
		"val, test\n"
		"line 11: photo 1 is there already, as Aloe vera\n"
		"line 12: species is not UTF-8 (is the file Latin-1? then say so)\n");
	CHECK(!bad, "UTF-8");
	o.source.encoding = "latin1";
	CHECK(!imports(&o, NULL, NULL), "Latin-1");
	o.source.encoding = "utf-16";
	CHECK(!fails(&o, TP_EINVAL, "utf-16"), "encoding");
	o.source.encoding = NULL;
	o.source.column = wrong;
	CHECK(!fails(&o, TP_EFORMAT, "no column \"name\""), "a missing column");
	o.source.column = unknown;
	CHECK(!fails(&o, TP_EINVAL, "colour=plant"), "an unknown one");
	return 0;
}

static int test_tables(void)
{
	fresh();
	return clean(tables());
}

static int latin1(void)
{
	put("l.tsv", "url\tspecies\tauthor\nhttps://x.org/1\tAlo\xebs caf\xe9\tJos\xe9\n");
	tp_catalog_import_opts o = opts("csv", "l.tsv");
	o.source.encoding = "ISO-8859-1";
	CHECK(!imports(&o, "https://x.org/1 n1 t1 o0 s-1 \n", ""), "Latin-1");
	tp_buf b;
	CHECK(!dump(&b, to) && strstr(b.ptr, "|Alo\xc3\xabs caf\xc3\xa9|") && strstr(b.ptr, "|Jos\xc3\xa9|"),
		"%s", b.ptr);
	tp_buf_dispose(&b);
	put("u.csv", "\xff\xfep\0a\0");
	o = opts("csv", "u.csv");
	CHECK(!fails(&o, TP_EFORMAT, "UTF-16"), "UTF-16");
	put("e.csv", "");
	o = opts("csv", "e.csv");
	CHECK(!fails(&o, TP_EFORMAT, "empty"), "empty");
	o = opts("csv", "nowhere.csv");
	CHECK(!fails(&o, TP_ENOTFOUND, "nowhere.csv: no such file"), "no such file");
	put("n.csv", "photo,species\n");
	o = opts("csv", "n.csv");
	CHECK(!fails(&o, TP_EFORMAT, "no column \"path\" or \"url\""), "columns");
	return 0;
}

static int test_encodings(void)
{
	fresh();
	return clean(latin1());
}

static int broken_lines(void)
{
	enum { LONG = 10 << 20 };
	static const char head[] = "path,species\na.jpg,Aloe vera\n",
			  tail[] = ",Aloe vera\nb.jpg,Aloe vera\n",
			  open_quote[] = "c.jpg,\"Aloe vera\nd.jpg,Aloe vera\n";
	char *text = tp_alloc(LONG + sizeof head + sizeof tail);
	CHECK(text, "memory");
	memcpy(text, head, sizeof head - 1);
	memset(text + sizeof head - 1, 'x', LONG);
	memcpy(text + sizeof head - 1 + LONG, tail, sizeof tail - 1);
	put_bytes("long.csv", text, LONG + sizeof head + sizeof tail - 2);
	tp_free(text);
	tp_catalog_import_opts o = opts("csv", "long.csv");
	CHECK(!imports(&o, "a.jpg n1 t1 o0 s-1 \nb.jpg n1 t1 o0 s-1 \n",
		      "line 3: longer than 1048576 bytes\n"),
		"a line of 10 MB");
	char both[256];
	snprintf(both, sizeof both, "%s%s", head, open_quote);
	put("open.csv", both);
	o = opts("csv", "open.csv");
	CHECK(!fails(&o, TP_EFORMAT, "line 3: a quote that never closes"), "open quote");
	put_bytes("nul.csv", "path,species\na\0.jpg,Aloe vera\nb.jpg,Aloe vera\n", 46);
	o = opts("csv", "nul.csv");
	CHECK(!imports(&o, "b.jpg n1 t1 o0 s-1 \n", "line 2: a NUL byte\n"), "NUL");
	return 0;
}

static int test_broken_lines(void)
{
	fresh();
	return clean(broken_lines());
}

/* ---- Darwin Core Archives ---- */

static const char meta[] =
	"<archive xmlns=\"http://rs.tdwg.org/dwc/text/\" metadata=\"metadata.xml\">\n"
	"<core encoding=\"UTF-8\" fieldsTerminatedBy=\"\\t\" linesTerminatedBy=\"\\n\" fieldsEnclosedBy=\"\" "
	"ignoreHeaderLines=\"1\" rowType=\"http://rs.tdwg.org/dwc/terms/Occurrence\">\n"
	"<files><location>occurrence.txt</location></files><id index=\"0\" />\n"
	"<field index=\"0\" term=\"http://rs.gbif.org/terms/1.0/gbifID\"/>\n"
	"<field index=\"2\" term=\"http://rs.tdwg.org/dwc/terms/scientificName\"/>\n"
	"<field index=\"1\" term=\"http://purl.org/dc/terms/license\"/>\n"
	"<field index=\"3\" term=\"http://rs.tdwg.org/dwc/terms/kingdom\"/>\n"
	"<field index=\"4\" term=\"http://rs.tdwg.org/dwc/terms/family\"/>\n"
	"<field index=\"5\" term=\"http://rs.tdwg.org/dwc/terms/decimalLatitude\"/>\n"
	"<field index=\"6\" term=\"http://rs.tdwg.org/dwc/terms/decimalLongitude\"/>\n"
	"<field index=\"7\" term=\"http://rs.tdwg.org/dwc/terms/eventDate\"/>\n"
	"<field term=\"http://rs.tdwg.org/dwc/terms/recordedBy\" default=\"Nobody\"/></core>\n"
	"<extension encoding=\"UTF-8\" fieldsTerminatedBy=\"\\t\" linesTerminatedBy=\"\\n\" "
	"fieldsEnclosedBy=\"\" "
	"ignoreHeaderLines=\"1\" rowType=\"http://rs.tdwg.org/dwc/terms/Occurrence\">"
	"<files><location>verbatim.txt</location></files><coreid index=\"0\"/></extension>\n"
	"<extension encoding=\"UTF-8\" fieldsTerminatedBy=\"\\t\" linesTerminatedBy=\"\\n\" "
	"fieldsEnclosedBy=\"\" "
	"ignoreHeaderLines=\"1\" rowType=\"http://rs.gbif.org/terms/1.0/Multimedia\">\n"
	"<files><location>multimedia.txt</location></files><coreid index=\"0\" />\n"
	"<field index=\"1\" term=\"http://purl.org/dc/terms/type\"/>\n"
	"<field index=\"3\" term=\"http://purl.org/dc/terms/identifier\"/>\n"
	"<field index=\"4\" term=\"http://purl.org/dc/terms/creator\"/>\n"
	"<field index=\"5\" term=\"http://purl.org/dc/terms/license\"/></extension></archive>\n";
static const char occurrences[] =
	"gbifID\tlicense\tscientificName\tkingdom\tfamily\tdecimalLatitude\tdecimalLongitude\teventDate\n"
	"11\tCC0\tAloe vera (L.) Burm.f.\tPlantae\tAsphodelaceae\t45.5\t-3\t2024-05-06\n"
	"12\tCC0\tMangifera \"indica\" L.\tPlantae\tAnacardiaceae\t\t\t\n"
	"13\tCC0\tApis mellifera\tAnimalia\tApidae\t\t\t\n"
	"14\tCC0\tAloe vera\tPlantae\n"
	"11\tCC0\tAloe again\tPlantae\tAsphodelaceae\t\t\t\n"
	"15\tCC0\tNobody asked\tPlantae\t\t\t\t\n";
static const char media[] = "gbifID\ttype\tformat\tidentifier\tcreator\tlicense\n"
			    "12\tStillImage\timage/jpeg\thttps://x.org/12a.jpg\tAnn\tCC-BY\n"
			    "11\tStillImage\timage/jpeg\thttps://x.org/11a.jpg\t\t\n"
			    "11\tStillImage\timage/jpeg\thttps://x.org/11b.jpg\t\t\n"
			    "11\tSound\taudio/mp3\thttps://x.org/11.mp3\t\t\n"
			    "13\tStillImage\timage/jpeg\thttps://x.org/13.jpg\t\t\n"
			    "99\tStillImage\timage/jpeg\thttps://x.org/99.jpg\t\t\n"
			    "11\tStillImage\timage/jpeg\tfile:///etc/passwd\t\t\n"
			    "12\tStillImage\timage/jpeg\thttps://x.org/11a.jpg\t\t\n";
static const char dwca_photos[] = "https://x.org/12a.jpg n1 t1 o1 s-1 \n"
				  "https://x.org/11a.jpg n2 t2 o2 s-1  45.5,-3 2024-05-06\n"
				  "https://x.org/11b.jpg n2 t2 o2 s-1  45.5,-3 2024-05-06\n";
static const char dwca_refused[] =
	"occurrence.txt line 5: 4 fields, meta.xml tells of 8\n"
	"occurrence.txt line 6: an occurrence with this id came before\n"
	"multimedia.txt line 5: no photo: Sound\nmultimedia.txt line 6: kingdom Animalia\n"
	"multimedia.txt line 7: no occurrence \"99\"\n"
	"multimedia.txt line 8: URL \"file:///etc/passwd\" is neither http nor https\n"
	"multimedia.txt line 9: photo 2 is there already, as Aloe vera (L.) Burm.f.\n";

static void zip_add(struct archive *z, const char *name, const void *p, size_t n)
{
	struct archive_entry *e = archive_entry_new();
	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (la_int64_t)n);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	if (archive_write_header(z, e) != ARCHIVE_OK || archive_write_data(z, p, n) != (la_ssize_t)n)
		abort();
	archive_entry_free(e);
}

static struct archive *zip_new(const char *rel)
{
	char path[256];
	struct archive *z = archive_write_new();
	snprintf(path, sizeof path, "%s/%s", dir, rel);
	archive_write_set_format_zip(z);
	if (archive_write_open_filename(z, path) != ARCHIVE_OK)
		abort();
	return z;
}

static void zip_dwca(const char *rel, const char *folder, const char *extra)
{
	char name[128];
	const char *const files[][2] = { { "occurrence.txt", occurrences }, { "multimedia.txt", media },
		{ "meta.xml", meta } };
	struct archive *z = zip_new(rel);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s%s", folder, files[i][0]);
		zip_add(z, name, files[i][1], strlen(files[i][1]));
	}
	if (extra)
		zip_add(z, extra, "x", 1);
	archive_write_free(z);
}

static int dwca(void)
{
	put("d/meta.xml", meta);
	put("d/occurrence.txt", occurrences);
	put("d/multimedia.txt", media);
	tp_catalog_import_opts o = opts("dwca", "d");
	o.source.kingdom = "Plantae";
	CHECK(!imports(&o, dwca_photos, dwca_refused), "folder");
	tp_buf b;
	CHECK(!dump(&b, to) && strstr(b.ptr, "\n1|Ann|\n2|Nobody|\n1|CC-BY|\n2|CC0|\n") &&
			strstr(b.ptr, "|1|-|-|0|17|1|") == NULL && strstr(b.ptr, "Asphodelaceae"),
		"%s", b.ptr);
	tp_buf_dispose(&b);
	zip_dwca("a.zip", "", NULL);
	o = opts("dwca", "a.zip");
	o.source.kingdom = "Plantae";
	CHECK(!imports(&o, dwca_photos, dwca_refused), "zip");
	zip_dwca("f.zip", "0012345-24/", NULL);
	o = opts("dwca", "f.zip");
	o.source.kingdom = "Plantae";
	CHECK(!imports(&o, dwca_photos, dwca_refused), "zip with a folder");
	return 0;
}

static int test_darwin_core_archives(void)
{
	fresh();
	return clean(dwca());
}

/* As Audiovisual Core has them. The plants flower, which says nothing of a photo. */
static const char organ_meta[] =
	"<archive xmlns=\"http://rs.tdwg.org/dwc/text/\"><core fieldsTerminatedBy=\",\" "
	"fieldsEnclosedBy=\"\" "
	"rowType=\"http://rs.tdwg.org/dwc/terms/Occurrence\"><files><location>o.csv</location></files><id "
	"index=\"0\"/>"
	"<field index=\"1\" term=\"http://rs.tdwg.org/dwc/terms/scientificName\"/>"
	"<field index=\"2\" term=\"http://rs.tdwg.org/dwc/terms/reproductiveCondition\"/>"
	"<field index=\"3\" term=\"http://example.org/organ\"/></core>"
	"<extension fieldsTerminatedBy=\",\" fieldsEnclosedBy=\"\" "
	"rowType=\"http://rs.tdwg.org/ac/terms/Multimedia\">"
	"<files><location>m.csv</location></files><coreid index=\"0\"/>"
	"<field index=\"1\" term=\"http://rs.tdwg.org/ac/terms/accessURI\"/>"
	"<field index=\"2\" term=\"http://rs.tdwg.org/ac/terms/subjectPart\"/>"
	"<field index=\"3\" term=\"http://purl.org/dc/terms/subject\"/></extension></archive>";

static int organs(void)
{
	static const char *const by_subject[] = { "organ=subject" }, *const by_none[] = { "organ=colour" };
	put("d/meta.xml", organ_meta);
	put("d/o.csv", "1,Aloe vera,flowering,\n2,Aloe vera,flowering,Fruit\n");
	put("d/m.csv", "1,http://x.org/a,http://rs.tdwg.org/acpart/values/p0005,bark\n1,http://x.org/"
		       "b,Inflorescence,\n"
		       "1,http://x.org/c,entireOrganism,\n1,http://x.org/d,acpart:p0003,\n1,http://x.org/"
		       "e,unspecifiedPart,\n"
		       "1,http://x.org/f,flower | "
		       "inflorescence,\n1,http://x.org/g,leaf|fruit,\n1,http://x.org/h,thorn,\n"
		       "1,http://x.org/i,,\n2,http://x.org/j,,\n2,http://x.org/k,bark,\n"
		       "1,http://x.org/l,http://rs.tdwg.org/acpart/values/leaf,\n");
	tp_catalog_import_opts o = opts("dwca", "d");
	int bad = imports(&o,
		"http://x.org/a n1 t1 o1 s-1 leaf\nhttp://x.org/b n1 t1 o1 s-1 flower\nhttp://x.org/c n1 t1 "
		"o1 s-1 habit\n"
		"http://x.org/d n1 t1 o1 s-1 twig\nhttp://x.org/e n1 t1 o1 s-1 \nhttp://x.org/f n1 t1 o1 s-1 "
		"flower\n"
		"http://x.org/g n1 t1 o1 s-1 leaf|fruit\nhttp://x.org/h n1 t1 o1 s-1 thorn\nhttp://x.org/i "
		"n1 t1 o1 s-1 \n"
		"http://x.org/j n1 t1 o2 s-1 fruit\nhttp://x.org/k n1 t1 o2 s-1 bark\n"
		"http://x.org/l n1 t1 o1 s-1 http://rs.tdwg.org/acpart/values/leaf\n",
		"");
	CHECK(!bad, "organs");
	put("d/m.csv", "1,http://x.org/a,http://rs.tdwg.org/acpart/values/p0005,bark\n");
	o.source.column = by_subject;
	o.source.n_columns = 1;
	CHECK(!imports(&o, "http://x.org/a n1 t1 o1 s-1 bark\n", ""), "chosen");
	o.source.column = by_none;
	return fails(&o, TP_EFORMAT, "no term \"colour\"");
}

static int test_organs_in_archives(void)
{
	fresh();
	return clean(organs());
}

static void put_replaced(const char *rel, const char *text, const char *what, const char *by)
{
	char out[8192];
	const char *at = strstr(text, what);
	if (!at)
		abort();
	snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
	put(rel, out);
}

static int bad_meta(const char *what, const char *by, tp_code code, const char *words)
{
	tp_catalog_import_opts o = opts("dwca", "d");
	put_replaced("d/meta.xml", meta, what, by);
	return fails(&o, code, words);
}

static int bad_archives(void)
{
	put("d/occurrence.txt", occurrences);
	put("d/multimedia.txt", media);
	tp_catalog_import_opts o = opts("dwca", "d");
	CHECK(!fails(&o, TP_ENOTFOUND, "no meta.xml"), "none");
	int bad = bad_meta("occurrence.txt", "../occurrence.txt", TP_EFORMAT, "leaves the folder") ||
		  bad_meta("occurrence.txt", "nowhere.txt", TP_ENOTFOUND, "nowhere.txt") ||
		  bad_meta("UTF-8", "UTF-16", TP_EINVAL, "UTF-16") ||
		  bad_meta("Occurrence", "Taxon", TP_EFORMAT, "Taxon") ||
		  bad_meta("terms/scientificName", "terms/name", TP_EFORMAT, "scientificName") ||
		  bad_meta("index=\"2\"", "index=\"-2\"", TP_EFORMAT, "index \"-2\"") ||
		  bad_meta("index=\"2\"", "index=\"99999\"", TP_EFORMAT, "99999") ||
		  bad_meta("<id index=\"0\" />", "", TP_EFORMAT, "no id") ||
		  bad_meta("</archive>", "", TP_EFORMAT, "meta.xml: line") ||
		  bad_meta("<archive", "<!DOCTYPE a [<!ENTITY x \"y\">]><archive", TP_EFORMAT,
			  "document type") ||
		  bad_meta("linesTerminatedBy=\"\\n\"", "linesTerminatedBy=\"\\f\"", TP_EFORMAT,
			  "linesTerminatedBy") ||
		  bad_meta("fieldsTerminatedBy=\"\\t\"", "fieldsTerminatedBy=\"\"", TP_EFORMAT,
			  "fieldsTerminatedBy");
	CHECK(!bad, "meta.xml");
	zip_dwca("up.zip", "", "../../evil.txt");
	o = opts("dwca", "up.zip");
	CHECK(!fails(&o, TP_EFORMAT, "leaves the folder"), "a zip with ../");
	zip_dwca("abs.zip", "", "/etc/evil.txt");
	o = opts("dwca", "abs.zip");
	CHECK(!fails(&o, TP_EFORMAT, "leaves the folder"), "a zip with an absolute path");
	put("no.zip", "PK\3\4 and then nothing");
	o = opts("dwca", "no.zip");
	CHECK(!fails(&o, TP_EFORMAT, "no.zip"), "no zip");
	return 0;
}

static int test_archives_that_are_none(void)
{
	fresh();
	return clean(bad_archives());
}

static int zip_bomb(void)
{
	enum { BOMB = TP_FREE_INFLATE + (1 << 20) };
	char *zeros = tp_alloc(BOMB);
	CHECK(zeros, "memory");
	memset(zeros, '\n', BOMB); /* empty lines: no record, so nothing stops a reader but the limit */
	struct archive *z = zip_new("bomb.zip");
	zip_add(z, "meta.xml", meta, strlen(meta));
	zip_add(z, "occurrence.txt", zeros, BOMB);
	zip_add(z, "multimedia.txt", media, strlen(media));
	archive_write_free(z);
	tp_free(zeros);
	tp_catalog_import_opts o = opts("dwca", "bomb.zip");
	return fails(&o, TP_ELIMIT, "zip bomb");
}

static int test_a_zip_bomb(void)
{
	fresh();
	return clean(zip_bomb());
}

/* ---- the published sets ---- */

static int plantnet300k(void)
{
	put("v1/plantnet300K_metadata.json",
		"{\"0a1b\": {\"species_id\": \"1355868\", \"obs_id\": \"1000001\", \"organ\": \"leaf\", "
		"\"is_shareable\": true, "
		"\"v1_id\": \"x\", \"author\": \"Ann\", \"license\": \"cc-by-sa\", \"split\": \"train\"},\n"
		" \"0a1c\": {\"species_id\": \"1355868\", \"obs_id\": \"1000001\", \"organ\": \"flower\", "
		"\"is_shareable\": false, "
		"\"author\": \"Ann\", \"license\": \"cc-by-sa\", \"split\": \"val\"},\n"
		" \"0a1d\": {\"species_id\": \"1\", \"obs_id\": \"2\", \"organ\": \"leaf\", \"split\": "
		"\"test\"},\n"
		" \"../a\": {\"species_id\": \"1355868\", \"obs_id\": \"2\", \"organ\": \"leaf\", \"split\": "
		"\"test\"},\n"
		" \"0a1e\": {\"species_id\": \"1355868\", \"obs_id\": \"2\", \"organ\": \"leaf\", \"split\": "
		"\"maybe\"}}\n");
	put("v1/plantnet300K_species_id_2_name.json", "{\"1355868\": \"Lactuca virosa L.\"}");
	tp_catalog_import_opts o = opts("plantnet300k", "v1");
	CHECK(!imports(&o,
		      "images/train/1355868/0a1b.jpg n1 t1 o1 s0 leaf\nimages/val/1355868/0a1c.jpg n1 t1 o1 "
		      "s1 flower no\n",
		      "0a1d: its species has no name\n../a: species_id, split or name is not as it should "
		      "be\n"
		      "0a1e: species_id, split or name is not as it should be\n"),
		"v1.1");
	put("v2/species_metadata.csv",
		"species_id,full_species,family\n0,Lactuca virosa L.,Asteraceae\n12,Aloe vera,\n");
	put("v2/plantnet300K_metadata.csv",
		"species_id,PN_observation_id,organ,author,license,split,PN_hash\n"
		"0,77,leaf,Ann,cc-by-sa,train,0a1b\n12,78,bark,Bob,cc-by-nc,test,0a1c\n"
		"5,78,bark,Bob,cc-by-nc,test,0a1d\n0,78,bark,Bob,cc-by-nc,test,../x\n0,78\n");
	o = opts("plantnet300k", "v2");
	CHECK(!imports(&o, "train/0000/0a1b.jpg n1 t1 o1 s0 leaf\ntest/0012/0a1c.jpg n2 t2 o2 s2 bark\n",
		      "line 4: its species has no name\nline 5: species_id, split or PN_hash is not as it "
		      "should be\n"
		      "line 6: 2 fields, the first line has 7\n"),
		"v2.0");
	o = opts("plantnet300k", "");
	CHECK(!fails(&o, TP_ENOTFOUND, "neither"), "none");
	put("v1/plantnet300K_metadata.json", "{\"0a1b\": {\"species_id\": \"1355868\", ");
	o = opts("plantnet300k", "v1");
	CHECK(!fails(&o, TP_EFORMAT, "line 1"), "cut off");
	return 0;
}

static int test_plantnet300k(void)
{
	fresh();
	return clean(plantnet300k());
}

static int inat(void)
{
	put("i/train.json",
		"{\"info\": {\"year\": 2020}, \"images\": [{\"id\": 10, \"width\": 500, \"height\": 375, "
		"\"file_name\": "
		"\"train/02912_Plantae_Aloe/a.jpg\", \"license\": 1, \"rights_holder\": \"Ann\", \"date\": "
		"\"2012-07-09\", "
		"\"latitude\": 45.5, \"longitude\": -3, \"location_uncertainty\": 9},\n"
		"{\"id\": 11, \"width\": 500, \"height\": 375, \"file_name\": \"train/1/b.jpg\", "
		"\"license\": 0, \"latitude\": null},\n"
		"{\"id\": 12, \"file_name\": \"train/1/c.jpg\"}, {\"id\": 13, \"file_name\": "
		"\"train/1/d.jpg\"}],\n"
		"\"categories\": [{\"id\": 7, \"name\": \"Aloe vera\", \"common_name\": \"Aloe\", "
		"\"supercategory\": \"Plants\", "
		"\"kingdom\": \"Plantae\", \"family\": \"Asphodelaceae\", \"image_dir_name\": \"x\"},"
		"{\"id\": 8, \"name\": \"Apis mellifera\", \"kingdom\": \"Animalia\"}],\n"
		"\"annotations\": [{\"id\": 1, \"image_id\": 10, \"category_id\": 7}, {\"id\": 2, "
		"\"image_id\": 11, "
		"\"category_id\": 8}, {\"id\": 3, \"image_id\": 13, \"category_id\": 8}, {\"id\": 4, "
		"\"image_id\": 13, "
		"\"category_id\": 7}],\n\"licenses\": [{\"id\": 1, \"name\": \"CC\", \"url\": "
		"\"http://cc/by\"}]}\n");
	tp_catalog_import_opts o = opts("inat2021", "i/train.json");
	o.source.kingdom = "Plantae";
	CHECK(!imports(&o, "train/02912_Plantae_Aloe/a.jpg n1 t1 o0 s0  45.5,-3 2012-07-09\n",
		      "image 1: kingdom Animalia\nimage 2: no species\nimage 3: annotated as two species\n"),
		"train.json");
	put("i/bad.json", "{\"categories\": [{\"id\": \"7\"}]}");
	o = opts("inat2021", "i/bad.json");
	CHECK(!fails(&o, TP_EFORMAT, "category 0"), "types");
	put("i/bad.json", "{\"categories\": [{\"id\": 7]}");
	CHECK(!fails(&o, TP_EFORMAT, "line 1"), "brackets");
	put("i/bad.json", "[]");
	CHECK(!fails(&o, TP_EFORMAT, "no JSON object"), "an array");
	return 0;
}

static int test_inat2021(void)
{
	fresh();
	return clean(inat());
}

static int oxford(void)
{
	put("o/imagelabels.csv", "labels\n77\n77.0\n3\n3\n");
	put("o/setid.csv", "trnid,valid,tstid\n1,2,3\n,,4\n");
	put("o/cat_to_name.json", "{\"77\": \"passion flower\"}");
	tp_catalog_import_opts o = opts("oxford102", "o");
	static const char want[] =
		"jpg/image_00001.jpg n1 t1 o0 s0 flower\njpg/image_00002.jpg n1 t1 o0 s1 flower\n"
		"jpg/image_00003.jpg n2 t2 o0 s2 flower\njpg/image_00004.jpg n2 t2 o0 s2 flower\n";
	CHECK(!imports(&o, want, ""), "columns");
	put("o/imagelabels.csv", "77,77,3,3\n");
	put("o/setid.csv", "trnid,1\nvalid,2\ntstid,3,4\n");
	CHECK(!imports(&o, want, ""), "lines");
	put("o/setid.csv", "trnid,1\nvalid,1\n");
	CHECK(!fails(&o, TP_EFORMAT, "photo 1 is in two sets"), "two sets");
	put("o/setid.csv", "trnid,5\n");
	CHECK(!fails(&o, TP_EFORMAT, "no photo of 1..4"), "no such photo");
	put("o/imagelabels.csv", "0\n");
	CHECK(!fails(&o, TP_EFORMAT, "no label"), "label 0");
	return 0;
}

static int test_oxford102(void)
{
	fresh();
	return clean(oxford());
}

/* ---- training from a catalog ---- */

static int trains(void)
{
	char csv[4096] = "path,species,source,split,author\n", other[4096] = "path,species\n";
	for (int i = 0; i < 8; i++)
		snprintf(csv + strlen(csv), sizeof csv - strlen(csv), "p/%d.jpg,%s,garden,%s,Ann\n", i,
			i % 2 ? "Aloe vera" : "Mangifera indica",
			i < 4   ? "train"
			: i < 6 ? "val"
				: "test");
	put("s/p.csv", csv);
	put("s/classes.csv", "scientific_name,family,common_en\nAloe vera,Asphodelaceae,Aloe\n");
	tp_catalog_import_opts o = opts("csv", "s/p.csv");
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	CHECK(!imports(&o, NULL, ""), "import");
	const int excluded = TP_SET_EXCLUDED, split = TP_SET_SPLIT;
	const int64_t second = 2, third = 3;
	tp_catalog *c = NULL;
	CHECK_OK(tp_catalog_open(&c, to, TP_CATALOG_WRITE, &err), err);
	tp_catalog_value v = { TP_VALUE_TEXT, .p = "blurred" }, s = { TP_VALUE_INT, .i = TP_TEST };
	CHECK_OK(tp_catalog_set(c, &excluded, 1, &second, 1, &v, &err), err);
	CHECK_OK(tp_catalog_set(c, &split, 1, &third, 1, &s, &err), err);
	tp_catalog_close(c);
	CHECK_OK(tp_manifest_open(&m, to, 1, &err), err);
	CHECK(m.n_photos == 7 && m.n_taxa == 2 && m.skipped_excluded == 1 && m.seen == 8, "%zu photos",
		m.n_photos);
	char *real = realpath(dir, NULL), want[256];
	snprintf(want, sizeof want, "%s/s/p/0.jpg", real + 1);
	free(real);
	CHECK_STR(m.root, "/");
	CHECK_STR(m.photos[0].path, want);
	CHECK(m.photos[0].split == TP_TRAIN && m.photos[1].split == TP_TEST && m.photos[3].split == TP_VAL,
		"splits");
	CHECK_STR(m.photos[0].source, "garden");
	CHECK_STR(m.photos[0].author, "Ann");
	CHECK_STR(m.taxa[0].name, "Aloe vera");
	CHECK_STR(m.taxa[0].family, "Asphodelaceae");
	CHECK_STR(m.taxa[0].common[0][1], "Aloe");
	tp_manifest_free(&m);
	for (int i = 0; i < 4; i++)
		snprintf(other + strlen(other), sizeof other - strlen(other), "q/%d.jpg,Aloe vera\n", i);
	put("t/q.csv", other);
	o = opts("csv", "t/q.csv");
	tp_imported n;
	CHECK_OK(tp_catalog_import(&n, to, &o, &err), err);
	CHECK(tp_manifest_open(&m, to, 1, &err) == TP_EINVAL && strstr(err.msg, "4 have none"), "%s",
		err.msg);
	return 0;
}

static int test_training_takes_what_is_kept(void)
{
	fresh();
	return clean(trains());
}

/* ---- no memory ---- */

static int remove_catalog(void)
{
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", to);
	return system(cmd);
}

/* Whichever allocation fails: it is said and nothing leaks, and the next run makes the catalog that no failure would. */
static int starve(const char *kind, const char *rel)
{
	tp_buf whole, again;
	tp_imported n;
	tp_err err = { 0 };
	tp_catalog_import_opts o = opts(kind, rel);
	o.source.kingdom = "Plantae";
	o.batch = 2;
	CHECK(!remove_catalog(), "rm");
	CHECK_OK(tp_catalog_import(&n, to, &o, &err), err);
	CHECK(n.added, "%s: nothing was added", rel);
	CHECK(!dump(&whole, to), "dump");
	int k = 1;
	for (bool failed = true; failed; k++) {
		CHECK(!remove_catalog(), "rm");
		long before = tp_mem_live();
		tp_mem_fail_at(k);
		tp_code rc = tp_catalog_import(&n, to, &o, NULL);
		failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == before, "%s: allocation %d leaks", rel, k);
		CHECK(rc == (failed ? TP_ENOMEM : TP_OK), "%s: allocation %d: code %d", rel, k, rc);
		CHECK(n.seen == n.added + n.there + n.refused, "%s: allocation %d: the sum", rel, k);
		CHECK_OK(tp_catalog_import(&n, to, &o, &err), err);
		CHECK(!dump(&again, to), "dump");
		CHECK(again.len == whole.len && !memcmp(again.ptr, whole.ptr, whole.len),
			"%s: allocation %d: another catalog", rel, k);
		tp_buf_dispose(&again);
	}
	tp_buf_dispose(&whole);
	printf("%s: %d allocations\n", rel, k - 2);
	return k > 20 ? 0 : 1;
}

static void put_sources(void)
{
	put("folders/Aloe_vera/leaf_1.jpg", "x");
	put("folders/Aloe_vera/more/2.PNG", "x");
	put("folders/loose.jpg", "x");
	put("folders/classes.csv", "scientific_name,family,common_en\nAloe vera,Asphodelaceae,Aloe\n");
	put("csv/p.csv",
		"path,species,family,author,licence,observation,latitude\na.jpg,Aloe vera,F,Ann,CC0,o1,1\n"
		"\"b,\"\"1\"\".jpg\",Agave \xc3\xa9,F,Ann,CC0,o1,1\nc.jpg,,F,Ann,CC0,o1,1\nd.jpg,Aloe "
		"vera,F,Bob,CC0,o2,north\n"
		"a.jpg,Agave x,F,,,,\n");
	put("csv/classes.csv", "scientific_name,family,common_en\nAloe vera,Asphodelaceae,Aloe\n");
	put("dwca/meta.xml", meta);
	put("dwca/occurrence.txt", occurrences);
	put("dwca/multimedia.txt", media);
	zip_dwca("dwca.zip", "", NULL);
	put("v1/plantnet300K_metadata.json",
		"{\"0a1b\": {\"species_id\": \"1355868\", \"obs_id\": \"1\", \"organ\": \"leaf\", "
		"\"is_shareable\": true, "
		"\"author\": \"Ann\", \"license\": \"cc\", \"split\": \"train\"}, \"0a1d\": {\"species_id\": "
		"\"1\", \"split\": \"test\"}}");
	put("v1/plantnet300K_species_id_2_name.json", "{\"1355868\": \"Lactuca virosa L.\"}");
	put("v2/species_metadata.csv", "species_id,full_species,family\n0,Lactuca virosa L.,Asteraceae\n");
	put("v2/plantnet300K_metadata.csv",
		"species_id,PN_observation_id,organ,author,license,split,PN_hash\n"
		"0,77,leaf,Ann,cc-by-sa,train,0a1b\n5,78,bark,Bob,cc-by-nc,test,0a1d\n");
	put("train.json", "{\"images\": [{\"id\": 10, \"width\": 5, \"height\": 3, \"file_name\": "
			  "\"train/1/a.jpg\", \"license\": 1, "
			  "\"rights_holder\": \"Ann\"}, {\"id\": 11, \"file_name\": \"b.jpg\"}], "
			  "\"categories\": [{\"id\": 7, \"name\": "
			  "\"Aloe vera\", \"kingdom\": \"Plantae\", \"family\": \"F\"}], \"annotations\": "
			  "[{\"image_id\": 10, "
			  "\"category_id\": 7}], \"licenses\": [{\"id\": 1, \"name\": \"CC\", \"url\": "
			  "\"http://cc/by\"}]}");
	put("oxford/imagelabels.csv", "labels\n77\n77.0\n3\n3\n");
	put("oxford/setid.csv", "trnid,valid,tstid\n1,2,3\n,,4\n");
	put("oxford/cat_to_name.json", "{\"77\": \"passion flower\", \"3\": \"\"}");
}

static int test_every_failed_allocation(void)
{
	static const char *const sources[][2] = { { "folders", "folders" }, { "csv", "csv/p.csv" },
		{ "dwca", "dwca" }, { "dwca", "dwca.zip" }, { "plantnet300k", "v1" },
		{ "plantnet300k", "v2" }, { "inat2021", "train.json" }, { "oxford102", "oxford" } };
	int bad = 0;
	fresh_in(access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm"); /* hundreds of catalogs are made */
	put_sources();
	for (size_t i = 0; i < sizeof sources / sizeof *sources && !bad; i++)
		bad = starve(sources[i][0], sources[i][1]);
	return clean(bad);
}

/* ---- killed at any moment ---- */

static void write_rows(void)
{
	char path[128];
	snprintf(path, sizeof path, "%s/k.csv", dir);
	FILE *f = fopen(path, "w");
	if (!f)
		abort();
	fputs("path,species,family,author,licence,observation,date,latitude\n", f);
	for (int i = 0; i < 6000; i++)
		fprintf(f, "p/%d.jpg,%s %d,F,a%d,CC%d,o%d,2024,%s\n", i % 5900, i % 97 ? "Aloe" : "",
			(i % 5900) / 7 % 211 + (i > 5950), i % 501, i % 5, (i % 5900) / 3,
			i % 89 ? "1.5" : "north");
	fclose(f);
}

static int import_killed(const tp_catalog_import_opts *o, double after)
{
	pid_t child = fork();
	if (child < 0)
		abort();
	if (!child) {
		tp_imported n;
		_exit(tp_catalog_import(&n, to, o, NULL) ? 1 : 0);
	}
	struct timespec t = { (time_t)after, (long)(1e9 * (after - (double)(time_t)after)) };
	nanosleep(&t, NULL);
	kill(child, SIGKILL);
	int status = 0;
	waitpid(child, &status, 0);
	return WIFSIGNALED(status);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int kills(uint64_t seed, int rounds)
{
	tp_rng rng = tp_rng_seed(seed);
	tp_buf whole, again;
	tp_imported n;
	tp_err err = { 0 };
	int killed = 0;
	write_rows();
	tp_catalog_import_opts o = opts("csv", "k.csv");
	o.batch = 150; /* many commits, so that many moments differ */
	double begin = seconds();
	CHECK_OK(tp_catalog_import(&n, to, &o, &err), err);
	double lasts = seconds() - begin;
	CHECK(n.refused && n.there && n.added && n.seen == 6000, "%zu %zu %zu", n.added, n.there, n.refused);
	CHECK(!dump(&whole, to), "dump");
	for (int k = 0; killed < rounds; k++) { /* some come too late and kill nobody */
		char cmd[128];
		CHECK(k < 100 * rounds, "killed only %d times in %d rounds", killed, k);
		snprintf(cmd, sizeof cmd, "rm -rf '%s'", to);
		CHECK(!system(cmd), "rm");
		do
			killed += import_killed(&o, lasts * tp_rng_unit(&rng));
		while (tp_rng_below(&rng, 3) == 0); /* some are killed twice and more */
		CHECK_OK(tp_catalog_import(&n, to, &o, &err), err);
		CHECK(n.seen == n.added + n.there + n.refused && n.seen == 6000, "sum");
		CHECK(!dump(&again, to), "dump");
		CHECK(again.len == whole.len && !memcmp(again.ptr, whole.ptr, whole.len),
			"seed %llu, round %d: another catalog", (unsigned long long)seed, k);
		tp_buf_dispose(&again);
	}
	tp_buf_dispose(&whole);
	printf("killed %d times while it ran, seed %llu\n", killed, (unsigned long long)seed);
	return 0;
}

static int test_killed_and_run_again(void)
{
	const char *rounds = getenv("TP_KILLS"), *seed = getenv("TP_SEED");
	fresh();
	return clean(kills(seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL),
		rounds ? (int)strtol(rounds, NULL, 10) : 4));
}

int main(void)
{
	if (getenv("TP_KILLS"))
		return RUN(T(test_killed_and_run_again));
	return RUN(T(test_class_folders), T(test_tables), T(test_encodings), T(test_broken_lines),
		T(test_darwin_core_archives), T(test_organs_in_archives), T(test_archives_that_are_none),
		T(test_a_zip_bomb), T(test_plantnet300k), T(test_inat2021), T(test_oxford102),
		T(test_training_takes_what_is_kept), T(test_every_failed_allocation),
		T(test_killed_and_run_again));
}
