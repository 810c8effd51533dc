/* Fuzz target: a query string. What comes out is never longer than what went in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const known[] = { "kt", "legacy" };
	char *text = tp_strndup((const char *)p, n);
	const char *word = NULL;
	bool flag = false;
	size_t total = 0;
	int number = 1;
	tp_query q;
	tp_code rc;
	if (!text || tp_query_parse(&q, text, NULL)) {
		tp_free(text);
		return 0;
	}
	for (int i = 0; i < q.n; i++) {
		total += strlen(q.v[i].name) + strlen(q.v[i].value);
		if (tp_query_get(&q, q.v[i].name) == NULL)
			abort();
		rc = tp_query_bool(&flag, &q, q.v[i].name, NULL);
		rc = tp_query_int(&number, &q, q.v[i].name, 1, NULL);
		if (!rc && number < 1)
			abort();
		rc = tp_query_enum(&word, &q, q.v[i].name, known, 2, NULL);
		if (!rc && word != known[0] && word != known[1])
			abort();
	}
	if (total > strlen(text))
		abort();
	tp_query_dispose(&q);
	tp_free(text);
	return 0;
}
