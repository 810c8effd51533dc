/* Settings as a table: one line a setting is its name, kind, default, range, help and field. Read from a file of
 * "key = value" lines and from single assignments; written back as JSON, every default included, and as an example file.
 * Nothing here knows what is being set. */
#ifndef TP_BASE_CFG_H
#define TP_BASE_CFG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

typedef enum {
	TP_CFG_INT,    /* int, min..max */
	TP_CFG_REAL,   /* double, min..max */
	TP_CFG_FLAG,   /* bool: yes or no */
	TP_CFG_TEXT,   /* char[TP_CFG_TEXT_MAX] */
	TP_CFG_CHOICE, /* int: which of `choices` */
} tp_cfg_kind;
enum { TP_CFG_TEXT_MAX = 256 };

typedef struct {
	const char *key;
	tp_cfg_kind kind;
	size_t offset; /* of the field, in the struct given */
	const char *fallback;
	double min, max;
	const char *const *choices; /* ends at NULL */
	const char *help;
} tp_cfg_item; /* a table ends at a NULL key */

/* Sets every field to its default. The table's own defaults must be right: asserted. */
void tp_cfg_defaults(void *into, const tp_cfg_item *items);
/* "key = value" or "key=value". An error leaves every field as it was: TP_EINVAL names the key, what it may be, and for an
 * unknown one the nearest there is; TP_EFORMAT: not UTF-8, or a control character; TP_ELIMIT: too long. */
TP_CHECKED tp_code tp_cfg_set(void *into, const tp_cfg_item *items, const char *assignment, tp_err *err);
/* A text of such lines, UTF-8, with or without a byte-order mark; lines end as on Unix or as on Windows. "#" begins a
 * comment, empty lines are fine, a key may be set once. Errors name `where` and the line; lines before it are set. */
TP_CHECKED tp_code tp_cfg_parse(
	void *into, const tp_cfg_item *items, const char *text, size_t len, const char *where, tp_err *err);
TP_CHECKED tp_code tp_cfg_read(void *into, const tp_cfg_item *items, const char *path, tp_err *err);

/* An object with every key. NULL: out of memory. */
json_t *tp_cfg_to_json(const void *from, const tp_cfg_item *items);
/* The table as a file that says what every key is, with the defaults. */
void tp_cfg_example(FILE *out, const tp_cfg_item *items);

#endif
