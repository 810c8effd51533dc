/* How well misspelt names are matched: names of a list with letters changed (recall, and how many go wrong), and names
 * that the list does not have (how many are taken for another). On a made-up list always, on The Plant List where
 * TEPAL_PHOTOS has it. docs/taxonomy.md has the numbers. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "shared.h"
#include "t.h"
#include "taxonomy/match.h"

enum { TRIES = 1000, MOST = 3 };

typedef struct {
	int right, wrong, listed; /* listed: not matched, but the right one is named as the nearest */
} score;

/* Latin enough: consonant and vowel in turn, and an ending. */
static void make_word(char *out, tp_rng *r, int syllables, const char *ending)
{
	static const char c[] = "bcdfglmnprstv", v[] = "aeiou";
	for (int i = 0; i < syllables; i++) {
		*out++ = c[tp_rng_below(r, sizeof c - 1)];
		*out++ = v[tp_rng_below(r, sizeof v - 1)];
	}
	memcpy(out, ending, strlen(ending) + 1);
}

static void make_list(tp_buf *b)
{
	static const char *const endings[] = { "us", "a", "um", "ensis", "ata", "oides", "ii", "iana" };
	tp_rng r = tp_rng_seed(7);
	(void)!tp_buf_adds(b, "scientificName,family\n", NULL);
	for (int g = 0; g < 400; g++) {
		char genus[32], species[32];
		make_word(genus, &r, 2 + (int)tp_rng_below(&r, 3), g % 2 ? "ia" : "um");
		*genus = (char)(*genus - 32);
		for (int s = 0; s < 20; s++) {
			make_word(species, &r, 2 + (int)tp_rng_below(&r, 3), endings[tp_rng_below(&r, 8)]);
			(void)!tp_buf_addf(b, NULL, "%s %s,Fictaceae\n", genus, species);
		}
	}
}

/* One edit of a letter in out, not the first and no blank: change, drop, double or add, swap. */
static void edit(char *out, tp_rng *r)
{
	size_t n = strlen(out), i;
	do
		i = 1 + tp_rng_below(r, n - 2);
	while (out[i] == ' ' || out[i + 1] == ' ' || out[i - 1] == ' ');
	char letter = (char)('a' + tp_rng_below(r, 26));
	switch (tp_rng_below(r, 4)) {
	case 0:
		out[i] = letter;
		break;
	case 1:
		memmove(out + i, out + i + 1, n - i);
		break;
	case 2:
		memmove(out + i + 1, out + i, n - i + 1);
		out[i] = letter;
		break;
	default:
		letter = out[i];
		out[i] = out[i + 1];
		out[i + 1] = letter;
	}
}

/* A random name of a genus and a species, without authors or with them. */
static uint32_t pick(const tp_backbone *b, tp_rng *r)
{
	for (;;) {
		uint32_t i = (uint32_t)tp_rng_below(r, tp_backbone_count(b));
		tp_listed l = tp_backbone_at(b, i);
		if (l.rank == TP_RANK_SPECIES && !l.hybrid && l.status == TP_STATUS_ACCEPTED)
			return i;
	}
}

static tp_match match(const tp_backbone *b, const char *text)
{
	tp_name n;
	tp_match m = { .matched = TP_NO_NAME, .accepted = TP_NO_NAME, .nearest = TP_NO_NAME };
	if (!tp_name_parse(&n, text, strlen(text), NULL))
		tp_match_name(&m, b, &n, (tp_match_opts)TP_MATCH_OPTS_INIT);
	return m;
}

static score misspell(const tp_backbone *b, int edits, bool authors)
{
	score s = { 0 };
	tp_rng r = tp_rng_seed((uint64_t)edits);
	for (int t = 0; t < TRIES; t++) {
		char name[TP_NAME_CANONICAL], text[2 * TP_NAME_CANONICAL];
		uint32_t i = pick(b, &r);
		tp_backbone_text(name, b, i, false);
		for (int k = 0; k < edits; k++)
			edit(name, &r);
		snprintf(text, sizeof text, "%s %s", name, authors ? tp_backbone_at(b, i).author : "");
		tp_match m = match(b, text);
		s.right += m.how && m.accepted == i;
		s.wrong += m.how && m.accepted != i && m.accepted != TP_NO_NAME;
		s.listed += !m.how && m.nearest == i;
	}
	return s;
}

static void print(const char *what, int edits, score s)
{
	printf("%s, %d edits: recall %.3f, precision %.3f, nearest is right for %.3f of the rest\n", what,
		edits, s.right / (double)TRIES, s.right / (double)(s.right + s.wrong ? s.right + s.wrong : 1),
		s.listed / (double)(TRIES - s.right - s.wrong ? TRIES - s.right - s.wrong : 1));
}

static void measure(score s[MOST + 1], const tp_backbone *b, const char *what, bool authors)
{
	for (int k = 1; k <= MOST; k++) {
		s[k] = misspell(b, k, authors);
		print(what, k, s[k]);
	}
}

static int test_made_up_names(void)
{
	tp_buf text;
	tp_backbone *b;
	tp_err err = { 0 };
	score s[MOST + 1];
	tp_buf_init(&text, 1 << 24);
	make_list(&text);
	CHECK_OK(tp_backbone_parse(&b, text.ptr, text.len, NULL, &err), err);
	measure(s, b, "made up", false);
	for (int k = 1; k <= MOST; k++)
		CHECK(s[k].wrong * 50 <= s[k].right, "%d edits: %d wrong, %d right", k, s[k].wrong,
			s[k].right);
	CHECK(s[1].right >= 930 && s[2].right >= 400, "%d, %d right", s[1].right, s[2].right);
	tp_backbone_free(b);
	tp_buf_dispose(&text);
	return 0;
}

static int test_the_plant_list(void)
{
	char path[SHARED_PATH];
	const char *paths[] = { path };
	tp_backbone *b;
	tp_err err = { 0 };
	score s[MOST + 1], with[MOST + 1];
	if (!shared(path, "tpl11_sample.tsv"))
		return SKIP(NO_SHARED);
	CHECK_OK(tp_backbone_open(&b, paths, 1, NULL, &err), err);
	measure(s, b, "The Plant List", false);
	measure(with, b, "The Plant List, with authors", true);
	CHECK(s[1].right >= 900 && s[1].wrong <= 5, "%d right, %d wrong", s[1].right, s[1].wrong);
	CHECK(with[1].right >= 930 && with[1].wrong <= 2, "%d right, %d wrong", with[1].right, with[1].wrong);
	tp_backbone_free(b);
	return 0;
}

/* Every tenth line of the list is left out and then looked for: whatever it is matched to is wrong. */
static int test_names_that_are_not_listed(void)
{
	char *text, *missing;
	size_t names = 0;
	int taken = 0, taken_with = 0;
	tp_backbone *b;
	tp_err err = { 0 };
	if (!shared_holdout(&text, &missing))
		return SKIP(NO_SHARED);
	CHECK_OK(tp_backbone_parse(&b, text, strlen(text), NULL, &err), err);
	for (char *p = missing, *end; (end = strchr(p, '\n')); p = end + 1) {
		char *tab = strchr(p, '\t'), both[2048];
		*end = *tab = 0;
		names++;
		tp_match m = match(b, p);
		taken += m.how == TP_HOW_FUZZY;
		snprintf(both, sizeof both, "%s %s", p, tab + 1);
		m = match(b, both);
		taken_with += m.how == TP_HOW_FUZZY;
		if (m.how == TP_HOW_FUZZY && getenv("TP_SHOW")) {
			char near[TP_NAME_CANONICAL];
			tp_backbone_text(near, b, m.matched, true);
			printf("  %s taken for %s (%d)\n", both, near, m.distance);
		}
	}
	printf("%zu names that are not listed: %d taken for another, %d with authors\n", names, taken,
		taken_with);
	CHECK(names > 3000 && taken * 200 < (int)names && taken_with * 500 < (int)names, "%d, %d of %zu",
		taken, taken_with, names);
	tp_backbone_free(b);
	tp_free(text);
	tp_free(missing);
	return 0;
}

int main(void)
{
	return RUN(T(test_made_up_names), T(test_the_plant_list), T(test_names_that_are_not_listed));
}
