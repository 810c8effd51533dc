/* The catalog: a folder with catalog.db that knows every photo of a data set, where it is from, what was found out about
 * it, and whether it is kept. docs/formats.md describes the tables; nothing outside src/data/catalog*.c knows SQL.
 *
 * One process writes at a time, and nobody reads meanwhile (TP_EBUSY). A process may be killed at any moment: the catalog
 * is then as it was at the last commit. Texts given are copied; texts handed out are borrowed for the call.
 * Numbers of rows (photos, names, ...) are 1 and up, 0 is "none", and never change.
 * Errors: TP_ENOTFOUND, TP_EFORMAT (not a catalog, a damaged one, one of a newer tepal), TP_EBUSY, TP_EIO, TP_ENOMEM,
 * TP_EBACKEND with SQLite's words. Threads: a tp_catalog belongs to one thread at a time. */
#ifndef TP_DATA_CATALOG_H
#define TP_DATA_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/data.h"
#include "data/row.h"

typedef struct tp_catalog tp_catalog;
typedef enum {
	TP_CATALOG_READ,
	TP_CATALOG_WRITE,
	TP_CATALOG_CREATE, /* write; makes folder and catalog where there are none */
} tp_catalog_mode;
/* A catalog of an older format is brought up to date when it is opened for writing, and refused for reading. */
TP_CHECKED tp_code tp_catalog_open(tp_catalog **out, const char *dir, tp_catalog_mode mode, tp_err *err);
void tp_catalog_close(tp_catalog *c); /* what was not committed is dropped; NULL is fine */
bool tp_is_catalog(const char *dir);  /* a folder with catalog.db */

/* All or nothing from begin to commit. Without them each call is a transaction of its own, which is slow. */
TP_CHECKED tp_code tp_catalog_begin(tp_catalog *c, tp_err *err);
TP_CHECKED tp_code tp_catalog_commit(tp_catalog *c, tp_err *err);
void tp_catalog_rollback(tp_catalog *c);

/* ---- taking photos in: one source at a time ---- */

typedef struct {
	int64_t id;
	const char *kind, *root,
		*options;               /* these three are its identity: run again, it is the same source */
	const char *citation, *licence; /* of the whole source; a licence of a photo's own goes before it */
	int64_t started, finished;      /* Unix time of the last run; finished 0: it was interrupted */
	int64_t seen, photos, refused,
		unused; /* rows of the last whole run; photos: all that are in the catalog */
} tp_catalog_source;

/* Begins a run: finds the source or adds it, forgets what it refused before and learns which photos it has brought.
 * Fields but the first seven are set here and by tp_catalog_source_end(). */
TP_CHECKED tp_code tp_catalog_source_begin(tp_catalog *c, const tp_catalog_source *s, tp_err *err);
/* Ends a whole run. now: Unix time. */
TP_CHECKED tp_code tp_catalog_source_end(
	tp_catalog *c, int64_t now, int64_t seen, int64_t unused, tp_err *err);

typedef enum { TP_ADDED, TP_WAS_THERE, TP_REFUSED } tp_added;
/* A photo of the source begun. A row that breaks a rule of docs/formats.md is refused and listed; a photo that is there
 * already stays as it is. One that is there under another name is refused, and the photo gets the finding
 * TP_RULE_TWO_NAMES, which also excludes it: nobody knows which name is right. */
#define TP_RULE_TWO_NAMES "two_names"
TP_CHECKED tp_code tp_catalog_add(tp_catalog *c, const tp_row *row, tp_added *how, tp_err *err);
TP_CHECKED tp_code tp_catalog_refuse(tp_catalog *c, const char *where, const char *reason, tp_err *err);
/* Fills what is not known yet of the taxon that has this name. A name that no photo has is no error. */
TP_CHECKED tp_code tp_catalog_species(tp_catalog *c, const tp_species *x, tp_err *err);

/* ---- photos ---- */

/* Measures of a photo, columns of the same name in lower case; NAN until `tepal data clean` has measured them. */
typedef enum {
	TP_BRIGHTNESS, /* mean luma, 0..1 */
	TP_CONTRAST,   /* its standard deviation */
	TP_SHARPNESS,
	TP_SATURATION,
	TP_ENTROPY,    /* bits of the luma's histogram */
	TP_BACKGROUND, /* a model's score for "no plant" */
	TP_DOUBT,      /* that the name is wrong, 0..1 */
	TP_MEASURES,
} tp_measure;

typedef struct {
	int64_t id, source, name, taxon, author, licence, observation;
	const char *path, *url,
		*file; /* relative to the source's root; -; relative to the catalog's folder */
	const char *organ, *date, *origin; /* "" when not known, as the three above */
	const char *excluded;              /* the rule that decided; NULL: kept */
	double lat, lon;                   /* NAN */
	int given, split; /* -1, or what the source says: a tp_split; what was decided: that or TP_HELD_OUT */
	bool no_train, has_phash;
	int64_t bytes; /* 0: not known; the same for the two below */
	int width, height;
	const uint8_t *sha256; /* 32 bytes, or NULL */
	uint64_t phash;
	double measure[TP_MEASURES];
	int64_t duplicates; /* the group's number, 0: in none */
} tp_catalog_photo;

typedef struct {
	int64_t source, taxon; /* 0: any */
	int64_t after;         /* only photos with a larger number */
	int64_t limit;         /* at most so many; 0: all */
	int split;             /* what was decided, a tp_split or TP_HELD_OUT; -1: any */
	enum { TP_PHOTOS_ALL, TP_PHOTOS_KEPT, TP_PHOTOS_EXCLUDED } which;
	bool unhashed; /* only those whose sha256 is not known */
	bool not_here; /* only those of which nothing but a URL is known */
} tp_catalog_filter;
#define TP_CATALOG_FILTER_INIT                                                                               \
	{                                                                                                    \
		.split = -1                                                                                  \
	}

/* What was decided, or else what the source says; -1: neither. TP_HELD_OUT (split_groups.h): for none of them. */
static inline int tp_catalog_split_of(const tp_catalog_photo *p)
{
	return p->split >= 0 ? p->split : p->given;
}

/* In the order of their numbers, which is the order they were added in. fn must not write to the catalog. */
typedef tp_code (*tp_catalog_photo_fn)(void *ud, const tp_catalog_photo *p, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_photo(
	tp_catalog *c, const tp_catalog_filter *f, tp_catalog_photo_fn fn, void *ud, tp_err *err);

/* Columns that may be set, and what a value of theirs is. */
typedef enum {
	TP_SET_FILE,  /* text */
	TP_SET_BYTES, /* integer, as those below without a word */
	TP_SET_WIDTH,
	TP_SET_HEIGHT,
	TP_SET_SHA256, /* text or bytes: 32 bytes */
	TP_SET_PHASH,
	TP_SET_DUPLICATES,
	TP_SET_SPLIT,
	TP_SET_EXCLUDED, /* text; none: kept */
	TP_SET_TAXON,    /* the right taxon where the name is wrong; none: that of the name */
	TP_SET_MEASURE,  /* number; + a tp_measure */
} tp_catalog_column;
typedef struct {
	enum { TP_VALUE_NONE, TP_VALUE_INT, TP_VALUE_NUMBER, TP_VALUE_TEXT, TP_VALUE_BYTES } kind;
	int64_t i;
	double d;
	const void *p; /* text ends with NUL */
	size_t len;    /* of bytes */
} tp_catalog_value;
/* Sets n_columns columns (at most 16) of n photos: value[k * n_columns + j] is column j of photo[k]. A photo that does
 * not exist is TP_ENOTFOUND. */
TP_CHECKED tp_code tp_catalog_set(tp_catalog *c, const int *column, size_t n_columns, const int64_t *photo,
	size_t n, const tp_catalog_value *value, tp_err *err);
/* The same for every photo. */
TP_CHECKED tp_code tp_catalog_set_all(tp_catalog *c, int column, tp_catalog_value value, tp_err *err);

/* ---- what the rules found: every rule that hit, also where another one decided ---- */

typedef struct {
	int64_t photo;
	const char *rule;
	double value;  /* what was measured; NAN */
	int64_t other; /* the photo it is a duplicate of, say; 0 */
} tp_catalog_finding;
TP_CHECKED tp_code tp_catalog_find(
	tp_catalog *c, const tp_catalog_finding *f, tp_err *err);                        /* or replaces it */
TP_CHECKED tp_code tp_catalog_forget_rule(tp_catalog *c, const char *rule, tp_err *err); /* its findings */
TP_CHECKED tp_code tp_catalog_forget(
	tp_catalog *c, int64_t photo, const char *rule, tp_err *err); /* of one photo */
typedef tp_code (*tp_catalog_finding_fn)(void *ud, const tp_catalog_finding *f, tp_err *err);
/* rule NULL: all. By photo, then rule. */
TP_CHECKED tp_code tp_catalog_each_finding(
	tp_catalog *c, const char *rule, tp_catalog_finding_fn fn, void *ud, tp_err *err);

/* How many photos each rule hit, whichever rule decided; by name. */
typedef tp_code (*tp_catalog_hits_fn)(void *ud, const char *rule, int64_t photos, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_rule(tp_catalog *c, tp_catalog_hits_fn fn, void *ud, tp_err *err);

/* ---- names and taxa ---- */

typedef struct {
	int64_t id;
	const char *name, *authorship, *rank, *genus, *family, *gbif, *powo; /* "" when not known */
} tp_catalog_taxon;
typedef tp_code (*tp_catalog_taxon_fn)(void *ud, const tp_catalog_taxon *t, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_taxon(tp_catalog *c, tp_catalog_taxon_fn fn, void *ud, tp_err *err);
/* The taxon of this name, added when new; texts that are not empty replace what was there. t->id is not read. */
TP_CHECKED tp_code tp_catalog_put_taxon(tp_catalog *c, int64_t *id, const tp_catalog_taxon *t, tp_err *err);

typedef struct {
	int64_t id, taxon;
	const char *text; /* as given */
	const char *
		matched; /* "exact", "variant", "synonym", "fuzzy", "parent", "unmatched"; "": not looked up yet */
	const char *nearest; /* of one that is not exact: what it was taken for, or might be */
	int64_t photos;
} tp_catalog_name;
typedef tp_code (*tp_catalog_name_fn)(void *ud, const tp_catalog_name *n, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_name(tp_catalog *c, tp_catalog_name_fn fn, void *ud, tp_err *err);
/* What a list of accepted names says of a name: photos with it are of that taxon from now on. Common names that were told
 * of the taxon it had go with it, unless it is "unmatched". */
TP_CHECKED tp_code tp_catalog_match(
	tp_catalog *c, int64_t name, int64_t taxon, const char *matched, const char *nearest, tp_err *err);
/* Only where none is known. */
TP_CHECKED tp_code tp_catalog_fill_family(tp_catalog *c, int64_t taxon, const char *family, tp_err *err);
/* Drops taxa that no name and no photo has. */
TP_CHECKED tp_code tp_catalog_drop_unused_taxa(tp_catalog *c, tp_err *err);

typedef tp_code (*tp_catalog_common_fn)(
	void *ud, int64_t taxon, const char *lang, const char *name, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_common(tp_catalog *c, tp_catalog_common_fn fn, void *ud, tp_err *err);

/* ---- the rest ---- */

/* Facts about the whole, a text under a key. *value is NULL when there is none; freed with tp_free(). */
TP_CHECKED tp_code tp_catalog_fact(char **value, tp_catalog *c, const char *key, tp_err *err);
TP_CHECKED tp_code tp_catalog_set_fact(tp_catalog *c, const char *key, const char *value, tp_err *err);

/* Every text of a small table by its number; text[0] is "". Free with tp_catalog_texts_free(). */
typedef enum { TP_TEXT_NAME, TP_TEXT_AUTHOR, TP_TEXT_LICENCE } tp_catalog_text;
typedef struct {
	char **text;
	size_t n; /* numbers are below it */
} tp_catalog_texts;
TP_CHECKED tp_code tp_catalog_load_texts(
	tp_catalog_texts *out, tp_catalog *c, tp_catalog_text which, tp_err *err);
void tp_catalog_texts_free(tp_catalog_texts *t);

typedef tp_code (*tp_catalog_source_fn)(void *ud, const tp_catalog_source *s, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_source(tp_catalog *c, tp_catalog_source_fn fn, void *ud, tp_err *err);
/* By source, in the order they were met. source 0: all. */
typedef tp_code (*tp_catalog_refused_fn)(
	void *ud, int64_t source, const char *where, const char *reason, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_refused(
	tp_catalog *c, int64_t source, tp_catalog_refused_fn fn, void *ud, tp_err *err);

typedef struct {
	int64_t photos, kept, excluded, refused;      /* photos = kept + excluded */
	int64_t names, unmatched, taxa, observations; /* taxa: that a photo is of */
	int64_t split[TP_SPLITS], held_out, no_split; /* of the kept ones: decided, or else given */
} tp_catalog_counts;
TP_CHECKED tp_code tp_catalog_count(tp_catalog_counts *out, tp_catalog *c, tp_err *err);
/* How many photos each rule excluded; "" for the kept ones, always told. Most first. */
typedef tp_code (*tp_catalog_verdict_fn)(void *ud, const char *rule, int64_t photos, tp_err *err);
TP_CHECKED tp_code tp_catalog_each_verdict(tp_catalog *c, tp_catalog_verdict_fn fn, void *ud, tp_err *err);

#endif
