/* Oxford 102 Flowers: jpg/image_00001.jpg and on, with the labels and the split of its two .mat files as tables.
 * imagelabels.csv: the 8,189 labels, in one line or one a line, in the order of the photos. setid.csv: three lines or three
 * columns that begin with trnid, valid, tstid, with the photos' numbers. The set knows its species by numbers alone; what
 * they are called may be told by cat_to_name.json ({"1": "pink primrose"}). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "data/data.h"
#include "data/import_int.h"

enum { MAX_PHOTOS = 99999, MAX_LABEL = 9999 }; /* five digits have the photos' names */

typedef struct {
	int label[MAX_PHOTOS + 1];         /* 0: none */
	signed char split[MAX_PHOTOS + 1]; /* -1: none */
	int n;
	int column[TP_MAX_CSV_FIELDS]; /* the split of a column of setid.csv; -1: none */
	bool in_columns;
	json_t *names;
} oxford;

/* Numbers as matrices are written to tables: "77", perhaps "77.0". */
static bool whole(int *out, const char *s, int max)
{
	char *end;
	double v = *s && strchr("0123456789", *s) ? strtod(s, &end) : -1;
	*out = v >= 1 && v <= max ? (int)v : 0;
	return v >= 1 && v <= max && !*end && v == *out;
}

static tp_code label_record(void *ud, const tp_csv_record *r, tp_err *err)
{
	oxford *x = ud;
	for (size_t i = 0; i < r->n; i++) {
		int label;
		if (r->line == 1 && !i && !strcmp(r->field[0], "labels"))
			continue;
		if (!whole(&label, r->field[i], MAX_LABEL))
			return tp_fail(err, TP_EFORMAT, "line %zu: \"%.20s\" is no label of 1..%d", r->line,
				r->field[i], MAX_LABEL);
		if (x->n == MAX_PHOTOS)
			return tp_fail(err, TP_ELIMIT, "line %zu: more than %d labels", r->line, MAX_PHOTOS);
		x->label[++x->n] = label;
	}
	return TP_OK;
}

static int set_named(const char *s)
{
	return !strcmp(s, "trnid")   ? TP_TRAIN
	       : !strcmp(s, "valid") ? TP_VAL
	       : !strcmp(s, "tstid") ? TP_TEST
				     : -1;
}

static tp_code put_in(oxford *x, const char *photo, int split, size_t line, tp_err *err)
{
	int n;
	if (!whole(&n, photo, x->n))
		return tp_fail(
			err, TP_EFORMAT, "line %zu: \"%.20s\" is no photo of 1..%d", line, photo, x->n);
	if (x->split[n] >= 0 && x->split[n] != split)
		return tp_fail(err, TP_EFORMAT, "line %zu: photo %d is in two sets", line, n);
	x->split[n] = (signed char)split;
	return TP_OK;
}

static tp_code set_record(void *ud, const tp_csv_record *r, tp_err *err)
{
	oxford *x = ud;
	tp_code rc = TP_OK;
	if (r->line == 1 && r->n > 1 && set_named(r->field[1]) >= 0) {
		x->in_columns = true;
		for (size_t i = 0; i < r->n; i++)
			x->column[i] = set_named(r->field[i]);
		return TP_OK;
	}
	if (x->in_columns) {
		for (size_t i = 0; i < r->n && !rc; i++)
			if (x->column[i] >= 0 && *r->field[i])
				rc = put_in(x, r->field[i], x->column[i], r->line, err);
		return rc;
	}
	int split = set_named(r->field[0]);
	if (split < 0)
		return tp_fail(err, TP_EFORMAT, "line %zu: \"%.20s\" is none of trnid, valid, tstid", r->line,
			r->field[0]);
	for (size_t i = 1; i < r->n && !rc; i++)
		if (*r->field[i])
			rc = put_in(x, r->field[i], split, r->line, err);
	return rc;
}

static tp_code read_table(oxford *x, const char *dir, const char *name, tp_record_fn fn, tp_err *err)
{
	const tp_csv_format f = TP_CSV_FORMAT_INIT;
	char *path = tp_path_join(dir, name);
	tp_code rc = path ? tp_table_each(path, &f, NULL, fn, x, err) : tp_nomem(err, strlen(dir));
	tp_free(path);
	return rc;
}

static tp_code read_names(oxford *x, const char *dir, tp_err *err)
{
	char *path = tp_path_join(dir, "cat_to_name.json");
	uint8_t *text = NULL;
	size_t len = 0;
	if (!path)
		return tp_nomem(err, strlen(dir));
	tp_code rc = tp_is_file(path) ? tp_file_read(&text, &len, path, TP_MAX_JSON, err) : TP_OK;
	if (!rc && text)
		rc = tp_json_parse(&x->names, (const char *)text, len, "cat_to_name.json", err);
	tp_free(text);
	tp_free(path);
	return rc;
}

static tp_code give(tp_sink *s, const oxford *x, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int i = 1; i <= x->n && !rc; i++) {
		char path[32], where[32], key[16], name[32];
		tp_row row = TP_ROW_INIT;
		snprintf(path, sizeof path, "jpg/image_%05d.jpg", i);
		snprintf(where, sizeof where, "photo %d", i);
		snprintf(key, sizeof key, "%d", x->label[i]);
		snprintf(name, sizeof name, "flower %03d", x->label[i]);
		const char *told = json_string_value(json_object_get(x->names, key));
		row.path = path;
		row.name = told && *told ? told : name;
		row.organ = "flower";
		row.split = x->split[i];
		row.where = where;
		rc = s->row(s, &row, err);
	}
	return rc;
}

tp_code tp_import_oxford102(tp_sink *s, const tp_import_opts *o, tp_err *err)
{
	oxford *x = tp_calloc(1, sizeof *x);
	if (!x)
		return tp_nomem(err, sizeof *x);
	memset(x->split, -1, sizeof x->split);
	tp_code rc = read_table(x, o->path, "imagelabels.csv", label_record, err);
	if (!rc)
		rc = read_table(x, o->path, "setid.csv", set_record, err);
	if (!rc)
		rc = read_names(x, o->path, err);
	if (!rc)
		rc = give(s, x, err);
	json_decref(x->names);
	tp_free(x);
	return rc;
}
