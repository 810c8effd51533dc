/* Rules: the table is whole, switches and thresholds, what one photo is doubted for, known duplicates of the photo
 * set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/data.h"
#include "data/near.h"
#include "data/rules.h"
#include "data/split_groups.h"
#include "t.h"

static int test_the_table_is_whole(void)
{
	tp_rule_set s;
	tp_rule_set_init(&s);
	for (int i = 0; i < TP_RULES; i++) {
		const tp_rule *r = &tp_rules[i];
		CHECK(r->name && *r->name && r->why && *r->why && r->unit, "rule %d", i);
		CHECK(s.on[i] == r->on && s.threshold[i] == r->threshold, "rule %s", r->name);
		CHECK(r->min == r->max ? !*r->unit
				       : *r->unit && r->threshold >= r->min && r->threshold <= r->max,
			"rule %s: threshold %g %s", r->name, r->threshold, r->unit);
		for (int j = 0; j < i; j++)
			CHECK(strcmp(r->name, tp_rules[j].name), "two rules are named %s", r->name);
	}
	return 0;
}

static int test_switches_and_thresholds(void)
{
	tp_rule_set s;
	tp_err err = { 0 };
	tp_rule_set_init(&s);
	CHECK_OK(tp_rule_switch(&s, "blurred", false, &err), err);
	CHECK_OK(tp_rule_set_threshold(&s, "dark", 40, &err), err);
	CHECK(!s.on[TP_RULE_BLURRED] && s.threshold[TP_RULE_DARK] == 40, "not set");
	CHECK(tp_rule_switch(&s, "blured", true, &err) == TP_ENOTFOUND && strstr(err.msg, "blurred"), "%s",
		err.msg);
	CHECK(tp_rule_set_threshold(&s, "dark", 256, &err) == TP_EINVAL && strstr(err.msg, "255"), "%s",
		err.msg);
	CHECK(tp_rule_set_threshold(&s, "flagged", 1, &err) == TP_EINVAL && strstr(err.msg, "flagged"), "%s",
		err.msg);
	CHECK(s.threshold[TP_RULE_DARK] == 40, "changed by an error");
	return 0;
}

/* Each rule fires on its side of the threshold, not on the other, and not when it is off. */
static int test_measured_rules(void)
{
	static const tp_measures good = { .w = 300,
		.h = 400,
		.aspect = 1.33f,
		.brightness = 120,
		.contrast = 50,
		.sharpness = 30,
		.text = 0,
		.flat = 0.4f };
	tp_measures bad[8];
	static const tp_rule_id rule[8] = { TP_RULE_SMALL, TP_RULE_ASPECT, TP_RULE_DARK, TP_RULE_BRIGHT,
		TP_RULE_CONTRAST, TP_RULE_BLURRED, TP_RULE_TEXT, TP_RULE_SYNTHETIC };
	tp_rule_set s;
	tp_rule_set_init(&s);
	s.on[TP_RULE_SYNTHETIC] = true;
	CHECK(!tp_rules_measured(&s, &good), "a good photo");
	for (int i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].w = 127, bad[1].aspect = 3.1f, bad[2].brightness = 24, bad[3].brightness = 246;
	bad[4].contrast = 11.9f, bad[5].sharpness = 4.4f, bad[6].text = 0.16f, bad[7].flat = 0.91f;
	for (int i = 0; i < 8; i++) {
		unsigned got = tp_rules_measured(&s, &bad[i]);
		CHECK(got == 1u << rule[i], "%s: %x", tp_rules[rule[i]].name, got);
		s.on[rule[i]] = false;
		CHECK(!tp_rules_measured(&s, &bad[i]), "%s is off", tp_rules[rule[i]].name);
	}
	return 0;
}

enum { LEAVES = 200 };

static int leaves(const tp_manifest *m)
{
	static uint64_t hash[LEAVES], name[LEAVES], near[LEAVES];
	static uint32_t photo[LEAVES], species[LEAVES], group[LEAVES];
	static uint8_t split[LEAVES];
	static const uint64_t *const keys[] = { near };
	size_t n = 0, leaks = 0, pairs = 0;
	tp_near_opts o = TP_NEAR_OPTS_INIT;
	tp_split_opts so = TP_SPLIT_OPTS_INIT;
	tp_leak leak[16];
	tp_err err = { 0 };
	for (size_t i = 0; i < m->n_photos && n < LEAVES; i++) {
		const tp_photo *p = &m->photos[i];
		if (!strstr(p->path, "Ipomoea_batatas/leaf_"))
			continue;
		tp_map file = { 0 };
		tp_measures got;
		char *path = tp_path_join(m->root, p->path);
		CHECK_OK(tp_map_open(&file, path, &err), err);
		CHECK_OK(tp_measure_photo(&got, file.ptr, file.len, &err), err);
		tp_map_close(&file);
		tp_free(path);
		split[n] = (uint8_t)p->split, photo[n] = (uint32_t)i, hash[n] = got.hash;
		name[n++] = tp_key_of(p->path);
	}
	o.bits = 0; /* the same bytes have the same hash */
	CHECK_OK(tp_near_groups(group, hash, n, &o, &pairs, &err), err);
	for (size_t i = 0; i < n; i++)
		near[i] = name[group[i]];
	tp_split_photos p = {
		.n = n, .n_species = 1, .species = species, .name = name, .keys = keys, .n_keys = 1
	};
	CHECK_OK(tp_split_check(&leaks, leak, 16, split, &p, &so, &err), err);
	int seen = 0;
	for (size_t i = 0; i < leaks && i < 16; i++) {
		const char *a = m->photos[photo[leak[i].a]].path, *b = m->photos[photo[leak[i].b]].path;
		seen += (strstr(a, "_109.") && strstr(b, "_3.")) || (strstr(a, "_3.") && strstr(b, "_109."));
		seen += (strstr(a, "_110.") && strstr(b, "_4.")) || (strstr(a, "_4.") && strstr(b, "_110."));
	}
	CHECK(n > 50 && seen == 2, "%d of the two pairs known across train and test; %zu leaks of %zu leaves",
		seen, leaks, n);
	/* split anew, they are together */
	CHECK_OK(tp_split_groups(split, &p, &so, NULL, &err), err);
	CHECK_OK(tp_split_check(&leaks, leak, 16, split, &p, &so, &err), err);
	CHECK(!leaks, "%zu leaks", leaks);
	return 0;
}

static int test_known_duplicates_across_splits(void)
{
	const char *root = getenv("TEPAL_PHOTOS");
	tp_manifest m = { 0 };
	tp_err err = { 0 };
	if (!root)
		return SKIP("TEPAL_PHOTOS is not set");
	CHECK_OK(tp_manifest_open(&m, root, 1, &err), err);
	int bad = leaves(&m);
	tp_manifest_free(&m);
	return bad;
}

int main(void)
{
	return RUN(T(test_the_table_is_whole), T(test_switches_and_thresholds), T(test_measured_rules),
		T(test_known_duplicates_across_splits));
}
