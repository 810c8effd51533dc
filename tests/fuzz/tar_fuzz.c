/* Fuzz target: a tar archive. Its members, written again, are read the same; no name leaves the folder, no bytes lie
 * outside. As it is, and once more with the sums of all headers made right. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void add(tp_buf *b, const void *p, size_t n)
{
	if (tp_buf_add(b, p, n, NULL))
		abort();
}

static void again(const tp_tar_member *m, const uint8_t *data)
{
	static const uint8_t zeros[TP_TAR_END];
	uint8_t block[TP_TAR_BLOCK];
	const uint8_t *back = NULL;
	tp_tar_member r;
	tp_buf b;
	tp_buf_init(&b, 1 << 28);
	tp_tar_header(block, m);
	add(&b, block, sizeof block);
	add(&b, data, (size_t)m->size);
	add(&b, zeros, (size_t)(tp_tar_padded(m->size) - m->size));
	add(&b, zeros, sizeof zeros);
	tp_tar t = { (const uint8_t *)b.ptr, b.len, 0 };
	if (tp_tar_next(&r, &back, &t, NULL) || strcmp(r.name, m->name) != 0 || r.size != m->size ||
		memcmp(back, data, (size_t)m->size) != 0)
		abort();
	if (tp_tar_next(&r, &back, &t, NULL) || r.name[0])
		abort();
	tp_buf_dispose(&b);
}

/* Every header's sum made right: what is behind it would hardly be reached otherwise. */
static void mend(uint8_t *p, size_t n)
{
	enum { SUM = 148, MAGIC = 257 };
	for (size_t at = 0; at + TP_TAR_BLOCK <= n; at += TP_TAR_BLOCK) {
		unsigned sum = 0;
		if (memcmp(p + at + MAGIC, "ustar", 5) != 0)
			continue;
		memset(p + at + SUM, ' ', 8);
		for (size_t i = 0; i < TP_TAR_BLOCK; i++)
			sum += p[at + i];
		for (int k = 5; k >= 0; k--, sum /= 8)
			p[at + SUM + (size_t)k] = (uint8_t)('0' + sum % 8);
		p[at + SUM + 6] = 0;
	}
}

static void walk(const uint8_t *p, size_t n)
{
	tp_tar t = { p, n, 0 };
	tp_tar_member m;
	tp_err err = { 0 };
	for (;;) {
		const uint8_t *data = NULL;
		size_t before = t.at;
		tp_code rc = tp_tar_next(&m, &data, &t, &err);
		if (rc && (err.code != rc || !err.msg[0]))
			abort();
		if (rc || !m.name[0])
			return;
		if (t.at <= before || t.at > n || data < p || m.size > n || data + m.size > p + n)
			abort();
		if (strlen(m.name) > TP_TAR_NAME || strchr(m.name, '/') || !strcmp(m.name, ".."))
			abort();
		again(&m, data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	walk(p, n);
	if (copy && n) {
		memcpy(copy, p, n);
		mend(copy, n);
		walk(copy, n);
	}
	free(copy);
	return 0;
}
