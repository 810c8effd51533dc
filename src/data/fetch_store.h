/* Where fetched photos lie, whole ones and parts, and what the catalog learns of them. No name from outside becomes a name
 * here: files are called by the photo's number. Threads: one. */
#ifndef TP_DATA_FETCH_STORE_H
#define TP_DATA_FETCH_STORE_H

#include "data/catalog.h"
#include "data/fetch.h"
#include "data/fetch_headers.h"
#include "data/fetch_hosts.h"

typedef struct tp_fetch_store tp_fetch_store;
TP_CHECKED tp_code tp_store_new(tp_fetch_store **out, tp_catalog *c, const char *dir, tp_err *err);
void tp_store_free(tp_fetch_store *s); /* what was not committed is forgotten; NULL is fine */

/* A photo that is not whole yet. Begins as TP_PART_INIT. */
typedef struct {
	int64_t photo, have; /* bytes that are here */
	int fd;              /* -1: closed */
	tp_part_note note;   /* validator "": it cannot be gone on with */
} tp_part;
#define TP_PART_INIT                                                                                         \
	{                                                                                                    \
		.fd = -1                                                                                     \
	}
void tp_part_look(tp_part *p, const tp_fetch_store *s, int64_t photo); /* what an earlier try left */
TP_CHECKED tp_code tp_part_begin(
	tp_part *p, tp_fetch_store *s, const tp_part_note *note, tp_err *err); /* anew */
TP_CHECKED tp_code tp_part_go_on(tp_part *p, tp_fetch_store *s, tp_err *err);
TP_CHECKED tp_code tp_part_write(tp_part *p, const void *bytes, size_t n, tp_err *err);
void tp_part_close(tp_part *p);                         /* what is of use stays, for tp_part_look() */
void tp_part_drop(tp_part *p, const tp_fetch_store *s); /* removes it */

/* The part is whole: is it the photo that is wanted? Then it gets its name, and the catalog will know it after the next
 * commit; else it is gone and *why says what is wrong with it. *why TP_FETCH_REASONS: it is kept. */
TP_CHECKED tp_code tp_part_keep(
	tp_part *p, tp_fetch_store *s, const tp_fetch_task *t, tp_fetch_reason *why, tp_err *err);
/* A file of this photo that a killed run left, whole but unknown to the catalog. A file that is not the photo is removed. */
TP_CHECKED tp_code tp_store_adopt(tp_fetch_store *s, const tp_fetch_task *t, bool *adopted, tp_err *err);
/* The photo cannot be had. value: an HTTP status or a limit; NAN. */
TP_CHECKED tp_code tp_store_failed(
	tp_fetch_store *s, const tp_fetch_task *t, tp_fetch_reason why, double value, tp_err *err);

size_t tp_store_pending(const tp_fetch_store *s);
TP_CHECKED tp_code tp_store_commit(tp_fetch_store *s, tp_err *err);

#endif
