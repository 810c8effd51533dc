/* What an importer says of a photo, and who listens. An importer knows its source's layout and nothing of where rows go:
 * to the catalog (catalog.h) or straight to a manifest (data.h). */
#ifndef TP_DATA_ROW_H
#define TP_DATA_ROW_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One photo as its source tells it. Texts are borrowed for the call, UTF-8 or what the source had in its place; NULL or
 * "" is "not told". TP_ROW_INIT sets the numbers that are not told. */
typedef struct {
	const char *path;                /* relative to the source's root */
	const char *url;                 /* where to fetch it; a row has a path or a url, or both */
	const char *name;                /* verbatim, as given */
	const char *family, *authorship; /* of the name */
	const char *organ, *author, *licence, *origin, *date;
	const char *observation; /* the source's key of the plant seen; photos of one plant share it */
	double lat, lon;         /* degrees; NAN */
	int split;               /* a tp_split the source gives, or -1 */
	int width, height;       /* pixels, 0 */
	bool no_train;           /* the source asks not to train with it */
	const char *where;       /* "line 17": for messages */
} tp_row;
#define TP_ROW_INIT                                                                                          \
	{                                                                                                    \
		.lat = NAN, .lon = NAN, .split = -1                                                          \
	}

/* Further knowledge of a species, from a table of names. Texts as above; ends at the first NULL language. */
typedef struct {
	const char *name, *authorship, *family, *powo;
	const char *common[8][2]; /* language, name */
} tp_species;

/* Why a row cannot be taken. */
typedef enum {
	TP_NOT_A_PHOTO, /* a file of another kind */
	TP_NO_SPECIES,  /* a photo without a name */
	TP_BAD_ROW,     /* not what the source's format says */
	TP_NOT_WANTED,  /* of another kingdom, say */
} tp_refusal;

typedef struct tp_sink tp_sink;
struct tp_sink {
	tp_code (*row)(tp_sink *s, const tp_row *r, tp_err *err);
	/* A row that never became one. `code` is what it is for a sink that takes only whole sources. */
	tp_code (*refuse)(
		tp_sink *s, tp_refusal why, tp_code code, const char *where, const char *reason, tp_err *err);
	/* NULL: the sink does not ask. Called after the rows that use the names. */
	tp_code (*species)(tp_sink *s, const tp_species *x, tp_err *err);
	/* n rows of the source that tell of no photo (observations without one). NULL: the sink does not ask. */
	void (*unused)(tp_sink *s, size_t n);
};

#endif
