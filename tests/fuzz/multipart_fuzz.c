/* Fuzz target: a form. The first line of the input is the Content-Type, the rest is the body. Every part that comes
 * out must lie inside the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must_be_inside(tp_span s, const char *body, size_t len)
{
	if (s.len && (s.ptr < body || s.ptr > body + len || s.len > (size_t)(body + len - s.ptr)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *line = n ? memchr(p, '\n', n) : NULL;
	if (!line)
		return 0;
	size_t len = n - (size_t)(line + 1 - p);
	char *type = tp_strndup((const char *)p, (size_t)(line - p));
	char *body = tp_alloc(len ? len : 1); /* a block of its own: a look past its end is seen */
	tp_span boundary;
	tp_multipart m;
	if (type && body) {
		if (len)
			memcpy(body, line + 1, len);
		if (tp_is_multipart(type) && !tp_multipart_boundary(&boundary, type, NULL) &&
			!tp_multipart_parse(&m, boundary, body, len, NULL)) {
			for (int i = 0; i < m.n; i++) {
				must_be_inside(m.v[i].name, body, len);
				must_be_inside(m.v[i].filename, body, len);
				must_be_inside(m.v[i].data, body, len);
			}
		}
	}
	tp_free(type);
	tp_free(body);
	return 0;
}
