#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

bool shared(char path[SHARED_PATH], const char *name)
{
	const char *root = getenv("TEPAL_PHOTOS"), *const places[] = { "taxonomy", "../taxonomy" };
	for (size_t i = 0; root && i < 2; i++) {
		snprintf(path, SHARED_PATH, "%s/%s/%s", root, places[i], name);
		if (tp_is_file(path))
			return true;
	}
	return false;
}

/* One number for the genus and species of a line of The Plant List, so that homonyms go together. */
static unsigned pair_of(const char *line, char name[256], char author[1024])
{
	char genus[96] = "", species[96] = "";
	*author = 0;
	unsigned h = 5381;
	if (sscanf(line, "%*[^\t]\t%*[^\t]\t%*[^\t]\t%95[^\t]\t%95[^\t]\t", genus, species) != 2)
		return 1;
	const char *p = line;
	for (int tabs = 0; *p && tabs < 7; p++)
		tabs += *p == '\t';
	snprintf(author, 1024, "%.*s", (int)strcspn(p, "\t\n"), p);
	snprintf(name, 256, "%s %s", genus, species);
	for (const char *q = name; *q; q++)
		h = h * 33 + (unsigned char)*q;
	return h % 10;
}

bool shared_holdout(char **text, char **missing)
{
	char path[SHARED_PATH];
	uint8_t *all;
	size_t len;
	tp_buf kept, gone;
	if (!shared(path, "tpl11_sample.tsv") || tp_file_read(&all, &len, path, 64 << 20, NULL))
		return false;
	tp_buf_init(&kept, 64 << 20);
	tp_buf_init(&gone, 64 << 20);
	for (const char *p = (char *)all, *end = p + len; p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		char line[4096], name[256], author[1024];
		size_t n = (size_t)((stop ? stop + 1 : end) - p);
		snprintf(line, sizeof line, "%.*s", (int)n, p);
		if (pair_of(line, name, author))
			(void)!tp_buf_add(&kept, p, n, NULL);
		else if (strstr(line, "\tAccepted\t"))
			(void)!tp_buf_addf(&gone, NULL, "%s\t%s\n", name, author);
		p += n;
	}
	tp_free(all);
	*text = tp_buf_take(&kept);
	*missing = tp_buf_take(&gone);
	return *text && *missing;
}
