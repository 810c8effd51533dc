/* A model as cleaning asks it (data/clean.h): vectors of photos, its class "background", and classifiers trained on folds. */
#ifndef TP_CLI_CLEAN_MODEL_H
#define TP_CLI_CLEAN_MODEL_H

#include "data/clean.h"

typedef struct tp_clean_model tp_clean_model;

/* cache_dir NULL: features are not kept. net->ud is the model; close it after the cleaning. NULL may be closed. */
TP_CHECKED tp_code tp_clean_model_open(tp_clean_model **out, tp_clean_network *net, const char *path,
	const char *cache_dir, int threads, bool quiet, tp_err *err);
void tp_clean_model_close(tp_clean_model *m);

#endif
