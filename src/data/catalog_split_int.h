/* How a catalog is split: by which keys, and what is held out. For catalog_split.c and catalog_hold.c. */
#ifndef TP_DATA_CATALOG_SPLIT_INT_H
#define TP_DATA_CATALOG_SPLIT_INT_H

#include "data/catalog_split.h"

#define TP_SPLIT_FACT "split" /* where the catalog keeps it: JSON, docs/formats.md */

/* A species or an author that is to be held out. */
typedef struct {
	char *text;
	bool author, required, found;
} tp_hold_name;

/* Starts as {0}; dispose of it also after an error. */
typedef struct {
	unsigned by; /* bits of tp_split_by() */
	tp_hold *hold;
	size_t n_hold, cap_hold;
	tp_hold_name *name;
	size_t n_name, cap_name;
	double val, test;
	uint64_t seed;
	bool ignore_given;
} tp_split_rule;

TP_CHECKED tp_code tp_split_by(unsigned *bits, const char *name, tp_err *err);
const char *tp_split_by_name(unsigned bit); /* NULL: not one that is asked for */

/* Adds what the options say. */
TP_CHECKED tp_code tp_split_rule_read(
	tp_split_rule *r, tp_catalog *c, const tp_catalog_split_opts *o, tp_err *err);
/* Adds what the catalog was split with, if it was; names that are not there any more are passed over. */
TP_CHECKED tp_code tp_split_rule_recorded(tp_split_rule *r, tp_catalog *c, tp_err *err);
/* As JSON; the caller frees with tp_free(). */
TP_CHECKED tp_code tp_split_rule_text(char **out, const tp_split_rule *r, tp_err *err);
void tp_split_rule_dispose(tp_split_rule *r);

#endif
