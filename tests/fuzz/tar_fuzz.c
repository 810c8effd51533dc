/* Fuzz target: a tar archive. Its members, written again, are read the same; no name leaves the folder, no bytes lie
 * outside. */
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

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
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
			return 0;
		if (t.at <= before || t.at > n || data < p || m.size > n || data + m.size > p + n)
			abort();
		if (strlen(m.name) > TP_TAR_NAME || strchr(m.name, '/') || !strcmp(m.name, ".."))
			abort();
		again(&m, data);
	}
}
