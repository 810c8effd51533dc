/* A stream of bytes read once from the beginning: a file, a member of an archive, a memory. An importer that reads through
 * it needs no more memory for a large source than for a small one. Threads: one at a time. */
#ifndef TP_DATA_BYTES_H
#define TP_DATA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tp_bytes tp_bytes;
struct tp_bytes {
	/* *got 0: the end */
	tp_code (*read)(tp_bytes *b, void *to, size_t room, size_t *got, tp_err *err);
	void (*close)(tp_bytes *b);
	void *handle;
	const char *name; /* for errors; owned */
	int fd;
	uint64_t at, max; /* bytes given so far, and how many may be */
};                        /* starts as {0} */

TP_CHECKED tp_code tp_bytes_file(tp_bytes *out, const char *path, tp_err *err); /* regular files only */
void tp_bytes_memory(tp_bytes *out, const void *p, size_t n);                   /* borrowed */
void tp_bytes_close(tp_bytes *b);                                               /* {0} is fine */

/* All of it, at most `max` bytes (TP_ELIMIT), followed by NUL; freed with tp_free(). */
TP_CHECKED tp_code tp_bytes_all(char **out, size_t *len, tp_bytes *b, size_t max, tp_err *err);

/* A folder, or a zip archive that is read as one; nothing is ever unpacked to disk. */
typedef struct {
	char *path;
	bool zip;
} tp_place;
/* TP_EFORMAT: a file that is no zip, or one with a member that leaves the folder; TP_ELIMIT: more than TP_MAX_MEMBERS.
 * Dispose with tp_place_dispose(). */
TP_CHECKED tp_code tp_place_open(tp_place *out, const char *path, tp_err *err);
void tp_place_dispose(tp_place *p);

/* The file called `name` ("meta.xml") nearest to the top: *found is its path in the place, freed with tp_free(), or NULL. */
TP_CHECKED tp_code tp_place_find(char **found, const tp_place *p, const char *name, tp_err *err);
/* A member of an archive ends with TP_ELIMIT where it turns out to be a zip bomb: TP_MAX_INFLATE, TP_FREE_INFLATE. */
TP_CHECKED tp_code tp_place_read(tp_bytes *out, const tp_place *p, const char *name, tp_err *err);

#endif
