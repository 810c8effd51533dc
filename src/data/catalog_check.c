/* Which rows are taken: the rules of docs/formats.md, "The catalog". */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "data/catalog_int.h"
#include "data/data_int.h"
#include "data/text.h"

static bool is_told(const char *s)
{
	return s && *s;
}

static bool check_text(char reason[TP_REASON], const char *what, const char *s, size_t max)
{
	size_t n = s ? strlen(s) : 0;
	if (n > max)
		snprintf(reason, TP_REASON, "%s of %zu bytes; at most %zu are taken", what, n, max);
	else if (n && !tp_is_utf8(s, n))
		snprintf(reason, TP_REASON, "%s is not UTF-8 (is the file Latin-1? then say so)", what);
	return !*reason;
}

static void check_place(char reason[TP_REASON], const tp_row *r)
{
	if (!is_told(r->path) && !is_told(r->url))
		snprintf(reason, TP_REASON, "neither path nor URL");
	else if (is_told(r->path) && !tp_is_inside(r->path))
		snprintf(reason, TP_REASON, "path \"%.80s\" leaves the folder", r->path);
	else if (is_told(r->url) && strncasecmp(r->url, "http://", 7) != 0 &&
		 strncasecmp(r->url, "https://", 8) != 0)
		snprintf(reason, TP_REASON, "URL \"%.80s\" is neither http nor https", r->url);
}

void tp_row_check(char reason[TP_REASON], const tp_row *r)
{
	const struct {
		const char *what, *text;
		size_t max;
	} texts[] = { { "path", r->path, TP_MAX_PATH }, { "URL", r->url, TP_MAX_URL },
		{ "species", r->name, TP_MAX_NAME }, { "family", r->family, TP_MAX_NAME },
		{ "authorship", r->authorship, TP_MAX_NAME }, { "organ", r->organ, TP_MAX_TEXT },
		{ "author", r->author, TP_MAX_TEXT }, { "licence", r->licence, TP_MAX_TEXT },
		{ "source", r->origin, TP_MAX_TEXT }, { "date", r->date, TP_MAX_TEXT },
		{ "observation", r->observation, TP_MAX_TEXT } };
	*reason = 0;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!check_text(reason, texts[i].what, texts[i].text, texts[i].max))
			return;
	check_place(reason, r);
	if (!*reason && (!r->name || !r->name[strspn(r->name, " \t\r\n")]))
		snprintf(reason, TP_REASON, "no species");
}
