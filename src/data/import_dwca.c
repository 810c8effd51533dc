/* Darwin Core Archives, as GBIF's downloads are: a folder or a zip with meta.xml, a table of occurrences and one of their
 * media. The occurrences are kept aside in a temporary file while the media come by, so neither table is ever in memory;
 * a photo's row has its own creator, licence, date and organ, or else those of the occurrence.
 *
 * Of a plant that flowers (reproductiveCondition, lifeStage) a photo may show a leaf: those say nothing of a photo's organ. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "data/dwca.h"
#include "data/import_int.h"
#include "data/join.h"
#include "data/organ.h"

/* What is kept of an occurrence. */
enum { NAME, AUTHORSHIP, FAMILY, KINGDOM, ORGAN, AUTHOR, LICENCE, DATE, LATITUDE, LONGITUDE, MEDIA, N_KEPT };
static const struct {
	tp_column column; /* as it is called in --column */
	const char *terms[3];
} kept[N_KEPT] = {
	[NAME] = { TP_COL_SPECIES, { "scientificName", "species" } },
	[AUTHORSHIP] = { TP_COL_AUTHORSHIP, { "scientificNameAuthorship" } },
	[FAMILY] = { TP_COL_FAMILY, { "family" } },
	[KINGDOM] = { TP_COL_KINGDOM, { "kingdom" } },
	[ORGAN] = { TP_COL_ORGAN, { "organ" } },
	[AUTHOR] = { TP_COL_AUTHOR, { "recordedBy" } },
	[LICENCE] = { TP_COL_LICENCE, { "license" } },
	[DATE] = { TP_COL_DATE, { "eventDate" } },
	[LATITUDE] = { TP_COL_LATITUDE, { "decimalLatitude" } },
	[LONGITUDE] = { TP_COL_LONGITUDE, { "decimalLongitude" } },
	[MEDIA] = { TP_COL_URL, { "associatedMedia" } },
};

typedef struct {
	tp_sink *s;
	const tp_import_opts *o;
	tp_place place;
	char *folder; /* of meta.xml in the place, with a slash; "" */
	tp_dwca meta;
	tp_join *join;
	const tp_dwca_field *core[N_KEPT];
	const tp_dwca_field *url, *type, *creator, *holder, *licence, *created, *organ; /* of the media */
} archive;

typedef tp_code (*row_fn)(archive *a, const tp_csv_record *r, const char *where, tp_err *err);

static tp_code one_record(
	archive *a, const tp_dwca_table *t, const char *file, const tp_csv_record *r, row_fn fn, tp_err *err)
{
	char where[160], reason[80];
	snprintf(where, sizeof where, "%.100s line %zu", file, r->line);
	if (r->bad)
		return a->s->refuse(a->s, TP_BAD_ROW, r->bad, where, r->why, err);
	if (r->n >= (size_t)tp_dwca_columns(t))
		return fn(a, r, where, err);
	snprintf(reason, sizeof reason, "%zu fields, meta.xml tells of %d", r->n, tp_dwca_columns(t));
	return a->s->refuse(a->s, TP_BAD_ROW, TP_EFORMAT, where, reason, err);
}

static tp_code each_in_file(archive *a, const tp_dwca_table *t, const char *file, row_fn fn, tp_err *err)
{
	tp_bytes bytes = { 0 };
	tp_csv *csv = NULL;
	tp_csv_record r;
	bool more = true;
	char member[512];
	snprintf(member, sizeof member, "%s%s", a->folder, file);
	tp_code rc = tp_place_read(&bytes, &a->place, member, err);
	if (!rc)
		rc = tp_csv_open(&csv, &bytes, &t->format, err);
	for (int head = t->head_lines; !rc && more;) {
		rc = tp_csv_next(csv, &r, &more, err);
		if (!rc && more && head-- <= 0)
			rc = one_record(a, t, file, &r, fn, err);
	}
	tp_csv_close(csv);
	tp_bytes_close(&bytes);
	return rc ? tp_context(err, rc, "%.100s: ", file) : TP_OK;
}

static tp_code each_row(archive *a, const tp_dwca_table *t, row_fn fn, tp_err *err)
{
	tp_code rc = TP_OK;
	for (int i = 0; i < t->n_files && !rc; i++)
		rc = each_in_file(a, t, t->file[i], fn, err);
	return rc;
}

static bool fill(
	tp_row *row, const char *const *v, tp_refusal *why, char *reason, size_t room, const char *kingdom)
{
	row->name = v[NAME];
	row->authorship = v[AUTHORSHIP];
	row->family = v[FAMILY];
	row->organ = tp_organ_of_part(v[ORGAN]);
	*why = TP_BAD_ROW;
	if (kingdom && *v[KINGDOM] && strcasecmp(v[KINGDOM], kingdom) != 0) {
		*why = TP_NOT_WANTED;
		snprintf(reason, room, "kingdom %.60s", v[KINGDOM]);
	} else if (!*v[NAME]) {
		*why = TP_NO_SPECIES;
		snprintf(reason, room, "no species");
	} else if (!tp_degrees(&row->lat, v[LATITUDE], 90) || !tp_degrees(&row->lon, v[LONGITUDE], 180)) {
		snprintf(reason, room, "place \"%.30s\", \"%.30s\" is no latitude and longitude", v[LATITUDE],
			v[LONGITUDE]);
	} else {
		return true;
	}
	return false;
}

static const char *first(const char *a, const char *b)
{
	return *a ? a : b;
}

static bool is_photo(const char *type)
{
	const char *slash = strrchr(type, '/');
	type = slash ? slash + 1 : type;
	return !*type || !strcasecmp(type, "StillImage") || !strcasecmp(type, "Image");
}

static tp_code media_row(archive *a, const tp_csv_record *r, const char *where, tp_err *err)
{
	const char *const *v = NULL;
	const char *type = tp_dwca_get(a->type, r), *id = r->field[a->meta.media.id];
	char reason[160];
	tp_row row = TP_ROW_INIT;
	tp_refusal why = TP_BAD_ROW;
	tp_code rc = tp_join_get(a->join, id, &v, err);
	if (rc)
		return rc;
	if (!is_photo(type)) {
		why = TP_NOT_A_PHOTO;
		snprintf(reason, sizeof reason, "no photo: %.60s", type);
	} else if (!v) {
		snprintf(reason, sizeof reason, "no occurrence \"%.60s\"", id);
	} else if (fill(&row, v, &why, reason, sizeof reason, a->o->kingdom)) {
		row.url = tp_dwca_get(a->url, r);
		row.author = first(first(tp_dwca_get(a->creator, r), tp_dwca_get(a->holder, r)), v[AUTHOR]);
		row.licence = first(tp_dwca_get(a->licence, r), v[LICENCE]);
		row.date = first(tp_dwca_get(a->created, r), v[DATE]);
		row.organ = first(tp_organ_of_part(tp_dwca_get(a->organ, r)), row.organ);
		row.observation = id;
		row.where = where;
		return a->s->row(a->s, &row, err);
	}
	return a->s->refuse(a->s, why, TP_EFORMAT, where, reason, err);
}

static tp_code keep_row(archive *a, const tp_csv_record *r, const char *where, tp_err *err)
{
	const char *value[N_KEPT];
	bool is_new = false;
	for (int i = 0; i < N_KEPT; i++)
		value[i] = tp_dwca_get(a->core[i], r);
	tp_code rc = tp_join_put(a->join, r->field[a->meta.core.id], value, &is_new, err);
	if (rc || is_new)
		return rc;
	return a->s->refuse(
		a->s, TP_BAD_ROW, TP_EFORMAT, where, "an occurrence with this id came before", err);
}

/* An archive without a table of media: the occurrence itself may list addresses, with bars between them. */
static tp_code core_row(archive *a, const tp_csv_record *r, const char *where, tp_err *err)
{
	const char *v[N_KEPT];
	char reason[160];
	tp_row row = TP_ROW_INIT;
	tp_refusal why;
	for (int i = 0; i < N_KEPT; i++)
		v[i] = tp_dwca_get(a->core[i], r);
	if (!*v[MEDIA]) {
		if (a->s->unused)
			a->s->unused(a->s, 1);
		return TP_OK;
	}
	if (!fill(&row, v, &why, reason, sizeof reason, a->o->kingdom))
		return a->s->refuse(a->s, why, TP_EFORMAT, where, reason, err);
	row.author = v[AUTHOR];
	row.licence = v[LICENCE];
	row.date = v[DATE];
	row.observation = r->field[a->meta.core.id];
	row.where = where;
	tp_code rc = TP_OK;
	char *list = tp_strdup(v[MEDIA]), *rest = list;
	if (!list)
		return tp_nomem(err, strlen(v[MEDIA]));
	for (char *url; !rc && (url = strtok_r(rest, "| ", &rest));) {
		row.url = url;
		rc = a->s->row(a->s, &row, err);
	}
	tp_free(list);
	return rc;
}

/* Which column of the occurrences is what. */
static tp_code choose_terms(archive *a, tp_err *err)
{
	const tp_dwca_table *core = &a->meta.core;
	for (int i = 0; i < N_KEPT; i++)
		for (int k = 0; k < 3 && kept[i].terms[k] && !a->core[i]; k++)
			a->core[i] = tp_dwca_find(core, kept[i].terms[k]);
	for (int c = 0; c < a->o->n_columns; c++) {
		const char *choice = a->o->column[c], *is = strchr(choice, '=');
		int i = 0;
		for (; i < N_KEPT && is; i++) {
			const char *name = tp_column_name(kept[i].column);
			if (strlen(name) == (size_t)(is - choice) && !strncmp(name, choice, strlen(name)))
				break;
		}
		if (!is || i == N_KEPT)
			return tp_fail(
				err, TP_EINVAL, "column \"%.60s\" cannot be chosen of an archive", choice);
		a->core[i] = tp_dwca_find(core, is + 1);
		if (i == ORGAN && a->meta.media.row_type) /* a photo's own goes before its plant's */
			a->organ = tp_dwca_find(&a->meta.media, is + 1);
		if (!a->core[i] && (i != ORGAN || !a->organ))
			return tp_fail(err, TP_EFORMAT, "meta.xml has no term \"%.80s\"", is + 1);
	}
	return a->core[NAME] ? TP_OK : tp_fail(err, TP_EFORMAT, "meta.xml has no term \"scientificName\"");
}

static tp_code media_terms(archive *a, tp_err *err)
{
	static const char *const organs[] = { "subjectPart", "subjectPartLiteral", "organ" };
	const tp_dwca_table *m = &a->meta.media;
	a->url = tp_dwca_find(m, "accessURI");
	if (!a->url)
		a->url = tp_dwca_find(m, "identifier");
	a->type = tp_dwca_find(m, "type");
	a->creator = tp_dwca_find(m, "creator");
	a->holder = tp_dwca_find(m, "rightsHolder");
	a->licence = tp_dwca_find(m, "license");
	a->created = tp_dwca_find(m, "created");
	for (size_t i = 0; i < 3 && !a->organ; i++)
		a->organ = tp_dwca_find(m, organs[i]);
	return a->url ? TP_OK : tp_fail(err, TP_EFORMAT, "meta.xml: the media have no term \"identifier\"");
}

static tp_code read_meta(archive *a, tp_err *err)
{
	tp_bytes bytes = { 0 };
	char *found = NULL, *xml = NULL;
	size_t len = 0;
	tp_code rc = tp_place_find(&found, &a->place, "meta.xml", err);
	if (!rc && !found)
		rc = tp_fail(err, TP_ENOTFOUND, "no meta.xml: not a Darwin Core Archive");
	if (!rc)
		rc = tp_place_read(&bytes, &a->place, found, err);
	if (!rc)
		rc = tp_bytes_all(&xml, &len, &bytes, TP_MAX_META_XML, err);
	if (!rc) {
		rc = tp_dwca_parse(&a->meta, xml, len, err);
		if (rc)
			tp_context(err, rc, "meta.xml: ");
	}
	if (!rc) {
		found[strlen(found) - strlen("meta.xml")] = 0;
		a->folder = found;
		found = NULL;
	}
	tp_free(found);
	tp_free(xml);
	tp_bytes_close(&bytes);
	return rc;
}

static tp_code read_tables(archive *a, tp_err *err)
{
	if (strcmp(a->meta.core.row_type, "Occurrence") != 0)
		return tp_fail(err, TP_EFORMAT, "an archive of %.40s; one of Occurrence is wanted",
			a->meta.core.row_type);
	tp_code rc = choose_terms(a, err);
	if (rc)
		return rc;
	if (!a->meta.media.row_type) {
		if (!a->core[MEDIA])
			return tp_fail(err, TP_EFORMAT, "an archive without Multimedia; it has no photos");
		return each_row(a, &a->meta.core, core_row, err);
	}
	rc = media_terms(a, err);
	if (!rc)
		rc = tp_join_open(&a->join, N_KEPT, err);
	if (!rc)
		rc = each_row(a, &a->meta.core, keep_row, err);
	if (!rc)
		rc = each_row(a, &a->meta.media, media_row, err);
	if (!rc && a->s->unused)
		a->s->unused(a->s, tp_join_unused(a->join));
	return rc;
}

tp_code tp_import_dwca(tp_sink *s, const tp_import_opts *o, tp_err *err)
{
	archive a = { .s = s, .o = o };
	tp_code rc = tp_place_open(&a.place, o->path, err);
	if (rc)
		return rc;
	rc = read_meta(&a, err);
	if (!rc)
		rc = read_tables(&a, err);
	if (rc)
		tp_context(err, rc, "%s: ", o->path);
	tp_join_close(a.join);
	tp_dwca_dispose(&a.meta);
	tp_place_dispose(&a.place);
	tp_free(a.folder);
	return rc;
}
