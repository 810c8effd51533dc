/* Text from data stays text, whatever it is. */
#include <string.h>

#include "base/mem.h"
#include "base/page.h"
#include "t.h"

static int text(const char *in, size_t max, const char *want)
{
	tp_page p;
	tp_err err = { 0 };
	tp_page_init(&p, 1 << 16, &err);
	tp_put_text_n(&p, in, max);
	CHECK(!p.rc, "%s", err.msg);
	CHECK_STR(p.b.ptr ? p.b.ptr : "", want);
	tp_page_dispose(&p);
	return 0;
}

#define R "\xef\xbf\xbd" /* U+FFFD */

static int test_text_is_escaped(void)
{
	static const struct {
		const char *in, *want;
	} all[] = {
		{ "", "" },
		{ "Aloë × 'x'\t\n", "Aloë × &#39;x&#39;\t\n" },
		{ "<a href=\"x\">&amp;", "&#60;a href=&#34;x&#34;&#62;&#38;amp;" },
		{ "a\x01\x1f\x7f", "a" R R R },
		{ "\xc2\x85", R }, /* a control of Latin-1 */
		{ "\xe2\x80\xae"
		  "gpj",
			R "gpj" },                        /* right to left override */
		{ "\xe2\x81\xa6x\xe2\x80\xa8", R "x" R }, /* an isolate, a line separator */
		{ "\xff\xfe", R R },
		{ "\xc0\xaf", R R }, /* overlong */
		{ "\xe0\x80\x80", R R R },
		{ "\xed\xa0\x80", R R R },                  /* a surrogate */
		{ "\xf4\x90\x80\x80", R R R R },            /* beyond U+10FFFF */
		{ "\xf0\x9f\x8c\xbf", "\xf0\x9f\x8c\xbf" }, /* U+1F33F */
		{ "\xe2\x82", R R },                        /* cut off */
		{ "\xf0\x9f<", R R "&#60;" },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (text(all[i].in, SIZE_MAX, all[i].want))
			return 1;
	return 0;
}

static int test_text_is_cut_between_characters(void)
{
	return text("äöü", 3, "äöü") || text("äöü", 2, "äö…") || text("<>", 1, "&#60;…") ||
	       text("a", 0, "…") || text("", 0, "");
}

static int test_base64(void)
{
	static const char *const want[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" }; /* RFC 4648 */
	for (size_t n = 0; n <= 6; n++) {
		tp_page p;
		tp_err err = { 0 };
		tp_page_init(&p, 1 << 16, &err);
		tp_put_base64(&p, "foobar", n);
		CHECK_STR(p.b.ptr ? p.b.ptr : "", want[n]);
		tp_page_dispose(&p);
	}
	return 0;
}

static void fill(void *ud, const char *mark)
{
	tp_put(ud, "[");
	tp_put_text(ud, mark);
	tp_put(ud, "]{{a}}");
}

static int test_marks_are_filled_once(void)
{
	tp_page p;
	tp_err err = { 0 };
	tp_page_init(&p, 1 << 16, &err);
	tp_page_fill(&p, "x{{a}}y{{b-c}}{{ d", fill, &p);
	CHECK_STR(p.b.ptr, "x[a]{{a}}y[b-c]{{a}}{{ d");
	tp_page_dispose(&p);
	return 0;
}

static int test_a_page_that_is_too_large(void)
{
	tp_page p;
	tp_err err = { 0 };
	tp_page_init(&p, 8, &err);
	tp_put(&p, "12345");
	tp_put_count(&p, 1234567);
	tp_put(&p, "1");
	CHECK(p.rc == TP_ELIMIT && tp_page_save(&p, "/nothing/here") == TP_ELIMIT, "%d", p.rc);
	CHECK_STR(p.b.ptr, "12345");
	tp_page_dispose(&p);
	return 0;
}

int main(void)
{
	return RUN(T(test_text_is_escaped), T(test_text_is_cut_between_characters), T(test_base64),
		T(test_marks_are_filled_once), T(test_a_page_that_is_too_large));
}
