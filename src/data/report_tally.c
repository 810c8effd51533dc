/* Counting what is in a catalog: one walk over its photos, row by row, then small tables. See report_int.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/progress.h"
#include "data/report_int.h"

enum {
	MOST_NUMBER = 1 << 26,
	MOST_TEXTS = 4096,  /* different organs, families, reasons */
	MOST_PEOPLE = 20,   /* authors and licences that are named */
	MOST_SPECIES = 200, /* that are named */
};

/* Brightness and contrast are of 0..1 in the catalog, of 0..255 in the rules. */
const tp_quantity tp_quantities[TP_QUANTITIES] = {
	{ "width", "Width", "pixels", "How wide the photos are.", TP_WIDTH, true, 65536, 1, { -1, -1 } },
	{ "height", "Height", "pixels", "How high the photos are.", TP_HEIGHT, true, 65536, 1, { -1, -1 } },
	{ "short-side", "Short side", "pixels",
		"The smaller of width and height. A network is shown a few hundred pixels; details that tell "
		"species "
		"apart are lost in photos with less.",
		TP_SHORT_SIDE, true, 65536, 1, { TP_RULE_SMALL, -1 } },
	{ "aspect", "Long by short side", "",
		"1 is a square, 1.5 a usual photo. Of a very narrow one the network sees little.", TP_ASPECT,
		false, 8, 1, { TP_RULE_ASPECT, -1 } },
	{ "file-size", "Size of the file", "KiB", "How large the files are.", TP_FILE_SIZE, true, 1 << 20, 1,
		{ -1, -1 } },
	{ "brightness", "Brightness", "",
		"The mean of all pixels: 0 is black, 1 is white. Photos of plants lie mostly in the middle.",
		TP_BRIGHTNESS, false, 256, 1 / 255.0, { TP_RULE_DARK, TP_RULE_BRIGHT } },
	{ "contrast", "Contrast", "",
		"How far pixels differ from the mean. Near 0 the photo is of one colour: fog, or a lens cap.",
		TP_CONTRAST, false, 128, 1 / 255.0, { TP_RULE_CONTRAST, -1 } },
	{ "sharpness", "Sharpness", "",
		"How much fine detail the sharpest parts have. Veins and hairs cannot be seen in blurred "
		"photos.",
		TP_SHARPNESS, false, 128, 1, { TP_RULE_BLURRED, -1 } },
	{ "saturation", "Colour", "", "How colourful the photo is: 0 is grey.", TP_SATURATION, false, 256, 1,
		{ -1, -1 } },
	{ "entropy", "Variety of tones", "bits",
		"Low values are drawings, maps and plain backgrounds; photos have 6 to 8.", TP_ENTROPY, false,
		16, 1, { -1, -1 } },
	{ "background", "Probably no plant", "", "What a model gives the answer \"this is no plant\".",
		TP_BACKGROUND, false, 2, 1, { TP_RULE_NOT_PLANT, -1 } },
	{ "doubt", "Doubt about the name", "",
		"How probable it is that the name is wrong, as models see it that were not trained with the "
		"photo.",
		TP_DOUBT, false, 2, 1, { -1, -1 } },
	{ "text", "Lines of print", "share of rows",
		"How much of the photo looks like print on paper: a label or a page has much of it.",
		TP_TEXT_SHARE, false, 1, 1, { TP_RULE_TEXT, -1 } },
	{ "flat", "Of one colour", "share of pixels",
		"How much of the photo is flat: drawings, maps and placeholders have much of it.",
		TP_FLAT_SHARE, false, 1, 1, { TP_RULE_SYNTHETIC, -1 } },
};

typedef struct {
	tp_tally *t;
	const tp_data_report_opts *o;
	tp_id_counts sources, authors, licences, observations, duplicates;
	tp_excluded excluded;
	size_t last_verdict;
	tp_progress *progress;
	uint64_t told; /* photos of which progress knows */
} reading;

tp_code tp_room_for(void **v, size_t *n, int64_t id, size_t each, tp_err *err)
{
	if (id < 0 || id > MOST_NUMBER)
		return tp_fail(err, TP_ELIMIT,
			"number %lld in a small table of the catalog, at most %d is read", (long long)id,
			MOST_NUMBER);
	if ((size_t)id < *n)
		return TP_OK;
	size_t more = (size_t)id + (size_t)id / 2 + 16;
	void *p = tp_realloc(*v, more * each);
	if (!p)
		return tp_nomem(err, more * each);
	memset((char *)p + *n * each, 0, (more - *n) * each);
	*v = p;
	*n = more;
	return TP_OK;
}

/* ---- a photo ---- */

tp_code tp_tally_verdict(tp_verdict **out, tp_tally *t, const char *rule, size_t sheet, tp_err *err)
{
	*out = NULL;
	for (size_t i = 0; i < t->n_verdicts && !*out; i++)
		if (!strcmp(t->verdict[i].rule, rule))
			*out = &t->verdict[i];
	if (*out || t->n_verdicts == TP_MAX_VERDICTS)
		return TP_OK;
	tp_verdict *v = tp_realloc(t->verdict, (t->n_verdicts + 1) * sizeof *v);
	if (!v)
		return tp_nomem(err, (t->n_verdicts + 1) * sizeof *v);
	t->verdict = v;
	v += t->n_verdicts;
	*v = (tp_verdict){ .rule = tp_strdup(rule) };
	if (!v->rule)
		return tp_nomem(err, strlen(rule));
	t->n_verdicts++;
	for (int i = 0; i < TP_RULES; i++)
		if (!strcmp(tp_rules[i].name, rule))
			v->known = &tp_rules[i];
	tp_code rc = tp_best_init(&v->shown, sheet, err);
	if (!rc)
		rc = tp_best_init(&v->lots, sheet, err);
	*out = v;
	return rc;
}

static tp_code remember_excluded(tp_excluded *x, int64_t id, size_t verdict, tp_err *err)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 1024;
		int64_t *ids = tp_realloc(x->id, cap * sizeof *ids);
		if (!ids)
			return tp_nomem(err, cap * sizeof *ids);
		x->id = ids;
		uint8_t *verdicts = tp_realloc(x->verdict, cap);
		if (!verdicts)
			return tp_nomem(err, cap);
		x->verdict = verdicts;
		x->cap = cap;
	}
	x->id[x->n] = id;
	x->verdict[x->n++] = (uint8_t)verdict;
	return TP_OK;
}

static tp_code count_verdict(reading *r, const tp_catalog_photo *p, tp_err *err)
{
	tp_tally *t = r->t;
	const char *rule = p->excluded ? p->excluded : "";
	tp_verdict *v = &t->verdict[r->last_verdict];
	tp_code rc = TP_OK;
	t->photos++;
	t->kept += !p->excluded;
	if (strcmp(v->rule, rule) != 0)
		rc = tp_tally_verdict(&v, t, rule, (size_t)r->o->sheet, err);
	if (rc)
		return rc;
	if (!v) {
		t->other_verdicts++;
		return TP_OK;
	}
	v->photos++;
	tp_best_add(
		&v->lots, (tp_best_item){ .lot = tp_pick_lot(r->o->seed, p->id), .id = p->id, .value = NAN });
	r->last_verdict = (size_t)(v - t->verdict);
	return p->excluded ? remember_excluded(&r->excluded, p->id, r->last_verdict, err) : TP_OK;
}

static tp_code count_id(tp_id_counts *x, int64_t id, int side, int split, tp_err *err)
{
	tp_code rc = tp_room_for((void **)&x->v, &x->n, id, sizeof *x->v, err);
	if (!rc) {
		x->v[id].n[side]++;
		if (side == TP_KEPT && split >= 0)
			x->v[id].splits |= (uint8_t)(1 << split);
	}
	return rc;
}

static tp_code count_ids(reading *r, const tp_catalog_photo *p, int side, int split, tp_err *err)
{
	const struct {
		tp_id_counts *to;
		int64_t id;
	} all[] = { { &r->sources, p->source }, { &r->authors, p->author }, { &r->licences, p->licence },
		{ &r->observations, p->observation }, { &r->duplicates, p->duplicates } };
	tp_code rc = TP_OK;
	for (size_t i = 0; i < sizeof all / sizeof *all && !rc; i++)
		rc = count_id(all[i].to, all[i].id, side, split, err);
	tp_tally *t = r->t;
	if (!rc)
		rc = tp_room_for((void **)&t->species, &t->n_taxa, p->taxon, sizeof *t->species, err);
	if (rc)
		return rc;
	t->species[p->taxon].n[side]++;
	if (side == TP_KEPT && split >= 0) {
		t->species[p->taxon].split[split]++;
		t->split[split]++;
	} else if (side == TP_KEPT) {
		t->no_split++;
	}
	return TP_OK;
}

/* "2024-05-06", "2024-05", "2024": the digits at `at`, or -1. */
static int digits(const char *s, int at, int n)
{
	int v = 0;
	for (int i = 0; i < at; i++)
		if (!s[i])
			return -1;
	for (int i = at; i < at + n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = 10 * v + s[i] - '0';
	}
	return v;
}

static void count_time_and_place(tp_tally *t, const tp_catalog_photo *p, int side)
{
	int year = digits(p->date, 0, 4) - TP_FIRST_YEAR;
	bool dated = year >= 0 && year < TP_YEARS;
	int month = dated && p->date[4] == '-' ? digits(p->date, 5, 2) : 0;
	(dated ? t->year[year] : t->no_year)[side]++;
	(month >= 1 && month <= 12 ? t->month[month - 1] : t->no_month)[side]++;
	if (!(fabs(p->lat) <= 90 && fabs(p->lon) <= 180)) {
		t->no_place[side]++;
		return;
	}
	int down = (int)((90 - p->lat) / TP_CELL_DEGREES), across = (int)((p->lon + 180) / TP_CELL_DEGREES);
	down = down < TP_CELLS_DOWN ? down : TP_CELLS_DOWN - 1;
	across = across < TP_CELLS_ACROSS ? across : 0; /* 180 degrees east is 180 degrees west */
	t->cell[down * TP_CELLS_ACROSS + across][side]++;
}

static double quantity(const tp_catalog_photo *p, int which)
{
	int w = p->width, h = p->height, least = w < h ? w : h;
	if (which < TP_MEASURES)
		return p->measure[which];
	if (which == TP_FILE_SIZE)
		return p->bytes > 0 ? (double)p->bytes / 1024 : NAN;
	if (least <= 0)
		return NAN;
	return which == TP_WIDTH        ? w
	       : which == TP_HEIGHT     ? h
	       : which == TP_SHORT_SIDE ? least
					: (double)(w > h ? w : h) / least;
}

static void count_quality(tp_tally *t, const tp_catalog_photo *p, int side)
{
	bool measured = false;
	for (int i = 0; i < TP_QUANTITIES; i++)
		tp_hist_add(&t->hist[i], quantity(p, tp_quantities[i].measure), side);
	for (int i = 0; i < TP_MEASURES; i++)
		measured |= !isnan(p->measure[i]);
	t->measured += measured;
	t->hashed += p->has_phash;
	t->bytes += p->bytes > 0 ? (uint64_t)p->bytes : 0;
	t->not_here += !*p->path && !*p->file;
	t->no_train += p->no_train;
}

static tp_code count_organ(tp_tally *t, const char *organ, int side, tp_err *err)
{
	tp_text_count *x = NULL;
	tp_code rc = tp_text_counts_get(&x, &t->organs, 0, organ, err);
	if (!rc)
		(x ? x->n : *organ ? t->organs.more : t->organs.none)[side]++;
	return rc;
}

static tp_code one_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	reading *r = ud;
	int side = p->excluded ? TP_LEFT_OUT : TP_KEPT;
	tp_code rc = count_verdict(r, p, err);
	if (!rc)
		rc = count_ids(r, p, side, p->split >= 0 ? p->split : p->given, err);
	if (!rc)
		rc = count_organ(r->t, p->organ, side, err);
	if (rc)
		return rc;
	count_time_and_place(r->t, p, side);
	count_quality(r->t, p, side);
	if (r->t->photos % 4096)
		return TP_OK;
	tp_progress_add(r->progress, (size_t)(r->t->photos - r->told));
	r->told = r->t->photos;
	return tp_cancel_check(err);
}

/* ---- species ---- */

typedef struct {
	uint32_t taxon;
	uint32_t kept, all;
} ranked;

static int by_rank(const void *a, const void *b)
{
	const ranked *x = a, *y = b;
	if (x->kept != y->kept)
		return x->kept < y->kept ? 1 : -1;
	if (x->all != y->all)
		return x->all < y->all ? 1 : -1;
	return x->taxon < y->taxon ? -1 : 1;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void count_species(tp_tally *t, const tp_species_count *s)
{
	for (int k = 0; k <= TP_SPLITS; k++)
		t->split_species[k] += s->split[k] > 0;
	t->untrained += !s->split[TP_TRAIN] && (s->split[TP_VAL] || s->split[TP_TEST]);
}

static tp_code rank_species(tp_tally *t, tp_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_taxa; i++)
		n += t->species[i].n[0] || t->species[i].n[1];
	ranked *r = tp_calloc(n + 1, sizeof *r);
	t->ranked = tp_calloc(n + 1, sizeof *t->ranked);
	t->kept_ascending = tp_calloc(n + 1, sizeof *t->kept_ascending);
	t->all_ascending = tp_calloc(n + 1, sizeof *t->all_ascending);
	if (!r || !t->ranked || !t->kept_ascending || !t->all_ascending) {
		tp_free(r);
		return tp_nomem(err, (n + 1) * sizeof *r);
	}
	for (size_t i = 0; i < t->n_taxa; i++) {
		const tp_species_count *s = &t->species[i];
		if (!s->n[0] && !s->n[1])
			continue;
		count_species(t, s);
		r[t->n_ranked++] = (ranked){ (uint32_t)i, s->n[TP_KEPT], s->n[0] + s->n[1] };
	}
	qsort(r, n, sizeof *r, by_rank);
	for (size_t i = 0; i < n; i++) {
		t->ranked[i] = r[i].taxon;
		t->all_ascending[i] = r[i].all;
		t->n_kept_species += r[i].kept > 0;
	}
	for (size_t i = 0; i < t->n_kept_species; i++)
		t->kept_ascending[i] = r[t->n_kept_species - 1 - i].kept;
	qsort(t->all_ascending, n, sizeof *t->all_ascending, by_number);
	tp_free(r);
	return TP_OK;
}

/* The species that the page names: all, or the first and the last. */
static tp_code choose_named(tp_tally *t, tp_err *err)
{
	size_t n = t->n_ranked < MOST_SPECIES ? t->n_ranked : MOST_SPECIES;
	t->named = tp_calloc(n + 1, sizeof *t->named);
	if (!t->named)
		return tp_nomem(err, (n + 1) * sizeof *t->named);
	t->n_named = n;
	for (size_t i = 0; i < n; i++) {
		size_t rank = i < (n + 1) / 2 ? i : t->n_ranked - n + i;
		t->named[i].id = t->ranked[rank];
	}
	return TP_OK;
}

static tp_code name_species(tp_tally *t, const tp_catalog_taxon *x, tp_err *err)
{
	for (size_t i = 0; i < t->n_named; i++) {
		tp_species_name *s = &t->named[i];
		if (s->id != x->id || s->name)
			continue;
		s->name = tp_strdup(x->name);
		s->family = tp_strdup(x->family);
		s->authorship = tp_strdup(x->authorship);
		if (!s->name || !s->family || !s->authorship)
			return tp_nomem(err, strlen(x->name));
	}
	return TP_OK;
}

static tp_code one_taxon(void *ud, const tp_catalog_taxon *x, tp_err *err)
{
	tp_tally *t = ((reading *)ud)->t;
	tp_text_count *f = NULL;
	if (x->id < 0 || (size_t)x->id >= t->n_taxa)
		return TP_OK; /* no photo is of it */
	const uint32_t *n = t->species[x->id].n;
	if (!n[0] && !n[1])
		return TP_OK;
	tp_code rc = tp_text_counts_get(&f, &t->families, 0, x->family, err);
	if (rc)
		return rc;
	for (int side = 0; side < 2; side++)
		(f ? f->n : *x->family ? t->families.more : t->families.none)[side] += n[side];
	if (f)
		f->species++;
	return name_species(t, x, err);
}

/* ---- small tables ---- */

static tp_code one_source(void *ud, const tp_catalog_source *s, tp_err *err)
{
	reading *r = ud;
	tp_tally *t = r->t;
	tp_source_count *v = tp_realloc(t->source, (t->n_sources + 1) * sizeof *v);
	if (!v)
		return tp_nomem(err, (t->n_sources + 1) * sizeof *v);
	t->source = v;
	v += t->n_sources++;
	*v = (tp_source_count){ .id = s->id,
		.kind = tp_strdup(s->kind),
		.root = tp_strdup(s->root),
		.options = tp_strdup(s->options),
		.citation = tp_strdup(s->citation),
		.licence = tp_strdup(s->licence),
		.finished = s->finished,
		.seen = s->seen,
		.refused = s->refused,
		.unused = s->unused,
		.photos = s->photos };
	if (s->id >= 0 && (size_t)s->id < r->sources.n)
		for (int side = 0; side < 2; side++)
			v->n[side] = r->sources.v[s->id].n[side];
	return v->kind && v->root && v->options && v->citation && v->licence ? TP_OK : tp_nomem(err, 0);
}

static tp_code one_refused(void *ud, int64_t source, const char *where, const char *reason, tp_err *err)
{
	tp_tally *t = ((reading *)ud)->t;
	tp_text_count *x = NULL;
	tp_code rc = tp_text_counts_get(&x, &t->refused, source, reason, err);
	if (rc)
		return rc;
	(x ? x->n : *reason ? t->refused.more : t->refused.none)[TP_LEFT_OUT]++;
	if (x && !x->example) {
		x->example = tp_strdup(where);
		rc = x->example ? TP_OK : tp_nomem(err, strlen(where));
	}
	return rc;
}

/* The most frequent of a table's texts. */
static tp_code count_texts(
	tp_text_counts *out, tp_catalog *c, tp_catalog_text which, const tp_id_counts *n, tp_err *err)
{
	tp_catalog_texts texts = { 0 };
	tp_best best = { 0 };
	tp_code rc = tp_best_init(&best, MOST_PEOPLE, err);
	if (!rc)
		rc = tp_catalog_load_texts(&texts, c, which, err);
	for (size_t i = 1; i < n->n && !rc; i++) {
		double sum = (double)n->v[i].n[0] + n->v[i].n[1];
		for (int side = 0; side < 2; side++)
			out->more[side] += n->v[i].n[side];
		if (sum > 0)
			tp_best_add(&best, (tp_best_item){ .key = -sum, .id = (int64_t)i });
	}
	for (int side = 0; side < 2 && n->n; side++)
		out->none[side] = n->v[0].n[side];
	for (size_t i = 0; i < best.n && !rc; i++) {
		size_t id = (size_t)best.v[i].id;
		tp_text_count *x = NULL;
		rc = tp_text_counts_get(
			&x, out, 0, id < texts.n && texts.text[id] ? texts.text[id] : "", err);
		for (int side = 0; side < 2 && x; side++) {
			x->n[side] += n->v[id].n[side];
			out->more[side] -= n->v[id].n[side];
		}
	}
	tp_text_counts_sort(out);
	tp_best_dispose(&best);
	tp_catalog_texts_free(&texts);
	return rc;
}

/* ---- names ---- */

typedef struct {
	tp_tally *t;
	tp_best unmatched, fuzzy;
} naming;

static tp_matched matched_as(const char *how)
{
	static const char *const words[] = { "", "exact", "synonym", "fuzzy", "unmatched" };
	for (int i = 0; i < 5; i++)
		if (!strcmp(how, words[i]))
			return (tp_matched)i;
	return TP_MATCHED_NOT;
}

static tp_code one_name(void *ud, const tp_catalog_name *n, tp_err *err)
{
	naming *x = ud;
	(void)err;
	tp_matched how = matched_as(n->matched);
	x->t->names++;
	x->t->names_as[how]++;
	if (how == TP_MATCHED_NO || how == TP_MATCHED_FUZZY)
		tp_best_add(how == TP_MATCHED_NO ? &x->unmatched : &x->fuzzy,
			(tp_best_item){ .key = -(double)n->photos, .id = n->id });
	return TP_OK;
}

static tp_code keep_name(tp_name_shown *v, const tp_best *b, const tp_catalog_name *n, tp_err *err)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].id != n->id || v[i].text)
			continue;
		v[i] = (tp_name_shown){ tp_strdup(n->text), tp_strdup(n->nearest), n->photos };
		if (!v[i].text || !v[i].nearest)
			return tp_nomem(err, strlen(n->text));
	}
	return TP_OK;
}

static tp_code text_of_name(void *ud, const tp_catalog_name *n, tp_err *err)
{
	naming *x = ud;
	tp_code rc = keep_name(x->t->unmatched, &x->unmatched, n, err);
	return rc ? rc : keep_name(x->t->fuzzy, &x->fuzzy, n, err);
}

static tp_code count_names(tp_tally *t, tp_catalog *c, tp_err *err)
{
	naming x = { .t = t };
	tp_code rc = tp_best_init(&x.unmatched, TP_NAMES_SHOWN, err);
	if (!rc)
		rc = tp_best_init(&x.fuzzy, TP_NAMES_SHOWN, err);
	if (!rc)
		rc = tp_catalog_each_name(c, one_name, &x, err);
	tp_best_sort(&x.unmatched);
	tp_best_sort(&x.fuzzy);
	if (!rc) {
		t->unmatched = tp_calloc(x.unmatched.n + 1, sizeof *t->unmatched);
		t->fuzzy = tp_calloc(x.fuzzy.n + 1, sizeof *t->fuzzy);
		rc = t->unmatched && t->fuzzy ? TP_OK : tp_nomem(err, sizeof *t->fuzzy);
	}
	if (!rc) {
		t->n_unmatched = x.unmatched.n;
		t->n_fuzzy = x.fuzzy.n;
		rc = tp_catalog_each_name(c, text_of_name, &x, err);
	}
	tp_best_dispose(&x.unmatched);
	tp_best_dispose(&x.fuzzy);
	return rc;
}

/* ---- all ---- */

/* n: those with kept photos; torn: those of which several splits have some. Number 0 is none. */
static void count_torn(const tp_id_counts *x, uint64_t *n, uint64_t *torn)
{
	for (size_t i = 1; i < x->n; i++) {
		*n += x->v[i].n[TP_KEPT] > 0;
		*torn += __builtin_popcount(x->v[i].splits) > 1;
	}
}

static tp_code count_tables(reading *r, tp_catalog *c, tp_err *err)
{
	tp_tally *t = r->t;
	uint64_t authors = 0;
	count_torn(&r->observations, &t->observations, &t->torn_observations);
	count_torn(&r->duplicates, &t->duplicate_groups, &t->torn_duplicates);
	count_torn(&r->authors, &authors, &t->torn_authors);
	t->n_authors = (size_t)authors;
	tp_code rc = tp_catalog_each_source(c, one_source, r, err);
	if (!rc)
		rc = tp_catalog_each_refused(c, 0, one_refused, r, err);
	if (!rc)
		rc = rank_species(t, err);
	if (!rc)
		rc = choose_named(t, err);
	if (!rc)
		rc = tp_catalog_each_taxon(c, one_taxon, r, err);
	if (!rc)
		rc = count_texts(&t->authors, c, TP_TEXT_AUTHOR, &r->authors, err);
	if (!rc)
		rc = count_texts(&t->licences, c, TP_TEXT_LICENCE, &r->licences, err);
	if (!rc)
		rc = count_names(t, c, err);
	tp_text_counts_sort(&t->families);
	tp_text_counts_sort(&t->organs);
	tp_text_counts_sort(&t->refused);
	return rc;
}

static tp_code begin(tp_tally *t, size_t sheet, tp_err *err)
{
	tp_verdict *kept = NULL;
	*t = (tp_tally){ 0 };
	for (int i = 0; i < TP_QUANTITIES; i++)
		tp_hist_init(&t->hist[i], tp_quantities[i].log, tp_quantities[i].limit);
	tp_text_counts_init(&t->organs, MOST_TEXTS);
	tp_text_counts_init(&t->families, MOST_TEXTS);
	tp_text_counts_init(&t->refused, MOST_TEXTS);
	tp_text_counts_init(&t->authors, MOST_PEOPLE);
	tp_text_counts_init(&t->licences, MOST_PEOPLE);
	t->cell = tp_calloc(TP_CELLS_DOWN * TP_CELLS_ACROSS, sizeof *t->cell);
	if (!t->cell)
		return tp_nomem(err, TP_CELLS_DOWN * TP_CELLS_ACROSS * sizeof *t->cell);
	return tp_tally_verdict(&kept, t, "", sheet, err);
}

static int by_photos(const void *a, const void *b)
{
	const tp_verdict *x = a, *y = b;
	if (x->photos != y->photos)
		return x->photos < y->photos ? 1 : -1;
	return strcmp(x->rule, y->rule);
}

/* The page is bounded: the more rules there are, the fewer photos of each. */
static void trim_shown(tp_tally *t)
{
	size_t rules = t->n_verdicts < TP_SHEETS ? t->n_verdicts : TP_SHEETS;
	for (size_t i = 0; i < t->n_verdicts; i++) {
		size_t most = i < rules ? TP_MOST_PICTURES / (2 * rules) : 0;
		t->verdict[i].shown.n = t->verdict[i].shown.n < most ? t->verdict[i].shown.n : most;
	}
}

tp_code tp_tally_read(tp_tally *t, tp_catalog *c, const tp_data_report_opts *o, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	reading r = { .t = t, .o = o, .progress = tp_progress_start("photos", 0, o->quiet) };
	tp_code rc = begin(t, (size_t)o->sheet, err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, one_photo, &r, err);
	tp_progress_add(r.progress, (size_t)(t->photos - r.told));
	tp_progress_end(r.progress);
	if (!rc)
		rc = count_tables(&r, c, err);
	if (!rc)
		rc = tp_pick_found(t, c, &r.excluded, o, err);
	if (!rc)
		qsort(t->verdict + 1, t->n_verdicts - 1, sizeof *t->verdict, by_photos);
	trim_shown(t);
	tp_id_counts *ids[] = { &r.sources, &r.authors, &r.licences, &r.observations, &r.duplicates };
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		tp_free(ids[i]->v);
	tp_free(r.excluded.id);
	tp_free(r.excluded.verdict);
	return rc;
}

static void free_names(tp_name_shown *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++) {
		tp_free(v[i].text);
		tp_free(v[i].nearest);
	}
	tp_free(v);
}

static void free_sources(tp_tally *t)
{
	for (size_t i = 0; i < t->n_sources; i++) {
		tp_source_count *s = &t->source[i];
		char *texts[] = { s->kind, s->root, s->options, s->citation, s->licence };
		for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
			tp_free(texts[k]);
	}
	tp_free(t->source);
}

void tp_tally_dispose(tp_tally *t)
{
	for (size_t i = 0; i < t->n_verdicts; i++) {
		tp_free(t->verdict[i].rule);
		tp_best_dispose(&t->verdict[i].shown);
		tp_best_dispose(&t->verdict[i].lots);
	}
	tp_free(t->verdict);
	free_sources(t);
	for (size_t i = 0; t->named && i < t->n_named; i++) {
		tp_free(t->named[i].name);
		tp_free(t->named[i].family);
		tp_free(t->named[i].authorship);
	}
	tp_free(t->named);
	tp_text_counts *texts[] = { &t->refused, &t->families, &t->organs, &t->licences, &t->authors };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		tp_text_counts_dispose(texts[i]);
	tp_free(t->species);
	tp_free(t->ranked);
	tp_free(t->kept_ascending);
	tp_free(t->all_ascending);
	tp_free(t->cell);
	free_names(t->unmatched, t->n_unmatched);
	free_names(t->fuzzy, t->n_fuzzy);
	*t = (tp_tally){ 0 };
}
