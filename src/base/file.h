/* Files: mapped for reading, written so that a reader sees the old file or the new one and nothing between.
 * Errors name the path and what the system said. */
#ifndef TP_BASE_FILE_H
#define TP_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A whole file, read-only in memory. Starts as {0}; closing an empty one is fine. */
typedef struct {
	const uint8_t *ptr; /* NULL when the file has 0 bytes */
	size_t len;
} tp_map;

/* Regular files only (a FIFO or a device is TP_EINVAL). TP_ENOTFOUND, TP_EDENIED, TP_EIO. */
TP_CHECKED tp_code tp_map_open(tp_map *out, const char *path, tp_err *err);
void tp_map_close(tp_map *m);

/* Reads a file of at most `max` bytes into memory the caller frees with tp_free(). TP_ELIMIT when larger. */
TP_CHECKED tp_code tp_file_read(uint8_t **out, size_t *len, const char *path, size_t max, tp_err *err);

/* A file that appears whole or not at all: written beside `path` and renamed over it by commit, after fsync.
 * abort (or a crash) leaves the old file as it was; abort removes what was written. */
typedef struct tp_outfile tp_outfile;
TP_CHECKED tp_code tp_outfile_open(tp_outfile **out, const char *path, tp_err *err);
TP_CHECKED tp_code tp_outfile_write(tp_outfile *f, const void *p, size_t n, tp_err *err);
TP_CHECKED tp_code tp_outfile_commit(tp_outfile **f, tp_err *err); /* closes either way; *f becomes NULL */
void tp_outfile_abort(tp_outfile **f);                             /* NULL is fine */

bool tp_is_dir(const char *path);
bool tp_is_file(const char *path);
TP_CHECKED tp_code tp_make_dirs(const char *path, tp_err *err); /* like mkdir -p */

/* "a/b" from "a" and "b"; the caller frees with tp_free(). NULL when out of memory. */
char *tp_path_join(const char *dir, const char *name);

/* Entries of a directory without "." and "..", sorted by bytes. Free with tp_names_free(). */
typedef struct {
	char **v;
	size_t len;
} tp_names;
TP_CHECKED tp_code tp_dir_list(tp_names *out, const char *path, tp_err *err);
void tp_names_free(tp_names *n);

#endif
