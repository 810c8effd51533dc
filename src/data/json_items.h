/* A large JSON object read as a stream, one item at a time: the elements of its arrays, and its other members whole. Only
 * an item at a time is in memory; Jansson parses it. Threads: one at a time. */
#ifndef TP_DATA_JSON_ITEMS_H
#define TP_DATA_JSON_ITEMS_H

#include "base/json.h"
#include "data/bytes.h"

/* An item of the member `key`: element `index` of an array, or (index 0) all of another value. Borrowed. */
typedef tp_code (*tp_json_item_fn)(void *ud, const char *key, size_t index, const json_t *item, tp_err *err);

/* wanted: members to give, ends at NULL; NULL: all. Others are skipped, unparsed. Errors name the line: TP_EFORMAT,
 * TP_ELIMIT for an item of more than TP_MAX_JSON_ITEM bytes. */
TP_CHECKED tp_code tp_json_items(
	tp_bytes *from, const char *const *wanted, tp_json_item_fn fn, void *ud, tp_err *err);

#endif
