/* The files of a folder of shards; for shard*.c, pack*.c and the tests. */
#ifndef TP_DATA_SHARD_INT_H
#define TP_DATA_SHARD_INT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/hash.h"
#include "data/data_int.h"
#include "data/pack.h"
#include "data/shard.h"

#define TP_SHARD_LIST "shards.json"
#define TP_SHARD_EXCLUDED "excluded.csv"
#define TP_SHARD_WORK ".work"
extern const char *const tp_split_names[TP_SPLITS];

uint32_t tp_crc32(const void *p, size_t n); /* IEEE 802.3, as zlib's */

/* ---- index: one file a split --------------------------------------------------------------------------- */

enum {
	TP_SHARD_INDEX_VERSION = 1,
	TP_SHARD_INDEX_HEAD = 64,
	TP_SHARD_INDEX_ROW = 56,
	TP_SHARD_KEY = 24, /* "000000042.json" and a NUL fit */
	TP_MAX_SHARDS = 1 << 20,
};

typedef struct {
	uint64_t offset;       /* of the photo's first byte in its tar file */
	uint32_t length, crc;  /* of the photo */
	uint32_t shard, label; /* which of the split's; which class */
	uint32_t number;       /* the photo's key, as a number */
	int width, height;     /* upright, as packed */
	const char *path, *organ, *source, *licence, *author;
} tp_shard_row;

/* An index in memory. bytes are borrowed. */
typedef struct {
	const uint8_t *rows;
	const char *text;
	size_t n, text_len;
	uint32_t n_shards, n_classes;
} tp_shard_index;

/* Checks everything before any of it is used: TP_EFORMAT says which photo. */
TP_CHECKED tp_code tp_shard_index_parse(tp_shard_index *out, const uint8_t *p, size_t len, tp_err *err);
tp_shard_row tp_shard_index_row(const tp_shard_index *x, size_t i); /* i < n */
/* The file's bytes, appended to `out`. Rows are those of shard 0, then those of shard 1, by offset. */
TP_CHECKED tp_code tp_shard_index_write(
	tp_buf *out, const tp_shard_row *rows, size_t n, uint32_t n_shards, uint32_t n_classes, tp_err *err);

void tp_shard_member_name(char out[TP_SHARD_KEY], uint32_t number, const char *ext);

/* ---- list: what the folder holds ------------------------------------------------------------------------- */

typedef struct {
	char *file; /* a plain name */
	uint64_t bytes;
	size_t photos;
	tp_sha256 sum;
} tp_shard_file;

typedef struct {
	tp_shard_file index; /* file NULL: the split has no photos */
	tp_shard_file *shard;
	size_t n;
} tp_shard_set;

/* Sums agree: seen is all of the others, packed is that of the sets. */
typedef struct {
	tp_shard_set set[TP_SPLITS];
	tp_shard_file excluded; /* photos: how many it lists */
	size_t seen, not_photo, no_species, listed_twice, packed;
	/* of a catalog's photos: for no split, not on the disk, and those its rules exclude; a rule's number by its name */
	size_t held_out, not_here, by_rules;
	json_t *rules;   /* NULL: none */
	json_t *classes; /* as in the file */
	json_t *made;    /* how: an object, free in form but for what tp_pack() compares */
} tp_shard_list;

TP_CHECKED tp_code tp_shard_list_parse(tp_shard_list *out, const char *text, size_t len, tp_err *err);
TP_CHECKED tp_code tp_shard_list_read(tp_shard_list *out, const char *dir, tp_err *err);
TP_CHECKED tp_code tp_shard_list_write(const tp_shard_list *l, const char *dir, tp_err *err);
void tp_shard_list_dispose(tp_shard_list *l);

/* What a catalog had left out of the photos, as those who packed it counted. */
TP_CHECKED tp_code tp_shards_left_out(tp_builder *b, const tp_shards *s, tp_err *err);

json_t *tp_shard_classes_json(const tp_manifest *m); /* NULL: out of memory, or a name that is not UTF-8 */
/* A text that may be anything, as JSON takes it: bytes above 127 become "?" when they are not UTF-8. */
json_t *tp_shard_text_json(const char *s);

/* ---- packing ------------------------------------------------------------------------------------------------ */

/* A photo that was looked at. */
typedef struct {
	uint64_t offset; /* in its chunk */
	uint32_t length, crc;
	uint16_t width, height;
	uint32_t was_width, was_height; /* of the photo it was made of, upright */
	char why[120];                  /* "" or the reason why it is left out */
} tp_pack_row;

enum { TP_PACK_CHUNK = 64 }; /* photos in one */

/* One split, being packed. */
typedef struct {
	const tp_pack_opts *o;
	const tp_manifest *m;
	tp_split split;
	char *work;      /* folder of the chunks */
	uint32_t *order; /* photos of the manifest, in the order they are packed */
	size_t n;
	tp_pack_row *rows; /* n of them, when all chunks are there */
	uint32_t *good;    /* positions whose photo is packed */
	size_t n_good;
} tp_pack_split;

/* Every photo decoded, shrunk and encoded, in chunks that stay: pack_encode.c. */
TP_CHECKED tp_code tp_pack_encode(tp_pack_split *s, tp_err *err);
/* The chunk's file; freed with tp_free(). */
char *tp_pack_chunk_path(const tp_pack_split *s, size_t chunk);
/* The split's tar files and its index, from the chunks: pack_write.c. */
TP_CHECKED tp_code tp_pack_write(tp_shard_set *out, const tp_pack_split *s, tp_err *err);

#endif
