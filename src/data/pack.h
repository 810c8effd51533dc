/* Packing photos into shards, once, so that training reads small JPEGs one behind the other. */
#ifndef TP_DATA_PACK_H
#define TP_DATA_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
	const char *photos, *output; /* what tp_manifest_open() takes; the folder to write */
	uint64_t seed; /* of the split, where the photos bring none, and of the order in the shards */
	int short_side; /* pixels, larger photos are shrunk to it; 0: JPEGs are copied, others encoded full size */
	int quality;   /* of the JPEGs that are encoded, 1..100 */
	int shard_mib; /* about so large is a shard; not with shards */
	int shards;    /* for each split; 0: as many as shard_mib asks for */
	int ranks;     /* the number of shards is a multiple of it, >= 1 */
	int threads;
	bool quiet;
	const char *version; /* of the program, for the record */
} tp_pack_opts;
#define TP_PACK_OPTS_INIT                                                                                    \
	{                                                                                                    \
		.seed = 1, .short_side = 256, .quality = 90, .shard_mib = 256, .ranks = 1, .threads = 1,     \
		.version = ""                                                                                \
	}

typedef struct {
	size_t seen, packed, excluded, skipped; /* seen is the sum of these and the three below */
	/* of a catalog: photos that its rules exclude, that are held out, of which only the address is known */
	size_t by_rules, held_out, not_here;
	char rules[256]; /* "blurred 2, dark 11", as many as fit */
	size_t shards;
	uint64_t bytes;
	bool was_there; /* the folder held just this already; nothing was done */
} tp_packed;

/* Writes the folder. The same photos and options give the same bytes, whatever the number of threads. May be stopped at
 * any moment: what is finished stays in output/.work, the next call goes on, and the folder has its list, by which it is
 * known, only when all is done. Meanwhile the packed photos lie on the disk twice.
 * Errors: TP_EINVAL (an option; a folder that holds something else), TP_EBUSY (another process packs into it),
 * TP_ECANCEL, those of reading the list of photos and of writing. A photo that cannot be read is none: it is listed in
 * excluded.csv with the reason. */
TP_CHECKED tp_code tp_pack(tp_packed *out, const tp_pack_opts *o, tp_err *err);

#endif
