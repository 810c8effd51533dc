/* A folder of shards: photos packed into tar files that other programs read too (WebDataset), with an index for each
 * split, so that any photo can be read by itself. docs/formats.md describes the files.
 *
 * Threads: a tp_shards does not change once it is open; any thread may read from it. */
#ifndef TP_DATA_SHARD_H
#define TP_DATA_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tp_shards tp_shards; /* see also data.h */

/* Is there a folder of shards? Looks for its list, never fails. */
bool tp_is_shards(const char *dir);

/* Reads and checks the list and the indexes, and that the tar files are as long as the list says. TP_EFORMAT and
 * TP_ENOTFOUND name the file. */
TP_CHECKED tp_code tp_shards_open(tp_shards **out, const char *dir, tp_err *err);
void tp_shards_free(tp_shards *s); /* NULL is fine */

/* Photo i of all splits', in the order of tar files: its bytes, freed with tp_free(). One pread of its member, whose
 * header and CRC are checked: TP_EFORMAT names the tar file. i must be below tp_shards_count(): asserted. */
TP_CHECKED tp_code tp_shards_read(uint8_t **bytes, size_t *len, const tp_shards *s, size_t i, tp_err *err);
size_t tp_shards_count(const tp_shards *s);

/* What changes when the photo's bytes do: "LENGTH CRC". */
enum { TP_SHARD_STAMP = 40 };
void tp_shards_stamp(char out[TP_SHARD_STAMP], const tp_shards *s, size_t i);

/* Computes every checksum again, and holds the members of the tar files against the indexes. bad() is told of each file
 * that is not what it was, and why; one at a time. Errors: what keeps the list from being read; TP_ECANCEL. */
typedef void (*tp_shards_bad)(void *ud, const char *file, const char *why);
typedef struct {
	size_t files, damaged, photos;
	uint64_t bytes;
} tp_shards_verified;
TP_CHECKED tp_code tp_shards_verify(tp_shards_verified *out, const char *dir, int threads, bool quiet,
	tp_shards_bad bad, void *ud, tp_err *err);

#endif
