/* A CSV with a row for each photo (path, species, ...), and classes.csv with the names of species. Columns are found by
 * name; order and further columns do not matter. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/data_int.h"

enum { PATH, SPECIES, FAMILY, ORGAN, SOURCE, SPLIT, LICENCE, AUTHOR, N_COLUMNS };
static const char *const columns[] = { "path", "species", "family", "organ", "source", "split", "licence",
	"author" };

typedef struct {
	tp_builder *b;
	int at[N_COLUMNS]; /* -1: not there */
	size_t n_fields;   /* of the head; 0 before it was read */
} rows;

static int find(char **field, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(field[i], name))
			return (int)i;
	return -1;
}

static tp_code check_width(const rows *r, size_t line, size_t n, tp_err *err)
{
	return n == r->n_fields ? TP_OK
				: tp_fail(err, TP_EFORMAT, "line %zu: %zu fields, the first line has %zu",
					  line, n, r->n_fields);
}

static tp_code split_of(tp_split *out, const char *s, size_t line, tp_err *err)
{
	static const char *const names[] = { "train", "val", "test" };
	for (int i = 0; i < TP_SPLITS; i++)
		if (!strcmp(s, names[i])) {
			*out = (tp_split)i;
			return TP_OK;
		}
	return tp_fail(err, TP_EFORMAT, "line %zu: split \"%.20s\" is none of train, val, test", line, s);
}

static const char *get(const rows *r, char **field, int column)
{
	return r->at[column] < 0 ? "" : field[r->at[column]];
}

static tp_code photo_row(void *ud, size_t line, char **field, size_t n, tp_err *err)
{
	rows *r = ud;
	tp_photo_row row = { 0 };
	if (!r->n_fields) {
		r->n_fields = n;
		for (int c = 0; c < N_COLUMNS; c++)
			r->at[c] = find(field, n, columns[c]);
		if (r->at[LICENCE] < 0)
			r->at[LICENCE] = find(field, n, "license");
		r->b->has_split = r->at[SPLIT] >= 0;
		for (int c = PATH; c <= SPECIES; c++)
			if (r->at[c] < 0)
				return tp_fail(err, TP_EFORMAT, "line 1: no column \"%s\"", columns[c]);
		return TP_OK;
	}
	tp_code rc = check_width(r, line, n, err);
	if (!rc && r->b->has_split)
		rc = split_of(&row.split, get(r, field, SPLIT), line, err);
	if (rc)
		return rc;
	r->b->m.seen++;
	const char *species = get(r, field, SPECIES);
	if (!*species) {
		r->b->m.skipped_no_species++;
		return TP_OK;
	}
	row.path = get(r, field, PATH);
	row.organ = get(r, field, ORGAN);
	row.source = get(r, field, SOURCE);
	row.licence = get(r, field, LICENCE);
	row.author = get(r, field, AUTHOR);
	rc = tp_builder_taxon(r->b, &row.species, species, err);
	if (!rc)
		rc = tp_set_text(&r->b->m.taxa[row.species].family, get(r, field, FAMILY), err);
	if (!rc)
		rc = tp_builder_photo(r->b, &row, err);
	return rc ? tp_context(err, rc, "line %zu: ", line) : TP_OK;
}

static tp_code each_row(const char *csv_path, tp_csv_fn fn, rows *r, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	tp_code rc = tp_file_read(&text, &len, csv_path, (size_t)1 << 30, err);
	if (!rc)
		rc = tp_csv_each((const char *)text, len, fn, r, err);
	tp_free(text);
	return rc;
}

tp_code tp_import_csv(tp_builder *b, const char *csv_path, tp_err *err)
{
	rows r = { .b = b };
	return each_row(csv_path, photo_row, &r, err);
}

static tp_code add_common(tp_taxon *t, const char *lang, const char *name, tp_err *err)
{
	for (size_t k = 0; k < 7 && *name; k++) {
		if (t->common[k][0])
			continue;
		tp_code rc = tp_set_text(&t->common[k][1], name, err);
		return rc ? rc : tp_set_text(&t->common[k][0], lang, err);
	}
	return TP_OK;
}

static tp_taxon *taxon_named(tp_manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_taxa; i++)
		if (!strcmp(m->taxa[i].name, name))
			return &m->taxa[i];
	return NULL;
}

typedef struct {
	rows r;
	int name, author, powo;
	char head[64][24]; /* names of the columns */
} class_rows;

static tp_code class_head(class_rows *c, char **field, size_t n, tp_err *err)
{
	c->r.n_fields = n;
	c->name = find(field, n, "scientific_name");
	c->author = find(field, n, "author");
	c->powo = find(field, n, "ipni_id");
	c->r.at[FAMILY] = find(field, n, "family");
	for (size_t i = 0; i < n && i < 64; i++)
		snprintf(c->head[i], sizeof c->head[i], "%s", field[i]);
	return c->name < 0 ? tp_fail(err, TP_EFORMAT, "line 1: no column \"scientific_name\"") : TP_OK;
}

static tp_code class_row(void *ud, size_t line, char **field, size_t n, tp_err *err)
{
	class_rows *c = ud;
	if (!c->r.n_fields)
		return class_head(c, field, n, err);
	tp_code rc = check_width(&c->r, line, n, err);
	tp_taxon *t = rc ? NULL : taxon_named(&c->r.b->m, field[c->name]);
	if (!t)
		return rc; /* a species without photos here */
	rc = tp_set_text(&t->family, get(&c->r, field, FAMILY), err);
	if (!rc && c->author >= 0)
		rc = tp_set_text(&t->authorship, field[c->author], err);
	if (!rc && c->powo >= 0)
		rc = tp_set_text(&t->powo, field[c->powo], err);
	for (size_t i = 0; i < n && i < 64 && !rc; i++)
		if (!strncmp(c->head[i], "common_", 7))
			rc = add_common(t, c->head[i] + 7, field[i], err);
	return rc;
}

tp_code tp_import_class_names(tp_builder *b, const char *csv_path, tp_err *err)
{
	class_rows c = { .r = { .b = b } };
	uint8_t *text = NULL;
	size_t len = 0;
	tp_code rc = tp_file_read(&text, &len, csv_path, (size_t)64 << 20, err);
	if (!rc)
		rc = tp_csv_each((const char *)text, len, class_row, &c, err);
	tp_free(text);
	return rc;
}
