/* Columns of a table: see columns.h. */
#include "data/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/data.h"

static const char *const names[TP_COLUMNS][6] = {
	[TP_COL_PATH] = { "path" },
	[TP_COL_URL] = { "url", "image_url" },
	[TP_COL_SPECIES] = { "species", "scientific_name", "scientificName" },
	[TP_COL_FAMILY] = { "family" },
	[TP_COL_AUTHORSHIP] = { "authorship", "scientificNameAuthorship" },
	[TP_COL_ORGAN] = { "organ" },
	[TP_COL_SOURCE] = { "source" },
	[TP_COL_SPLIT] = { "split" },
	[TP_COL_LICENCE] = { "licence", "license" },
	[TP_COL_AUTHOR] = { "author" },
	[TP_COL_DATE] = { "date", "eventDate" },
	[TP_COL_LATITUDE] = { "latitude", "decimalLatitude", "lat" },
	[TP_COL_LONGITUDE] = { "longitude", "decimalLongitude", "lon" },
	[TP_COL_OBSERVATION] = { "observation", "observation_id" },
	[TP_COL_NO_TRAIN] = { "no_train" },
	[TP_COL_KINGDOM] = { "kingdom" },
};

const char *tp_column_name(tp_column c)
{
	return names[c][0];
}

static int find(char **head, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(head[i], name, len) && !head[i][len])
			return (int)i;
	return -1;
}

static tp_code choose(tp_columns *c, char **head, size_t n, const char *choice, tp_err *err)
{
	const char *is = strchr(choice, '=');
	for (int k = 0; is && k < TP_COLUMNS; k++) {
		if (strlen(names[k][0]) != (size_t)(is - choice) ||
			strncmp(names[k][0], choice, (size_t)(is - choice)))
			continue;
		c->at[k] = find(head, n, is + 1, strlen(is + 1));
		return c->at[k] >= 0 ? TP_OK
				     : tp_fail(err, TP_EFORMAT, "line 1: no column \"%.80s\"", is + 1);
	}
	return tp_fail(err, TP_EINVAL,
		"column \"%.60s\" is not understood; WHAT=COLUMN with one of path, url, species, family, "
		"authorship, organ, "
		"source, split, licence, author, date, latitude, longitude, observation, no_train, kingdom",
		choice);
}

tp_code tp_columns_find(
	tp_columns *out, char **head, size_t n, const char *const *chosen, int n_chosen, tp_err *err)
{
	out->n_fields = n;
	for (int k = 0; k < TP_COLUMNS; k++) {
		out->at[k] = -1;
		for (int i = 0; names[k][i] && out->at[k] < 0; i++)
			out->at[k] = find(head, n, names[k][i], strlen(names[k][i]));
	}
	tp_code rc = TP_OK;
	for (int i = 0; i < n_chosen && !rc; i++)
		rc = choose(out, head, n, chosen[i], err);
	return rc;
}

bool tp_split_named(int *out, const char *s)
{
	static const struct {
		const char *name;
		int split;
	} known[] = { { "", -1 }, { "train", TP_TRAIN }, { "val", TP_VAL }, { "valid", TP_VAL },
		{ "validation", TP_VAL }, { "test", TP_TEST } };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(s, known[i].name)) {
			*out = known[i].split;
			return true;
		}
	return false;
}

bool tp_degrees(double *out, const char *s, double max)
{
	char *end;
	*out = NAN;
	if (!*s)
		return true;
	if (!strchr("+-.0123456789", *s) || strpbrk(s, "xX"))
		return false;
	double v = strtod(s, &end);
	if (*end || !(v >= -max && v <= max))
		return false;
	*out = v;
	return true;
}

static bool is_true(const char *s)
{
	return !strcmp(s, "1") || !strcasecmp(s, "true") || !strcasecmp(s, "yes");
}

static const char *get(const tp_columns *c, char *const *field, tp_column k)
{
	return c->at[k] < 0 ? "" : field[c->at[k]];
}

bool tp_columns_row(tp_row *row, const tp_columns *c, char *const *field, size_t n, const char *kingdom,
	tp_refusal *why, char reason[TP_COLUMN_REASON])
{
	*row = (tp_row)TP_ROW_INIT;
	*why = TP_BAD_ROW;
	if (n != c->n_fields) {
		snprintf(reason, TP_COLUMN_REASON, "%zu fields, the first line has %zu", n, c->n_fields);
		return false;
	}
	const char **text[] = { &row->path, &row->url, &row->name, &row->family, &row->authorship,
		&row->organ, &row->origin };
	for (int k = 0; k < 7; k++)
		*text[k] = get(c, field, (tp_column)k);
	row->licence = get(c, field, TP_COL_LICENCE);
	row->author = get(c, field, TP_COL_AUTHOR);
	row->date = get(c, field, TP_COL_DATE);
	row->observation = get(c, field, TP_COL_OBSERVATION);
	row->no_train = is_true(get(c, field, TP_COL_NO_TRAIN));
	const char *split = get(c, field, TP_COL_SPLIT), *lat = get(c, field, TP_COL_LATITUDE),
		   *lon = get(c, field, TP_COL_LONGITUDE), *is = get(c, field, TP_COL_KINGDOM);
	if (kingdom && *is && strcasecmp(is, kingdom) != 0) {
		*why = TP_NOT_WANTED;
		snprintf(reason, TP_COLUMN_REASON, "kingdom %.60s", is);
	} else if (!tp_split_named(&row->split, split)) {
		snprintf(reason, TP_COLUMN_REASON, "split \"%.20s\" is none of train, val, test", split);
	} else if (!tp_degrees(&row->lat, lat, 90)) {
		snprintf(reason, TP_COLUMN_REASON, "latitude \"%.20s\" is no number of -90..90", lat);
	} else if (!tp_degrees(&row->lon, lon, 180)) {
		snprintf(reason, TP_COLUMN_REASON, "longitude \"%.20s\" is no number of -180..180", lon);
	} else if (!*row->name) {
		*why = TP_NO_SPECIES;
		snprintf(reason, TP_COLUMN_REASON, "no species");
	} else {
		return true;
	}
	return false;
}
