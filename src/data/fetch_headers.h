/* What a server's headers say about going on with a photo that is half here. All of it is from strangers.
 * Threads: pure. */
#ifndef TP_DATA_FETCH_HEADERS_H
#define TP_DATA_FETCH_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "bytes 200-1023/1024", RFC 9110. The last byte must not be before the first, nor behind the end. */
typedef struct {
	int64_t first, last;
	int64_t total; /* -1: not told ("*") */
} tp_content_range;
bool tp_content_range_parse(tp_content_range *out, const char *text);

/* By what a photo is known to be the same one still: a strong entity tag ("\"abc\""), or the date it was changed. It is
 * sent back as it came, so it is taken only when it is short, printable and of that form. */
enum { TP_VALIDATOR = 256 };
bool tp_is_validator(const char *text, size_t len);
/* The better of the two; "" when neither is of use. NULL: there is no such header. */
void tp_validator_choose(char out[TP_VALIDATOR], const char *etag, const char *last_modified);

/* What is kept beside a part of a photo, a line of text: "tepal part 1 TOTAL VALIDATOR\n", TOTAL 0 when not known. */
typedef struct {
	int64_t total;
	char validator[TP_VALIDATOR];
} tp_part_note;
enum { TP_PART_NOTE = TP_VALIDATOR + 64 };
size_t tp_part_note_write(char out[TP_PART_NOTE], const tp_part_note *n);
bool tp_part_note_read(tp_part_note *out, const char *text, size_t len);

#endif
