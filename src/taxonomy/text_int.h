/* Letters of plant names and authors: the Latin script, decoded from UTF-8, joined with combining marks, and folded to
 * plain letters for keys. Not for other modules. */
#ifndef TP_TAXONOMY_TEXT_INT_H
#define TP_TAXONOMY_TEXT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at p, and how many bytes it takes; 0 bytes when it is not UTF-8. p < end. */
uint32_t tp_utf8_get(const char *p, const char *end, size_t *bytes);
/* Writes 1 to 4 bytes. */
size_t tp_utf8_put(char *out, uint32_t c);

/* Letters of the Latin script, and the marks that combine with them. */
bool tp_is_letter(uint32_t c);
bool tp_is_upper(uint32_t c);
bool tp_is_mark(uint32_t c);

/* The letter that base and mark are together, or 0. */
uint32_t tp_letter_compose(uint32_t base, uint32_t mark);

/* Plain lower-case letters: "Müller" is "muller" (or "mueller" when `transcribed`, as ICN art. 60.7 has it), "Æ" is
 * "ae". Only letters and digits are kept, and of other bytes '-' when `hyphens`. Returns the length; what is longer than
 * room - 1 is cut off. `text` is UTF-8. */
typedef struct {
	bool transcribed, hyphens;
} tp_fold_opts;
size_t tp_fold(char *out, size_t room, const char *text, size_t len, tp_fold_opts o);

#endif
