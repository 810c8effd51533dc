/* Tar headers: see tar.h. Source: POSIX.1-2017, pax, "ustar Interchange Format". */
#include "data/tar.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the fields of a header begin, and how long they are. */
enum {
	NAME = 0,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	MTIME = 136,
	SUM = 148,
	TYPE = 156,
	MAGIC = 257,
	PREFIX = 345,
	OCTAL = 12, /* digits of a size, with what ends them */
	SUM_LEN = 8,
};

uint64_t tp_tar_padded(uint64_t size)
{
	return (size + TP_TAR_BLOCK - 1) / TP_TAR_BLOCK * TP_TAR_BLOCK;
}

/* The sum of a header's bytes, its own field read as blanks. */
static unsigned sum_of(const uint8_t *block)
{
	unsigned sum = 0;
	for (int i = 0; i < TP_TAR_BLOCK; i++)
		sum += i >= SUM && i < SUM + SUM_LEN ? ' ' : block[i];
	return sum;
}

static bool is_plain_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

void tp_tar_header(uint8_t block[TP_TAR_BLOCK], const tp_tar_member *m)
{
	char *b = (char *)block;
	assert(is_plain_name(m->name) && m->size < (uint64_t)1 << 33);
	memset(block, 0, TP_TAR_BLOCK);
	memcpy(b + NAME, m->name, strlen(m->name));
	memcpy(b + MODE, "0000644", 8);
	memcpy(b + UID, "0000000", 8);
	memcpy(b + GID, "0000000", 8);
	snprintf(b + SIZE, OCTAL, "%011llo", (unsigned long long)m->size);
	memcpy(b + MTIME, "00000000000", 12);
	b[TYPE] = '0';
	memcpy(b + MAGIC, "ustar\00000", 8);
	snprintf(b + SUM, SUM_LEN, "%06o", sum_of(block));
	b[SUM + SUM_LEN - 1] = ' ';
}

/* Octal digits that a blank or a NUL ends, as all writers of ustar write them. */
static bool octal(uint64_t *out, const uint8_t *p, int len)
{
	uint64_t v = 0;
	int i = 0;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (uint64_t)(p[i] - '0');
	*out = v;
	return i > 0 && i < len && (p[i] == 0 || p[i] == ' ');
}

tp_code tp_tar_parse(tp_tar_member *out, const uint8_t block[TP_TAR_BLOCK], tp_err *err)
{
	tp_tar_member m = { "", 0 };
	uint64_t sum = 0;
	memcpy(m.name, block + NAME, TP_TAR_NAME);
	if (memcmp(block + MAGIC, "ustar\00000", 8) != 0)
		return tp_fail(err, TP_EFORMAT, "no ustar header");
	if (!octal(&sum, block + SUM, SUM_LEN) || sum != sum_of(block))
		return tp_fail(err, TP_EFORMAT, "the header's sum is not that of its bytes");
	if (block[TYPE] != '0')
		return tp_fail(err, TP_EFORMAT, "a member of type %d, not a plain file", block[TYPE]);
	if (block[PREFIX] || !is_plain_name(m.name))
		return tp_fail(err, TP_EFORMAT, "member \"%.60s\" is not a name without folders", m.name);
	if (!octal(&m.size, block + SIZE, OCTAL))
		return tp_fail(err, TP_EFORMAT, "member \"%.60s\" has no size", m.name);
	*out = m;
	return TP_OK;
}

/* Two blocks of zeros, and whatever zeros follow them. */
static tp_code end(const tp_tar *t, tp_err *err)
{
	if (t->len - t->at < TP_TAR_END)
		return tp_fail(err, TP_EFORMAT, "ends at byte %zu without an end mark", t->len);
	for (size_t i = t->at; i < t->len; i++)
		if (t->p[i])
			return tp_fail(err, TP_EFORMAT, "byte %zu: something behind the end", i);
	return TP_OK;
}

tp_code tp_tar_next(tp_tar_member *out, const uint8_t **data, tp_tar *t, tp_err *err)
{
	tp_tar_member m = { "", 0 };
	if (t->len - t->at < TP_TAR_BLOCK)
		return tp_fail(err, TP_EFORMAT, "ends at byte %zu without an end mark", t->len);
	const uint8_t *block = t->p + t->at;
	if (!block[NAME]) {
		tp_code rc = end(t, err);
		if (!rc)
			*out = m;
		return rc;
	}
	tp_code rc = tp_tar_parse(&m, block, err);
	if (rc)
		return tp_context(err, rc, "byte %zu: ", t->at);
	uint64_t left = t->len - t->at - TP_TAR_BLOCK;
	if (tp_tar_padded(m.size) > left)
		return tp_fail(err, TP_EFORMAT,
			"byte %zu: member \"%.60s\" of %llu bytes reaches beyond the end", t->at, m.name,
			(unsigned long long)m.size);
	*data = block + TP_TAR_BLOCK;
	t->at += TP_TAR_BLOCK + (size_t)tp_tar_padded(m.size);
	*out = m;
	return TP_OK;
}
