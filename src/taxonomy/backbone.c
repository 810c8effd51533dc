/* See backbone.h: what is read, put in order, and looked up. Words are numbers in pools; a name is 32 bytes. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "taxonomy/backbone_int.h"
#include "taxonomy/build_int.h"
#include "taxonomy/columns_int.h"
#include "taxonomy/rows_int.h"

enum { MAX_SOURCES = 16 };

typedef struct {
	tp_backbone *b;
	tp_backbone_stats *stats;
	tp_list_columns columns;
	bool begun;
	uint8_t source;
} reader;

const char *tp_status_name(tp_status s)
{
	static const char *const names[TP_STATUSES] = { "accepted", "synonym", "misapplied", "unplaced",
		"implied" };
	return names[s];
}

const char *tp_family_modern(const char *family)
{
	static const char *const names[][2] = { { "Compositae", "Asteraceae" },
		{ "Cruciferae", "Brassicaceae" }, { "Gramineae", "Poaceae" }, { "Guttiferae", "Clusiaceae" },
		{ "Labiatae", "Lamiaceae" }, { "Leguminosae", "Fabaceae" }, { "Palmae", "Arecaceae" },
		{ "Papilionaceae", "Fabaceae" }, { "Umbelliferae", "Apiaceae" } };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcasecmp(family, names[i][0]))
			return names[i][1];
	return family;
}

tp_code tp_backbone_more(tp_backbone *b, tp_err *err)
{
	if (b->n >= TP_MAX_LISTED)
		return tp_fail(err, TP_ELIMIT, "more than %d names", TP_MAX_LISTED);
	if (b->n < b->cap)
		return TP_OK;
	size_t cap = b->cap + b->cap / 2 + 64;
	tp_row *row = tp_realloc(b->row, cap * sizeof *row);
	if (!row)
		return tp_nomem(err, cap * sizeof *row);
	b->row = row;
	b->cap = (uint32_t)cap;
	return TP_OK;
}

/* An id belongs to its file: "1" of one is not "1" of another. */
static tp_code add_id(uint32_t *out, reader *r, const char *id, tp_err *err)
{
	char text[132];
	int n = snprintf(text, sizeof text, "%c%s", 'A' + r->source, id);
	if (n < 0 || (size_t)n >= sizeof text)
		return tp_fail(
			err, TP_ELIMIT, "an id of %zu bytes; %zu are the most", strlen(id), sizeof text - 2);
	return tp_pool_add(out, &r->b->ids, text, (size_t)n, err);
}

static tp_code add_word(uint32_t *out, tp_pool *p, const char *s, tp_err *err)
{
	return tp_pool_add(out, p, s, strlen(s), err);
}

static tp_code add_name(reader *r, const tp_line_name *l, tp_err *err)
{
	tp_backbone *b = r->b;
	uint32_t family = 0, accepted = 0;
	tp_row row = { .rank = (uint8_t)l->name.rank,
		.hybrid = (uint8_t)l->name.hybrid,
		.status = (uint8_t)l->status,
		.source = r->source };
	size_t author = strlen(l->author);
	tp_code rc = tp_backbone_more(b, err);
	if (!rc)
		rc = add_id(&row.id, r, l->id, err);
	if (!rc && *l->accepted && l->follows)
		rc = add_id(&accepted, r, l->accepted, err);
	row.accepted = !rc && *l->accepted && l->follows ? accepted + 1 : 0;
	if (!rc)
		rc = add_word(&row.genus, &b->genera, l->name.genus, err);
	if (!rc)
		rc = add_word(&row.species, &b->epithets, l->name.species, err);
	if (!rc)
		rc = add_word(&row.infra, &b->epithets, l->name.infra, err);
	if (!rc)
		rc = tp_pool_add(&row.author, &b->authors, l->author, author, err);
	if (!rc)
		rc = add_word(&family, &b->families, l->family, err);
	if (!rc && family > UINT16_MAX)
		rc = tp_fail(err, TP_ELIMIT, "more than %d families", UINT16_MAX);
	row.family = (uint16_t)family;
	if (!rc)
		b->row[b->n++] = row;
	return rc;
}

static tp_code on_row(void *ud, size_t line, char **field, size_t n, tp_err *err)
{
	reader *r = ud;
	tp_line_name l;
	tp_err why = { 0 };
	if (!r->begun) {
		r->begun = true;
		return tp_list_columns_find(&r->columns, field, n, err);
	}
	tp_line verdict = tp_list_columns_read(&l, &r->columns, field, n, &why);
	tp_code rc = verdict == TP_LINE_KEPT ? add_name(r, &l, err) : TP_OK;
	if (rc)
		return tp_context(err, rc, "line %zu: ", line);
	if (verdict == TP_LINE_NO_NAME && !r->stats->first_bad) {
		r->stats->first_bad = line;
		snprintf(r->stats->example, sizeof r->stats->example, "%s", why.msg);
	}
	r->stats->seen++;
	r->stats->by[verdict]++;
	r->stats->unknown_status += verdict == TP_LINE_KEPT && l.unknown_status;
	return TP_OK;
}

static tp_code read_table(
	tp_backbone *b, size_t source, tp_rows_read read, void *ud, tp_backbone_stats *stats, tp_err *err)
{
	tp_backbone_stats none;
	reader r = { .b = b, .stats = stats ? stats : &none, .source = (uint8_t)source };
	*r.stats = (tp_backbone_stats){ 0 };
	tp_code rc = tp_rows_each(read, ud, on_row, &r, err);
	if (!rc && !r.stats->by[TP_LINE_KEPT])
		rc = tp_fail(err, TP_EFORMAT, "no plant names in it");
	return rc;
}

static tp_code new_backbone(tp_backbone **out, tp_err *err)
{
	uint32_t empty;
	tp_backbone *b = tp_calloc(1, sizeof *b);
	if (!b)
		return tp_nomem(err, sizeof *b);
	tp_code rc = add_word(&empty, &b->epithets, "", err);
	if (!rc)
		rc = add_word(&empty, &b->families, "", err);
	if (!rc)
		rc = add_word(&empty, &b->authors, "", err);
	*out = b;
	return rc;
}

static tp_code from_file(void *ud, char *buf, size_t n, size_t *got, tp_err *err)
{
	*got = fread(buf, 1, n, ud);
	return ferror((FILE *)ud) ? tp_fail(err, TP_EIO, "reading stopped") : TP_OK;
}

static tp_code read_file(
	tp_backbone *b, size_t source, const char *path, tp_backbone_stats *stats, tp_err *err)
{
	if (!tp_is_file(path))
		return tp_fail(err, TP_ENOTFOUND, "%s: no such file", path);
	FILE *f = fopen(path, "rb");
	if (!f)
		return tp_fail(err, TP_EIO, "%s: cannot be opened", path);
	tp_code rc = read_table(b, source, from_file, f, stats, err);
	fclose(f);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}

tp_code tp_backbone_open(
	tp_backbone **out, const char *const *paths, size_t n, tp_backbone_stats *stats, tp_err *err)
{
	tp_backbone *b = NULL;
	if (!n || n > MAX_SOURCES)
		return tp_fail(err, TP_EINVAL, "%zu files of names; 1 to %d are read", n, MAX_SOURCES);
	tp_code rc = new_backbone(&b, err);
	for (size_t i = 0; i < n && !rc; i++)
		rc = read_file(b, i, paths[i], stats ? &stats[i] : NULL, err);
	if (!rc)
		rc = tp_backbone_build(b, stats, err);
	if (rc) {
		tp_backbone_free(b);
		return rc;
	}
	*out = b;
	return TP_OK;
}

typedef struct {
	const char *p;
	size_t left;
} text_source;

static tp_code from_text(void *ud, char *buf, size_t n, size_t *got, tp_err *err)
{
	text_source *t = ud;
	(void)err;
	*got = t->left < n ? t->left : n;
	if (*got)
		memcpy(buf, t->p, *got);
	t->p += *got;
	t->left -= *got;
	return TP_OK;
}

tp_code tp_backbone_parse(
	tp_backbone **out, const char *text, size_t len, tp_backbone_stats *stats, tp_err *err)
{
	tp_backbone *b = NULL;
	text_source t = { text, len };
	tp_code rc = new_backbone(&b, err);
	if (!rc)
		rc = read_table(b, 0, from_text, &t, stats, err);
	if (!rc)
		rc = tp_backbone_build(b, stats, err);
	if (rc) {
		tp_backbone_free(b);
		return rc;
	}
	*out = b;
	return TP_OK;
}

void tp_backbone_free(tp_backbone *b)
{
	if (!b)
		return;
	tp_pool *pools[] = { &b->genera, &b->epithets, &b->authors, &b->ids, &b->families };
	for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
		tp_pool_dispose(pools[i]);
	tp_free(b->row);
	tp_free(b->genus_start);
	tp_free(b->species_start);
	tp_free(b->by_species);
	tp_free(b->genus_shape);
	tp_free(b->epithet_shape);
	tp_free(b);
}

uint32_t tp_backbone_count(const tp_backbone *b)
{
	return b->n;
}

tp_listed tp_backbone_at(const tp_backbone *b, uint32_t i)
{
	const tp_row *r = &b->row[i];
	return (tp_listed){ .genus = tp_pool_get(&b->genera, r->genus),
		.species = tp_pool_get(&b->epithets, r->species),
		.infra = tp_pool_get(&b->epithets, r->infra),
		.author = tp_pool_get(&b->authors, r->author),
		.family = tp_pool_get(&b->families, r->family),
		.id = r->status == TP_STATUS_IMPLIED ? "" : tp_pool_get(&b->ids, r->id) + 1,
		.rank = (tp_rank)r->rank,
		.hybrid = r->hybrid,
		.status = (tp_status)r->status,
		.accepted = r->accepted,
		.source = r->source };
}

size_t tp_backbone_text(char out[TP_NAME_CANONICAL], const tp_backbone *b, uint32_t i, bool authors)
{
	tp_listed l = tp_backbone_at(b, i);
	tp_name n = { .rank = l.rank, .hybrid = l.hybrid };
	snprintf(n.genus, sizeof n.genus, "%s", l.genus);
	snprintf(n.species, sizeof n.species, "%s", l.species);
	snprintf(n.infra, sizeof n.infra, "%s", l.infra);
	size_t len = tp_name_canonical(out, &n);
	if (authors && *l.author)
		len += (size_t)snprintf(
			out + len, TP_NAME_CANONICAL - len, " %.*s", TP_NAME_AUTHOR - 1, l.author);
	return strlen(out);
}

size_t tp_backbone_bytes(const tp_backbone *b)
{
	return sizeof *b + tp_pool_bytes(&b->genera) + tp_pool_bytes(&b->epithets) +
	       tp_pool_bytes(&b->authors) + tp_pool_bytes(&b->ids) + tp_pool_bytes(&b->families) +
	       b->cap * sizeof *b->row +
	       (b->genera.n + 1 + b->epithets.n + 1 + (size_t)b->n) * sizeof *b->genus_start +
	       (b->genera.n + (size_t)b->epithets.n) * sizeof *b->genus_shape;
}
