/* See page.h. */
#include "base/page.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

void tp_page_init(tp_page *p, size_t max, tp_err *err)
{
	*p = (tp_page){ .err = err };
	tp_buf_init(&p->b, max);
}

void tp_page_dispose(tp_page *p)
{
	tp_buf_dispose(&p->b);
}

tp_code tp_page_save(tp_page *p, const char *path)
{
	tp_outfile *f = NULL;
	if (!p->rc)
		p->rc = tp_outfile_open(&f, path, p->err);
	if (!p->rc)
		p->rc = tp_outfile_write(f, p->b.ptr, p->b.len, p->err);
	if (!p->rc)
		p->rc = tp_outfile_commit(&f, p->err);
	tp_outfile_abort(&f);
	return p->rc;
}

static void put_bytes(tp_page *p, const char *s, size_t n)
{
	if (!p->rc && n)
		p->rc = tp_buf_add(&p->b, s, n, p->err);
}

void tp_put(tp_page *p, const char *html)
{
	put_bytes(p, html, strlen(html));
}

void tp_putf(tp_page *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	tp_put(p, text);
}

/* Bytes of the character at s; 0 when they are no UTF-8 (RFC 3629). *c: which it is. */
static size_t character(uint32_t *c, const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;
	*c = n == 1 ? *s : n ? *s & (0x7fu >> n) : 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : n;
}

/* Controls, and what overrides the direction of the text around it. */
static bool is_harmful(uint32_t c)
{
	return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

void tp_put_text_n(tp_page *p, const char *s, size_t max)
{
	for (uint32_t c; *s && !p->rc; max--) {
		if (!max) {
			tp_put(p, "…");
			return;
		}
		size_t n = character(&c, (const unsigned char *)s);
		if (!n || is_harmful(c))
			tp_put(p, "\xef\xbf\xbd");
		else if (strchr("&<>\"'", *s))
			tp_putf(p, "&#%d;", *s);
		else
			put_bytes(p, s, n);
		s += n ? n : 1;
	}
}

void tp_put_text(tp_page *p, const char *s)
{
	tp_put_text_n(p, s, SIZE_MAX);
}

void tp_put_number(tp_page *p, double v)
{
	char text[TP_NUMBER_TEXT];
	tp_number_text(text, v);
	tp_put(p, text);
}

void tp_put_count(tp_page *p, uint64_t n)
{
	char digits[24], text[32];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), k = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			text[k++] = ',';
		text[k++] = digits[i];
	}
	text[k] = 0;
	tp_put(p, text);
}

void tp_put_base64(tp_page *p, const void *bytes, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *b = bytes;
	for (size_t i = 0; i < n && !p->rc; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
			     (left > 2 ? b[i + 2] : 0);
		const char four[] = { digit[v >> 18], digit[v >> 12 & 63],
			(char)(left > 1 ? digit[v >> 6 & 63] : '='), (char)(left > 2 ? digit[v & 63] : '=') };
		put_bytes(p, four, sizeof four);
	}
}

void tp_page_fill(tp_page *p, const char *form, tp_page_fn fn, void *ud)
{
	char mark[TP_PAGE_MARK];
	for (const char *at; !p->rc && (at = strstr(form, "{{"));) {
		const char *end = strstr(at, "}}");
		size_t n = end ? (size_t)(end - at) - 2 : TP_PAGE_MARK;
		if (n >= TP_PAGE_MARK) { /* no mark of ours */
			put_bytes(p, form, (size_t)(at - form) + 2);
			form = at + 2;
			continue;
		}
		put_bytes(p, form, (size_t)(at - form));
		memcpy(mark, at + 2, n);
		mark[n] = 0;
		fn(ud, mark);
		form = end + 2;
	}
	tp_put(p, form);
}
