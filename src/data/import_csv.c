/* A table with a row for each photo (path or url, species, ...), and classes.csv with the names of species. Columns are
 * found by name; order and further columns do not matter. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/import_int.h"

typedef struct {
	tp_sink *s;
	const tp_import_opts *o;
	tp_columns columns;
	bool has_head;
} table;

static tp_code head(table *t, const tp_csv_record *r, tp_err *err)
{
	static const tp_column not_for_training[] = { TP_COL_URL, TP_COL_AUTHORSHIP, TP_COL_DATE,
		TP_COL_LATITUDE, TP_COL_LONGITUDE, TP_COL_OBSERVATION, TP_COL_NO_TRAIN, TP_COL_KINGDOM };
	t->has_head = true;
	tp_code rc = tp_columns_find(&t->columns, r->field, r->n, t->o->column, t->o->n_columns, err);
	if (rc)
		return rc;
	int *at = t->columns.at;
	for (size_t i = 0; t->o->for_training && i < sizeof not_for_training / sizeof *not_for_training; i++)
		at[not_for_training[i]] = -1;
	if (at[TP_COL_PATH] < 0 && at[TP_COL_URL] < 0)
		return tp_fail(err, TP_EFORMAT, "line 1: no column \"path\"%s",
			t->o->for_training ? "" : " or \"url\"");
	return at[TP_COL_SPECIES] < 0 ? tp_fail(err, TP_EFORMAT, "line 1: no column \"species\"") : TP_OK;
}

static tp_code photo_row(void *ud, const tp_csv_record *r, tp_err *err)
{
	table *t = ud;
	char where[32];
	if (!t->has_head)
		return head(t, r, err);
	snprintf(where, sizeof where, "line %zu", r->line);
	return tp_sink_columns(t->s, &t->columns, r, t->o->kingdom, where, err);
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

tp_code tp_import_csv(tp_sink *s, const tp_import_opts *o, tp_err *err)
{
	table t = { .s = s, .o = o };
	tp_csv_format f = TP_CSV_FORMAT_INIT;
	char *root = NULL;
	tp_code rc = o->encoding ? tp_encoding_named(&f.encoding, o->encoding, err) : TP_OK;
	if (rc)
		return rc;
	f.delimiter = o->delimiter ? o->delimiter : ends_in(o->path, ".tsv") ? '\t' : ',';
	rc = tp_table_each(o->path, &f, s, photo_row, &t, err);
	if (rc)
		return rc;
	if (!t.has_head)
		return o->for_training ? TP_OK : tp_fail(err, TP_EFORMAT, "%s: empty", o->path);
	rc = tp_import_root(&root, o, err);
	if (!rc)
		rc = tp_import_class_names(s, root, err);
	tp_free(root);
	return rc;
}

/* ---- classes.csv ---- */

enum { MAX_COMMON = 64 };
typedef struct {
	tp_sink *s;
	size_t n_fields; /* of the head; 0 before it was read */
	int name, author, powo, family;
	struct {
		size_t at;
		char lang[24];
	} common[MAX_COMMON]; /* columns common_xx */
	size_t n_common;
} classes;

static int find(char **field, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(field[i], name))
			return (int)i;
	return -1;
}

static tp_code class_head(classes *c, const tp_csv_record *r, tp_err *err)
{
	c->n_fields = r->n;
	c->name = find(r->field, r->n, "scientific_name");
	c->author = find(r->field, r->n, "author");
	c->powo = find(r->field, r->n, "ipni_id");
	c->family = find(r->field, r->n, "family");
	for (size_t i = 0; i < r->n && c->n_common < MAX_COMMON; i++) {
		if (strncmp(r->field[i], "common_", 7) != 0)
			continue;
		c->common[c->n_common].at = i;
		snprintf(c->common[c->n_common++].lang, sizeof c->common->lang, "%s", r->field[i] + 7);
	}
	return c->name < 0 ? tp_fail(err, TP_EFORMAT, "line 1: no column \"scientific_name\"") : TP_OK;
}

static tp_code class_row(void *ud, const tp_csv_record *r, tp_err *err)
{
	classes *c = ud;
	if (!c->n_fields)
		return class_head(c, r, err);
	if (r->n != c->n_fields)
		return tp_fail(err, TP_EFORMAT, "line %zu: %zu fields, the first line has %zu", r->line, r->n,
			c->n_fields);
	tp_species x = { .name = r->field[c->name] };
	x.authorship = c->author < 0 ? "" : r->field[c->author];
	x.powo = c->powo < 0 ? "" : r->field[c->powo];
	x.family = c->family < 0 ? "" : r->field[c->family];
	for (size_t i = 0, k = 0; i < c->n_common && k < 7; i++) {
		if (!*r->field[c->common[i].at])
			continue;
		x.common[k][0] = c->common[i].lang;
		x.common[k++][1] = r->field[c->common[i].at];
	}
	return c->s->species(c->s, &x, err);
}

tp_code tp_import_class_names(tp_sink *s, const char *root, tp_err *err)
{
	static const char *const places[] = { "classes.csv", "../classes.csv" };
	const tp_csv_format f = TP_CSV_FORMAT_INIT;
	for (size_t i = 0; i < 2 && s->species; i++) {
		classes c = { .s = s };
		char *csv = tp_path_join(root, places[i]);
		if (!csv)
			return tp_nomem(err, strlen(root));
		bool found = tp_is_file(csv);
		tp_code rc = found ? tp_table_each(csv, &f, NULL, class_row, &c, err) : TP_OK;
		tp_free(csv);
		if (rc || found)
			return rc;
	}
	return TP_OK;
}
