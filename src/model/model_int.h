/* What the files of this folder share. */
#ifndef TP_MODEL_MODEL_INT_H
#define TP_MODEL_MODEL_INT_H

#include <stdint.h>

#include "base/hash.h"
#include "model/model.h"

struct tp_model {
	uint8_t *bytes; /* the whole file */
	size_t len;
	tp_sha256 sha256;
	tp_weights *w;
	const tp_arch *arch;
	tp_prep prep;
	tp_calibration calibration;
	json_t *classes_json, *record;
	tp_class *classes;
	int n_classes;
	float *means;  /* n_classes x n_features, unit rows; NULL: no novelty detection */
	float *centre; /* n_features */
};

/* The metadata keys. docs/formats.md describes them. */
#define TP_KEY_SUM "tepal.sha256"
#define TP_KEY_FORMAT "tepal.format"

/* The checksum of a model file: SHA-256 of all its bytes, with the 64 digits of the checksum itself read as '0'.
 * tp_sum_set() writes it into a file that has any 64 characters there, tp_sum_check() compares. */
TP_CHECKED tp_code tp_sum_set(uint8_t *bytes, size_t len, tp_err *err);
TP_CHECKED tp_code tp_sum_check(uint8_t *bytes, size_t len, tp_err *err); /* bytes are as before on return */

#endif
