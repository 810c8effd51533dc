/* Identification: a model, perhaps an index, and workers, opened once; photos of one plant in, ranked species out.
 * All that the server and the CLI know of networks and retrieval.
 * Threads: tp_engine_identify() from any thread; at most `workers` run at once, others wait their turn. */
#ifndef TP_ENGINE_ENGINE_H
#define TP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/model.h"
#include "retrieve/index.h"

typedef struct {
	const char *model_path;
	const char *index_path; /* NULL: no reference photos */
	int workers;            /* 0: one a processor */
} tp_engine_opts;

typedef struct tp_engine tp_engine;
TP_CHECKED tp_code tp_engine_open(tp_engine **out, const tp_engine_opts *opts, tp_err *err);
void tp_engine_close(tp_engine *e); /* after every identify has returned */
const tp_model *tp_engine_model(const tp_engine *e);
const tp_index *tp_engine_index(const tp_engine *e); /* NULL when there is none */

typedef struct {
	const void *bytes; /* a photo file, borrowed */
	size_t len;
	const char *organ; /* "leaf" ... or "auto" */
} tp_query_photo;

typedef struct {
	int top_k;   /* species wanted, >= 1 */
	int related; /* reference photos wanted per species, 0..10 */
} tp_identify_opts;
#define TP_IDENTIFY_OPTS_INIT                                                                                \
	{                                                                                                    \
		.top_k = 10                                                                                  \
	}

enum { TP_MAX_RELATED = 10 };
typedef struct {
	int species; /* class of the model */
	float score; /* 0..1, fused over the photos */
	int n_related;
	tp_hit related[TP_MAX_RELATED];
} tp_candidate;

typedef struct {
	int n;
	tp_candidate *v; /* best first; freed by tp_answer_dispose() */
	bool likely;     /* false: no species the model knows is likely */
} tp_answer;

/* photos: 1..TP_MAX_PHOTOS of one plant. On a bad photo the error begins with "image[i]: " and *bad (may be NULL)
 * is its number. TP_EFORMAT, TP_ELIMIT: the photo; TP_EINVAL: the count. */
TP_CHECKED tp_code tp_engine_identify(tp_engine *e, const tp_query_photo *photos, int n,
	const tp_identify_opts *opts, tp_answer *out, int *bad, tp_err *err);
void tp_answer_dispose(tp_answer *a);

/* Features of one photo (n_features floats) and, when logits is not NULL, its logits: training and indexing. */
TP_CHECKED tp_code tp_engine_features(
	tp_engine *e, const void *bytes, size_t len, float *features, float *logits, tp_err *err);

#endif
