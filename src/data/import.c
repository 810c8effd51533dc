/* The table of importers, and what they share: see import.h. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/import_int.h"

const tp_importer tp_importers[] = {
	{ "folders", "a folder with one folder for each species, named after it", tp_import_folders },
	{ "csv", "a table with a row for each photo, CSV or TSV", tp_import_csv },
	{ "dwca", "a Darwin Core Archive (GBIF): zip or folder with meta.xml", tp_import_dwca },
	{ "plantnet300k", "Pl@ntNet-300K, v1.1 or v2.0: the folder with plantnet300K_metadata",
		tp_import_plantnet300k },
	{ "inat2021", "iNaturalist 2021: train.json, val.json", tp_import_inat },
	{ "oxford102", "Oxford 102 Flowers: the folder with imagelabels.csv and setid.csv",
		tp_import_oxford102 },
	{ 0 },
};

const tp_importer *tp_importer_named(const char *name)
{
	for (const tp_importer *i = tp_importers; i->name; i++)
		if (!strcmp(i->name, name))
			return i;
	return NULL;
}

tp_code tp_import_root(char **out, const tp_import_opts *o, tp_err *err)
{
	const char *from = o->root ? o->root : o->path;
	const char *slash = strrchr(from, '/');
	if (o->root || tp_is_dir(from))
		*out = tp_strdup(from);
	else if (!slash)
		*out = tp_strdup(".");
	else
		*out = tp_strndup(from, slash == from ? 1 : (size_t)(slash - from));
	return *out ? TP_OK : tp_nomem(err, strlen(from));
}

static tp_code each(tp_csv *c, tp_sink *s, tp_record_fn fn, void *ud, tp_err *err)
{
	tp_csv_record r;
	bool more = true;
	char where[32];
	for (;;) {
		tp_code rc = tp_csv_next(c, &r, &more, err);
		if (rc || !more)
			return rc;
		snprintf(where, sizeof where, "line %zu", r.line);
		if (!r.bad)
			rc = fn(ud, &r, err);
		else if (s)
			rc = s->refuse(s, TP_BAD_ROW, r.bad, where, r.why, err);
		else
			rc = tp_fail(err, r.bad, "%s: %s", where, r.why);
		if (rc)
			return rc;
	}
}

tp_code tp_table_each(
	const char *path, const tp_csv_format *f, tp_sink *s, tp_record_fn fn, void *ud, tp_err *err)
{
	tp_bytes bytes = { 0 };
	tp_csv *c = NULL;
	tp_code rc = tp_bytes_file(&bytes, path, err);
	if (rc)
		return rc;
	rc = tp_csv_open(&c, &bytes, f, err);
	if (!rc)
		rc = each(c, s, fn, ud, err);
	tp_csv_close(c);
	tp_bytes_close(&bytes);
	return rc ? tp_context(err, rc, "%s: ", path) : TP_OK;
}

tp_code tp_sink_columns(tp_sink *s, const tp_columns *c, const tp_csv_record *r, const char *kingdom,
	const char *where, tp_err *err)
{
	tp_row row;
	tp_refusal why;
	char reason[TP_COLUMN_REASON];
	if (!tp_columns_row(&row, c, r->field, r->n, kingdom, &why, reason))
		return s->refuse(s, why, TP_EFORMAT, where, reason, err);
	row.where = where;
	return s->row(s, &row, err);
}
