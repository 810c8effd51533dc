/* The page of a catalog: see report.h. web/data-report/page.html has {{marks}}, each filled by a line of the table here. All
 * text that comes from the catalog goes through tp_put_text() or tp_put_text_n(); what is inside scripts is numbers only. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/report_int.h"

static void put_title(tp_report_page *p)
{
	char *whole = realpath(p->o->catalog, NULL), *slash = whole ? strrchr(whole, '/') : NULL;
	if (slash && slash[1])
		tp_put_text_n(&p->out, slash + 1, 100);
	else
		tp_put(&p->out, "A catalog");
	free(whole);
}

/* ---- at a glance ---- */

static void put_card(tp_report_page *p, const char *name, uint64_t n, const char *hint)
{
	tp_putf(&p->out, "<div><dt>%s</dt><dd>", name);
	tp_report_n(p, n);
	tp_putf(&p->out, "</dd><dd class=\"hint\">%s", hint);
}

static void end_card(tp_report_page *p)
{
	tp_put(&p->out, "</dd></div>\n");
}

static void put_cards(tp_report_page *p)
{
	const tp_tally *t = p->t;
	uint64_t refused = 0;
	for (size_t i = 0; i < t->n_sources; i++)
		refused += (uint64_t)t->source[i].refused;
	put_card(p, "Photos", t->photos, "in the catalog");
	end_card(p);
	put_card(p, "Kept", t->kept, "");
	tp_report_share(p, (double)t->kept, (double)t->photos);
	end_card(p);
	put_card(p, "Left out", t->photos - t->kept, "");
	tp_report_share(p, (double)(t->photos - t->kept), (double)t->photos);
	end_card(p);
	put_card(p, "Species", t->n_kept_species, "with photos that are kept");
	end_card(p);
	put_card(p, "Sources", t->n_sources, "");
	tp_report_n_of(p, refused, "row refused", "rows refused");
	end_card(p);
}

static void notice(tp_report_page *p, const char *text)
{
	tp_putf(&p->out, "<p class=\"notice\">%s</p>\n", text);
}

/* What a reader must know first. */
static void put_warnings(tp_report_page *p)
{
	const tp_tally *t = p->t;
	if (!t->photos)
		notice(p, "There is no photo in this catalog.");
	else if (!t->measured && !t->hashed)
		notice(p, "No photo has been looked at yet: <code>tepal data clean</code> measures them and "
			  "finds copies. Until then this "
			  "page shows only what the sources say.");
	else if (t->measured < t->photos)
		notice(p, "Not every photo has been measured: some files were not there or could not be "
			  "read, or came later.");
	if (t->torn_observations || t->torn_duplicates)
		notice(p, "Photos of the same plant, or copies of one photo, are in different splits: test "
			  "results will be "
			  "too good. See <a href=\"#splits\">Training, validation, test</a>.");
	if (t->untrained)
		notice(p, "Some species are tested but never trained: see <a href=\"#splits\">Training, "
			  "validation, test</a>.");
	for (size_t i = 0; i < t->n_sources; i++)
		if (!t->source[i].finished) {
			notice(p, "An import was interrupted; run it again to have all its photos.");
			break;
		}
}

static void put_short(tp_report_page *p)
{
	const tp_tally *t = p->t;
	size_t n = t->n_kept_species, few = 0;
	while (few < n && t->kept_ascending[few] < 10)
		few++;
	tp_put(&p->out, "<p>Of ");
	tp_report_n_of(p, t->photos, "photo", "photos");
	tp_put(&p->out, ", ");
	tp_report_n(p, t->kept);
	tp_put(&p->out, t->kept == 1 ? " is kept. It shows " : " are kept. They show ");
	tp_report_n(p, n);
	tp_put(&p->out, " species");
	if (few) {
		tp_put(&p->out, "; ");
		tp_report_n(p, few);
		tp_put(&p->out, " of these (");
		tp_report_share(p, (double)few, (double)n);
		tp_putf(&p->out, ") %s fewer than 10 photos.", few == 1 ? "has" : "have");
	} else {
		tp_put(&p->out, n ? ", each with 10 photos at least." : ".");
	}
	if (t->n_verdicts > 1 && t->verdict[1].photos) {
		tp_put(&p->out, " The most frequent reason to leave a photo out is <b>");
		tp_put_text_n(&p->out, t->verdict[1].rule, 100);
		tp_put(&p->out, "</b>, for ");
		tp_report_n_of(p, t->verdict[1].photos, "photo", "photos");
		tp_put(&p->out, ".");
	}
	tp_put(&p->out, "</p>\n");
	put_warnings(p);
}

/* ---- the end ---- */

static void put_about(tp_report_page *p)
{
	const tp_thumbs *s = p->thumbs;
	uint64_t bad = s->count[TP_THUMB_MISSING] + s->count[TP_THUMB_DAMAGED] + s->count[TP_THUMB_ELSEWHERE];
	char day[32] = "";
	time_t now = (time_t)p->o->now;
	struct tm tm;
	if (gmtime_r(&now, &tm))
		strftime(day, sizeof day, "%Y-%m-%d", &tm);
	tp_putf(&p->out,
		"<p>Made on %s by tepal %s. It needs no network and no other file. It has at most %d photos "
		"of each "
		"rule, drawn with seed %llu where no value says which are the most extreme.</p>\n<p>",
		day, p->o->version, p->o->sheet, (unsigned long long)p->o->seed);
	tp_report_n_of(p, s->n, "photo is", "photos are");
	tp_put(&p->out, " shown");
	if (bad) {
		tp_put(&p->out, "; <span id=\"placeholders\">of ");
		tp_report_n(p, bad);
		tp_put(&p->out, " there is only a placeholder: ");
		tp_report_n(p, s->count[TP_THUMB_MISSING]);
		tp_put(&p->out, " not found or not readable, ");
		tp_report_n(p, s->count[TP_THUMB_DAMAGED]);
		tp_put(&p->out, " damaged, ");
		tp_report_n(p, s->count[TP_THUMB_ELSEWHERE]);
		tp_put(&p->out, " not fetched yet</span>");
	}
	tp_put(&p->out, ". The thumbnails were made anew and hold no place, date or camera.</p>\n"
			"<p>Charts: Observable Plot and D3. Coast lines: Natural Earth. Their licences stand "
			"in this file.</p>\n");
}

/* ---- filling ---- */

static const struct {
	const char *mark;
	void (*fn)(tp_report_page *p);
	const char *file; /* instead of fn */
} parts[] = {
	{ "title", put_title, NULL },
	{ "cards", put_cards, NULL },
	{ "short", put_short, NULL },
	{ "verdicts", tp_report_verdicts, NULL },
	{ "sources", tp_report_sources, NULL },
	{ "refused", tp_report_refused, NULL },
	{ "tail", tp_report_tail, NULL },
	{ "imbalance", tp_report_imbalance, NULL },
	{ "species", tp_report_species, NULL },
	{ "groups", tp_report_groups, NULL },
	{ "time", tp_report_time, NULL },
	{ "place", tp_report_place, NULL },
	{ "cells", tp_report_cells, NULL },
	{ "people", tp_report_people, NULL },
	{ "quality", tp_report_quality, NULL },
	{ "sheets", tp_report_sheets, NULL },
	{ "pairs", tp_report_pairs, NULL },
	{ "splits", tp_report_splits, NULL },
	{ "names", tp_report_names, NULL },
	{ "about", put_about, NULL },
	{ "base-style", NULL, "report/style.css" },
	{ "style", NULL, "data-report/style.css" },
	{ "script", NULL, "data-report/report.js" },
	{ "d3", NULL, "vendor/d3/d3.min.js" },
	{ "d3-licence", NULL, "vendor/d3/LICENSE.txt" },
	{ "plot", NULL, "vendor/plot/plot.umd.min.js" },
	{ "plot-licence", NULL, "vendor/plot/LICENSE.txt" },
	{ "topojson", NULL, "vendor/topojson-client/topojson-client.min.js" },
	{ "topojson-licence", NULL, "vendor/topojson-client/LICENSE.txt" },
	{ "land", NULL, "vendor/world-atlas/land-110m.json" },
	{ "atlas-licence", NULL, "vendor/world-atlas/LICENSE.txt" },
};

static const char *file_named(const char *name)
{
	for (int i = 0; i < tp_n_data_report_files; i++)
		if (!strcmp(tp_data_report_files[i].name, name))
			return (const char *)tp_data_report_files[i].ptr;
	return "";
}

static void put_part(void *ud, const char *mark)
{
	tp_report_page *p = ud;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (strcmp(parts[i].mark, mark) != 0)
			continue;
		if (parts[i].fn)
			parts[i].fn(p);
		else
			tp_put(&p->out, file_named(parts[i].file));
	}
}

void tp_report_put_all(tp_report_page *p)
{
	tp_page_fill(&p->out, file_named("data-report/page.html"), put_part, p);
}

tp_code tp_data_report(tp_data_reported *out, const tp_data_report_opts *o, tp_err *err)
{
	tp_catalog *c = NULL;
	tp_tally t = { 0 };
	tp_thumbs thumbs = { 0 };
	if (o->sheet < 0 || o->sheet > TP_REPORT_MAX_SHEET)
		return tp_fail(err, TP_EINVAL, "%d photos of each rule: 0 to %d can be shown", o->sheet,
			TP_REPORT_MAX_SHEET);
	tp_report_page p = { .t = &t, .thumbs = &thumbs, .o = o };
	tp_page_init(&p.out, TP_MAX_REPORT, err);
	tp_code rc = tp_catalog_open(&c, o->catalog, TP_CATALOG_READ, err);
	if (!rc)
		rc = tp_tally_read(&t, c, o, err);
	if (!rc)
		rc = tp_thumbs_make(&thumbs, &t, c, o, err);
	tp_catalog_close(c);
	if (!rc) {
		tp_report_put_all(&p);
		rc = tp_page_save(&p.out, o->output);
	}
	if (!rc)
		*out = (tp_data_reported){ (int64_t)t.photos, (int64_t)t.kept,
			(size_t)thumbs.count[TP_THUMB_OK], thumbs.n - (size_t)thumbs.count[TP_THUMB_OK],
			p.out.b.len };
	tp_page_dispose(&p.out);
	tp_thumbs_dispose(&thumbs);
	tp_tally_dispose(&t);
	return rc;
}
