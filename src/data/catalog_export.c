/* The photos of a catalog as a table: see catalog_export.h. */
#include "data/catalog_export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/catalog_places.h"
#include "data/csv.h"
#include "data/data_int.h"
#include "data/split_groups.h"

enum { FLUSH = 1 << 20, MAX_TAXON = 1 << 26 };

const char *const tp_export_columns[] = { "path", "url", "species", "authorship", "family", "organ", "source",
	"split", "licence", "author", "date", "latitude", "longitude", "observation", NULL };

typedef struct {
	const tp_export_opts *o;
	tp_exported *n;
	tp_catalog_texts authors, licences;
	tp_catalog_places places;
	char *(*taxon)[3]; /* name, authorship, family; by number */
	size_t n_taxa;
	char *root; /* with links resolved, without the first "/" */
	tp_outfile *f;
	tp_buf b;
} export;

static tp_code add_taxon(void *ud, const tp_catalog_taxon *t, tp_err *err)
{
	export *x = ud;
	if (t->id < 0 || t->id > MAX_TAXON)
		return tp_fail(err, TP_ELIMIT, "taxon %lld", (long long)t->id);
	if ((size_t)t->id >= x->n_taxa) {
		size_t n = 2 * (size_t)t->id + 64;
		void *p = tp_realloc(x->taxon, n * sizeof *x->taxon);
		if (!p)
			return tp_nomem(err, n * sizeof *x->taxon);
		x->taxon = p;
		memset(x->taxon + x->n_taxa, 0, (n - x->n_taxa) * sizeof *x->taxon);
		x->n_taxa = n;
	}
	const char *text[] = { t->name, t->authorship, t->family };
	tp_code rc = TP_OK;
	for (int i = 0; i < 3 && !rc; i++)
		rc = tp_set_text(&x->taxon[t->id][i], text[i], err);
	return rc;
}

static const char *text_of(const tp_catalog_texts *t, int64_t number)
{
	return number > 0 && (size_t)number < t->n && t->text[number] ? t->text[number] : "";
}

/* The path below root; NULL: not on this disk. */
static tp_code relative(export *x, const tp_catalog_photo *p, const char **path, tp_err *err)
{
	size_t n = strlen(x->root);
	tp_code rc = tp_catalog_place(path, &x->places, p, err);
	if (rc || !*path)
		return rc;
	if (strncmp(*path, x->root, n) != 0 || (n && (*path)[n] != '/'))
		return tp_fail(err, TP_EINVAL,
			"photo /%.150s does not lie below /%.60s: write the table to a folder above the "
			"photos, or name it "
			"as root",
			*path, x->root);
	*path += n ? n + 1 : 0;
	return TP_OK;
}

static tp_code put_number(tp_buf *b, double v, tp_err *err)
{
	char text[TP_NUMBER_TEXT] = "";
	if (!isnan(v))
		tp_number_text(text, v);
	return tp_buf_addf(b, err, "%s,", text);
}

static tp_code put_row(export *x, const tp_catalog_photo *p, const char *path, int split, tp_err *err)
{
	const char *licence = text_of(&x->licences, p->licence);
	char *const *taxon = x->taxon[p->taxon];
	const char *splits[] = { "train", "val", "test", "test" };
	const char *text[] = { path ? path : "", p->url, taxon[0], taxon[1] ? taxon[1] : "",
		taxon[2] ? taxon[2] : "", p->organ,
		*p->origin ? p->origin : tp_catalog_kind(&x->places, p->source),
		split < 0 ? "" : splits[split], licence, text_of(&x->authors, p->author), p->date };
	tp_code rc = TP_OK;
	for (size_t i = 0; i < sizeof text / sizeof *text && !rc; i++)
		rc = tp_csv_put(&x->b, text[i], ',', err);
	if (!rc)
		rc = put_number(&x->b, p->lat, err);
	if (!rc)
		rc = put_number(&x->b, p->lon, err);
	if (!rc)
		rc = p->observation ? tp_buf_addf(&x->b, err, "%lld\n", (long long)p->observation)
				    : tp_buf_adds(&x->b, "\n", err);
	x->n->written++;
	x->n->no_licence += !*licence;
	if (!rc && x->b.len >= FLUSH) {
		rc = tp_outfile_write(x->f, x->b.ptr, x->b.len, err);
		x->b.len = 0;
	}
	return rc;
}

static tp_code add_photo(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	export *x = ud;
	int split = tp_catalog_split_of(p);
	const char *path = NULL;
	size_t *left_out = p->excluded                                    ? &x->n->excluded
			   : split == TP_HELD_OUT && x->o->split != split ? &x->n->held_out
			   : x->o->split >= 0 && x->o->split != split     ? &x->n->other_split
									  : NULL;
	if (left_out) {
		++*left_out;
		return TP_OK;
	}
	if (p->taxon <= 0 || (size_t)p->taxon >= x->n_taxa || !x->taxon[p->taxon][0])
		return tp_fail(
			err, TP_EFORMAT, "photo %lld: no taxon %lld", (long long)p->id, (long long)p->taxon);
	tp_code rc = relative(x, p, &path, err);
	if (rc)
		return rc;
	if (!path && !x->o->urls) {
		x->n->not_here++;
		return TP_OK;
	}
	return put_row(x, p, path, split, err);
}

static tp_code find_root(export *x, tp_err *err)
{
	const char *slash = strrchr(x->o->table, '/');
	size_t n = slash ? (size_t)(slash - x->o->table) + 1 : 0;
	char folder[4096] = ".";
	if (n >= sizeof folder)
		return tp_fail(err, TP_EINVAL, "a path of %zu bytes", n);
	if (n)
		snprintf(folder, sizeof folder, "%.*s", (int)n, x->o->table);
	char *real = realpath(x->o->root ? x->o->root : folder, NULL);
	tp_code rc =
		real ? TP_OK
		     : tp_fail(err, TP_ENOTFOUND, "%s: no such folder", x->o->root ? x->o->root : folder);
	if (!rc && !(x->root = tp_strdup(real + 1)))
		rc = tp_nomem(err, strlen(real));
	free(real);
	return rc;
}

static tp_code write_all(export *x, tp_catalog *c, tp_err *err)
{
	const tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	tp_code rc = tp_outfile_open(&x->f, x->o->table, err);
	for (int i = 0; tp_export_columns[i] && !rc; i++)
		rc = tp_csv_put(&x->b, tp_export_columns[i], tp_export_columns[i + 1] ? ',' : '\n', err);
	if (!rc)
		rc = tp_catalog_each_photo(c, &all, add_photo, x, err);
	if (!rc && !x->n->written)
		rc = tp_fail(err, TP_EINVAL,
			"no photo to write: %zu excluded, %zu held out, %zu of other splits, %zu not on this "
			"disk",
			x->n->excluded, x->n->held_out, x->n->other_split, x->n->not_here);
	if (!rc)
		rc = tp_outfile_write(x->f, x->b.ptr, x->b.len, err);
	if (!rc)
		rc = tp_outfile_commit(&x->f, err);
	tp_outfile_abort(&x->f);
	return rc;
}

tp_code tp_catalog_export(
	tp_exported *out, tp_catalog *c, const char *dir, const tp_export_opts *o, tp_err *err)
{
	export x = { .o = o, .n = out };
	*out = (tp_exported){ 0 };
	tp_buf_init(&x.b, 4 * FLUSH);
	tp_code rc = find_root(&x, err);
	if (!rc)
		rc = tp_catalog_places_load(&x.places, c, dir, err);
	if (!rc)
		rc = tp_catalog_load_texts(&x.authors, c, TP_TEXT_AUTHOR, err);
	if (!rc)
		rc = tp_catalog_load_texts(&x.licences, c, TP_TEXT_LICENCE, err);
	if (!rc)
		rc = tp_catalog_each_taxon(c, add_taxon, &x, err);
	if (!rc)
		rc = write_all(&x, c, err);
	for (size_t i = 0; i < 3 * x.n_taxa; i++)
		tp_free(x.taxon[i / 3][i % 3]);
	tp_free(x.taxon);
	tp_free(x.root);
	tp_catalog_texts_free(&x.authors);
	tp_catalog_texts_free(&x.licences);
	tp_catalog_places_dispose(&x.places);
	tp_buf_dispose(&x.b);
	return rc;
}
