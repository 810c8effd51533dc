/* A text on its way to being a name: cleaned, and cut into tokens at its blanks. Not for other modules. */
#ifndef TP_TAXONOMY_NAME_INT_H
#define TP_TAXONOMY_NAME_INT_H

#include "taxonomy/name.h"

enum { TP_NAME_TOKENS = TP_NAME_MAX };

typedef struct {
	const char *p;
	size_t n;
	bool quoted; /* a cultivar's epithet; p and n are without the quotes */
} tp_token;

typedef struct {
	char text[2 * TP_NAME_MAX + 1]; /* a × takes 2 bytes and gets a blank on both sides */
	size_t len;
	tp_token v[TP_NAME_TOKENS];
	size_t n;
	bool recased;
} tp_tokens;

/* Fills `out`: blanks are single, quotes and dashes ASCII, "×" a token of its own, letters composed. Errors as
 * tp_name_parse(). */
TP_CHECKED tp_code tp_name_tokens(tp_tokens *out, const char *text, size_t len, tp_err *err);

#endif
