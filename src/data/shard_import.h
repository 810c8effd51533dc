/* What shard.c knows, for the importer of shards and the verification. */
#ifndef TP_DATA_SHARD_IMPORT_H
#define TP_DATA_SHARD_IMPORT_H

#include "base/file.h"
#include "data/shard_int.h"

const tp_shard_list *tp_shards_list(const tp_shards *s);
/* Photo i of all splits'; its texts belong to s. */
tp_shard_row tp_shards_row(const tp_shards *s, size_t i, tp_split *split);

/* A split's index, mapped and held against the list. x points into the map. */
TP_CHECKED tp_code tp_shard_index_open(tp_map *map, tp_shard_index *x, const char *dir,
	const tp_shard_list *l, const tp_shard_set *set, tp_err *err);

#endif
