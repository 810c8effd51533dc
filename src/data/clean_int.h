/* Cleaning's inside, for src/data/clean*.c. */
#ifndef TP_DATA_CLEAN_INT_H
#define TP_DATA_CLEAN_INT_H

#include "data/catalog.h"
#include "data/clean.h"

enum {
	TP_CLEAN_KEPT = 255,
	/* Numbers of reasons: those of rules, then of others. */
	TP_CLEAN_OTHERS = TP_RULES,
};

/* One photo, as little as the rules need. */
typedef struct {
	int64_t id, was_group; /* numbers in the catalog */
	uint64_t hash;         /* 0: not measured, or of one colour */
	uint8_t sha[16];       /* the first half; zero: not measured */
	uint32_t pixels, bytes, taxon, observation;
	uint32_t hit;            /* a bit for each rule that found it */
	float doubt, background; /* NAN: not known */
	uint8_t was, now;        /* the reason that stands in the catalog, and the one that is decided */
	uint8_t other;           /* a reason that is no rule's; 0: none */
	bool readable, is_new;   /* is_new: doubt or background are to be written */
} tp_clean_photo;

typedef struct {
	uint32_t photo, other; /* of work.p; other: TP_CLEAN_NONE */
	float value;
	uint8_t rule;
} tp_clean_finding;
#define TP_CLEAN_NONE UINT32_MAX

/* Links between photos by their hashes: see clean_near.c. */
typedef struct tp_clean_near tp_clean_near;

typedef struct {
	const tp_clean_opts *o;
	const char *dir;
	tp_catalog *c;
	tp_cleaned *sum;
	tp_clean_photo *p;
	size_t n, cap;
	tp_clean_finding *f;
	size_t n_f, cap_f;
	char reason[TP_CLEAN_REASONS + 1][64]; /* of others; number TP_CLEAN_OTHERS + i; [0] is never used */
	int n_reasons;
	uint32_t *group; /* union-find over p: who is called a copy of whom */
	uint32_t *
		seen; /* a photo's number in the manifest the network looked at, or TP_CLEAN_NONE; NULL: no network */
} tp_clean_work;

/* Roots of the catalog's sources with links resolved; text[id] is NULL where the folder is not there. [0] is the
 * catalog's own folder, for photos that were fetched. */
typedef struct {
	char **text;
	size_t n;
} tp_clean_roots;
TP_CHECKED tp_code tp_clean_roots_load(tp_clean_roots *out, tp_catalog *c, const char *dir, tp_err *err);
void tp_clean_roots_free(tp_clean_roots *r);
/* Where a photo's file is: its root's number and the path below; false: only an address is known. */
bool tp_clean_place(size_t *root, const char **rel, const tp_catalog_photo *p);

/* clean_measure.c: reads what was not read yet, or has changed. */
TP_CHECKED tp_code tp_clean_measure(tp_clean_work *w, tp_err *err);

/* clean_rules.c */
TP_CHECKED tp_code tp_clean_load(tp_clean_work *w, tp_err *err); /* and asks the rules that judge one photo */
/* Notes a finding when the rule is on; once a photo and rule. */
TP_CHECKED tp_code tp_clean_note(
	tp_clean_work *w, tp_rule_id rule, uint32_t photo, float value, uint32_t other, tp_err *err);
bool tp_clean_is_good(const tp_clean_photo *p); /* nothing was found so far */
TP_CHECKED tp_code tp_clean_rare(tp_clean_work *w, tp_err *err);
void tp_clean_decide(tp_clean_work *w);

/* clean_near.c */
TP_CHECKED tp_code tp_clean_near_find(tp_clean_near **out, tp_clean_work *w, tp_err *err);
/* Marks photos whose vectors will be asked for. */
void tp_clean_near_wanted(uint8_t *wanted, const tp_clean_near *near);
TP_CHECKED tp_code tp_clean_copies(tp_clean_work *w, const tp_clean_near *near, tp_err *err);
void tp_clean_near_free(tp_clean_near *near);

/* clean_network.c: nothing without a network. */
TP_CHECKED tp_code tp_clean_look(tp_clean_work *w, const tp_clean_near *near, tp_err *err);
TP_CHECKED tp_code tp_clean_labels(tp_clean_work *w, tp_err *err);

/* clean_write.c. Photos' columns, many at a time: preparing a statement takes longer than running it. */
enum { TP_CLEAN_BATCH = 512, TP_CLEAN_COLUMNS = 16 };
typedef struct {
	const int *columns;
	size_t n_columns, n;
	int64_t id[TP_CLEAN_BATCH];
	tp_catalog_value v[TP_CLEAN_BATCH * TP_CLEAN_COLUMNS];
} tp_clean_batch;
/* The values are borrowed until the batch is flushed, which happens when it is full. */
TP_CHECKED tp_code tp_clean_put(
	tp_clean_batch *b, tp_catalog *c, int64_t id, const tp_catalog_value *v, tp_err *err);
TP_CHECKED tp_code tp_clean_flush(tp_clean_batch *b, tp_catalog *c, tp_err *err);

TP_CHECKED tp_code tp_clean_write(tp_clean_work *w, tp_err *err);

#endif
