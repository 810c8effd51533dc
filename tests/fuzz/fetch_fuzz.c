/* Fuzz target: what a server says of a photo that is half here, notes beside parts, and addresses. The first byte says which. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/fetch_addr.h"
#include "data/fetch_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void content_range(const char *text)
{
	tp_content_range r, again;
	char back[96];
	if (!tp_content_range_parse(&r, text))
		return;
	if (r.first < 0 || r.last < r.first || r.total < -1 || (r.total >= 0 && r.last >= r.total))
		abort();
	int k = snprintf(back, sizeof back, "bytes %lld-%lld/", (long long)r.first, (long long)r.last);
	snprintf(back + k, sizeof back - (size_t)k, r.total < 0 ? "*" : "%lld", (long long)r.total);
	if (!tp_content_range_parse(&again, back) || memcmp(&r, &again, sizeof r) != 0)
		abort();
}

/* What is sent back begins no header of its own. */
static void validator(const char *text)
{
	char out[TP_VALIDATOR];
	const char *bar = strchr(text, '|');
	char *etag = bar ? strndup(text, (size_t)(bar - text)) : NULL;
	tp_validator_choose(out, etag, bar ? bar + 1 : text);
	for (const char *s = out; *s; s++)
		if (*s < ' ' || *s > '~')
			abort();
	if (*out && !tp_is_validator(out, strlen(out)))
		abort();
	free(etag);
}

static void note(const char *text, size_t len)
{
	tp_part_note a, b;
	char back[TP_PART_NOTE];
	if (!tp_part_note_read(&a, text, len))
		return;
	size_t k = tp_part_note_write(back, &a);
	if (a.total < 0 || !tp_part_note_read(&b, back, k) || a.total != b.total ||
		strcmp(a.validator, b.validator) != 0)
		abort();
}

static const char *judge6(const uint8_t bytes[16])
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	memcpy(&a.sin6_addr, bytes, 16);
	return tp_special_address((const struct sockaddr *)&a, sizeof a);
}

/* However an IPv4 address is written, it is judged alike; and nothing outside 2000::/3 is open but those. */
static void address(const uint8_t *p, size_t n)
{
	uint8_t six[16] = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET };
	memcpy(six, p, n < 16 ? n : 16);
	const char *of_six = judge6(six);
	memcpy(&a.sin_addr, six + 12, 4);
	const char *of_four = tp_special_address((const struct sockaddr *)&a, sizeof a);
	bool written4 = (!memcmp(six, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) ||
			 !memcmp(six, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12));
	if (!of_six && (six[0] & 0xe0) != 0x20 && !written4)
		abort();
	memcpy(six, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	if (judge6(six) != of_four)
		abort();
	memcpy(six, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12);
	if (judge6(six) != of_four)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!n)
		return 0;
	char *text = strndup((const char *)p + 1, n - 1);
	if (*p == 'c')
		content_range(text);
	else if (*p == 'v')
		validator(text);
	else if (*p == 'n')
		note((const char *)p + 1, n - 1);
	else
		address(p + 1, n - 1);
	free(text);
	return 0;
}
