/* Members of a tar archive, as few kinds of them as shards need: plain files that lie in no folder, POSIX ustar. Whatever
 * else a tar can hold (links, devices, folders, names with a "/", other formats' extensions) is refused.
 * Threads: pure; any thread. */
#ifndef TP_DATA_TAR_H
#define TP_DATA_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	TP_TAR_BLOCK = 512,   /* a header's size; a member's bytes are padded to a multiple of it */
	TP_TAR_NAME = 100,    /* bytes of a name at most */
	TP_TAR_END = 2 * 512, /* zeros that end an archive */
};

typedef struct {
	char name[TP_TAR_NAME + 1];
	uint64_t size; /* bytes, without padding; below 8 GiB */
} tp_tar_member;

/* size rounded up to whole blocks */
uint64_t tp_tar_padded(uint64_t size);

/* The header of a member: mode 644, owner and time 0, so that equal photos are equal archives. The name must be one that
 * tp_tar_parse() takes and the size one that fits: asserted. */
void tp_tar_header(uint8_t block[TP_TAR_BLOCK], const tp_tar_member *m);

/* TP_EFORMAT, saying why, for a block that is no header of a plain file. */
TP_CHECKED tp_code tp_tar_parse(tp_tar_member *out, const uint8_t block[TP_TAR_BLOCK], tp_err *err);

/* A walk over an archive in memory. Starts as { p, len, 0 }. */
typedef struct {
	const uint8_t *p; /* borrowed */
	size_t len, at;
} tp_tar;

/* The next member; *data points into the archive. At the end out->name is "". TP_EFORMAT names the byte: an archive that
 * ends early, a member that reaches beyond it, anything but zeros behind the end. */
TP_CHECKED tp_code tp_tar_next(tp_tar_member *out, const uint8_t **data, tp_tar *t, tp_err *err);

#endif
