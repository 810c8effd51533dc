/* Cleaning: faults planted in generated photos are found by the rules meant for them, every photo is accounted for, bad
 * files stop nothing, nothing is read twice, and a run that is stopped or killed is as if it had not been. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/catalog.h"
#include "data/clean.h"
#include "data/import.h"
#include "dump.h"
#include "t.h"

static char dir[64], photos[96], cat[96];

static void fresh(void)
{
	snprintf(dir, sizeof dir, "/tmp/tepal-clean-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(photos, sizeof photos, "%s/photos", dir);
	snprintf(cat, sizeof cat, "%s/cat", dir);
	mkdir(photos, 0755);
}

static int clean(int result)
{
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) ? 1 : result;
}

/* ---- photos ---- */

enum { W = 320, H = 280, WAVES = 24 };

static tp_image *blank(int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_new(&img, w, h, NULL))
		abort();
	return img;
}

static uint8_t clip(double v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

/* Waves of many lengths, and a fine grain: no two seeds alike, and sharp. */
static tp_image *scene(uint64_t seed)
{
	static double across[WAVES][W], down[WAVES][H];
	tp_image *img = blank(W, H);
	tp_rng r = tp_rng_seed(seed);
	double tint[3] = { 0.8 + 0.4 * tp_rng_unit(&r), 1, 0.5 + 0.4 * tp_rng_unit(&r) };
	for (int k = 0; k < WAVES; k++) {
		double fx = 27 * tp_rng_unit(&r), fy = 27 * tp_rng_unit(&r), px = 6.3 * tp_rng_unit(&r),
		       py = 6.3 * tp_rng_unit(&r);
		for (int x = 0; x < W; x++)
			across[k][x] = cos(px + fx * x / W);
		for (int y = 0; y < H; y++)
			down[k][y] = cos(py + fy * y / H);
	}
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++) {
			double v = 110 + (double)((uint32_t)(x * 7919 + y * 104729) * 2654435761u >> 27);
			for (int k = 0; k < WAVES; k++)
				v += 13 * across[k][x] * down[k][y];
			for (int c = 0; c < 3; c++)
				img->px[3 * (y * W + x) + c] = clip(v * tint[c]);
		}
	return img;
}

static tp_image *levels(const tp_image *src, double mul, double add, double noise)
{
	tp_image *img = blank(src->w, src->h);
	tp_rng r = tp_rng_seed(7);
	for (size_t i = 0; i < (size_t)src->w * (size_t)src->h * 3; i++)
		img->px[i] = clip(src->px[i] * mul + add + (noise > 0 ? noise * tp_rng_normal(&r) : 0));
	return img;
}

static tp_image *part(const tp_image *src, int x0, int y0, int w, int h)
{
	tp_image *img = blank(w, h);
	for (int y = 0; y < h; y++)
		memcpy(img->px + (size_t)y * (size_t)w * 3,
			src->px + ((size_t)(y0 + y) * (size_t)src->w + (size_t)x0) * 3, (size_t)w * 3);
	return img;
}

static tp_image *sized(const tp_image *src, int w, int h)
{
	tp_image *img = NULL;
	if (tp_image_resize(&img, src, w, h, TP_BICUBIC, NULL, NULL))
		abort();
	return img;
}

static tp_image *soft(const tp_image *src)
{
	tp_image *s = sized(src, src->w / 12, src->h / 12), *img = sized(s, src->w, src->h);
	tp_image_free(s);
	return img;
}

/* mirrored, turned by 90 and by 180 degrees */
static tp_image *turned(const tp_image *src, int how)
{
	tp_image *img = how == 1 ? blank(src->h, src->w) : blank(src->w, src->h);
	for (int y = 0; y < img->h; y++)
		for (int x = 0; x < img->w; x++) {
			int sx = how == 1 ? y : src->w - 1 - x;
			int sy = how == 1 ? src->h - 1 - x : how == 2 ? src->h - 1 - y : y;
			memcpy(img->px + 3 * (y * img->w + x), src->px + 3 * (sy * src->w + sx), 3);
		}
	return img;
}

static tp_image *page(uint64_t seed)
{
	tp_image *img = blank(W, H);
	tp_rng r = tp_rng_seed(seed);
	memset(img->px, 232, (size_t)W * H * 3);
	for (int line = 8; line + 10 < H; line += 14)
		for (int x = 8 + (int)tp_rng_below(&r, 10); x < W - 12; x += 4 + (int)tp_rng_below(&r, 4))
			for (int y = line; y < line + 8; y++)
				memset(img->px + 3 * (y * W + x), 30, 6);
	return img;
}

/* src is freed. */
static tp_image *in_the_dark(tp_image *src)
{
	tp_image *img = levels(src, 0.1, 0, 0);
	tp_image_free(src);
	return img;
}

static void write_bytes(const char *name, const void *p, size_t n)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", photos, name);
	FILE *f = fopen(path, "wb");
	if (!f || (n && fwrite(p, 1, n, f) != n) || fclose(f))
		abort();
}

static tp_buf jpeg_of(const tp_image *img, int quality)
{
	tp_buf b;
	tp_buf_init(&b, 4 << 20);
	if (tp_image_encode_jpeg(&b, img, quality, NULL))
		abort();
	return b;
}

static void put(const char *name, tp_image *img, int quality)
{
	tp_buf b = jpeg_of(img, quality);
	write_bytes(name, b.ptr, b.len);
	tp_buf_dispose(&b);
	tp_image_free(img);
}

/* ---- the catalog ---- */

static int import(void)
{
	tp_catalog_import_opts o = {
		.kind = "folders", .source = { .path = photos }, .quiet = true, .now = 1
	};
	tp_imported n;
	tp_err err = { 0 };
	CHECK_OK(tp_catalog_import(&n, cat, &o, &err), err);
	CHECK(!n.refused, "%zu refused", n.refused);
	return 0;
}

static tp_clean_opts opts(void)
{
	tp_clean_opts o = TP_CLEAN_OPTS_INIT;
	o.quiet = true;
	o.threads = 2;
	tp_rule_set_init(&o.rules);
	return o;
}

static int run(tp_cleaned *n, const tp_clean_opts *o)
{
	tp_err err = { 0 };
	int64_t decided = 0;
	CHECK_OK(tp_clean(n, cat, o, &err), err);
	for (int i = 0; i < TP_RULES; i++) {
		decided += n->rule[i].decided;
		CHECK(n->rule[i].decided <= n->rule[i].found, "%s", tp_rules[i].name);
	}
	for (int i = 0; i < n->n_other; i++)
		decided += n->other[i].photos;
	CHECK(n->photos == n->kept + n->excluded && n->excluded == decided && n->photos == n->read + n->known,
		"%lld photos: %lld kept, %lld excluded, %lld decided, %lld read, %lld known",
		(long long)n->photos, (long long)n->kept, (long long)n->excluded, (long long)decided,
		(long long)n->read, (long long)n->known);
	return 0;
}

enum { MAX = 1024 };
static struct {
	int64_t id, group;
	char path[96], excluded[32], broken[128];
	unsigned found;
	float value[TP_RULES];
	int64_t other[TP_RULES];
} known[MAX];
static size_t n_known;

static tp_code know(void *ud, const tp_catalog_photo *p, tp_err *err)
{
	(void)ud, (void)err;
	memset(&known[n_known], 0, sizeof *known);
	known[n_known].id = p->id;
	known[n_known].group = p->duplicates;
	snprintf(known[n_known].path, sizeof known->path, "%s", *p->path ? p->path : p->url);
	snprintf(known[n_known].excluded, sizeof known->excluded, "%s", p->excluded ? p->excluded : "");
	snprintf(known[n_known].broken, sizeof known->broken, "%s", p->broken);
	n_known++;
	return TP_OK;
}

static tp_code know_finding(void *ud, const tp_catalog_finding *f, tp_err *err)
{
	(void)ud, (void)err;
	int r = tp_rule_named(f->rule);
	for (size_t i = 0; i < n_known && r >= 0; i++)
		if (known[i].id == f->photo) {
			known[i].found |= 1u << r;
			known[i].value[r] = (float)f->value;
			known[i].other[r] = f->other;
		}
	return TP_OK;
}

static int look_up(void)
{
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	tp_catalog_filter all = TP_CATALOG_FILTER_INIT;
	n_known = 0;
	CHECK_OK(tp_catalog_open(&c, cat, TP_CATALOG_READ, &err), err);
	CHECK_OK(tp_catalog_each_photo(c, &all, know, NULL, &err), err);
	CHECK_OK(tp_catalog_each_finding(c, NULL, know_finding, NULL, &err), err);
	tp_catalog_close(c);
	return 0;
}

static size_t at(const char *path)
{
	for (size_t i = 0; i < n_known; i++)
		if (!strcmp(known[i].path, path))
			return i;
	printf("no photo %s\n", path);
	abort();
}

static int is(const char *path, const char *verdict)
{
	CHECK_STR(known[at(path)].excluded, verdict);
	return 0;
}

/* ---- planted faults ---- */

enum { SPECIES = 8 };
typedef struct {
	const char *name;
	tp_rule_id rule;
	bool pair; /* one of it and its original is to be found */
} fault;
static const fault faults[] = { { "jpeg30", TP_RULE_NEAR_DUPLICATE, true },
	{ "half", TP_RULE_NEAR_DUPLICATE, true }, { "brighter", TP_RULE_NEAR_DUPLICATE, true },
	{ "darker", TP_RULE_NEAR_DUPLICATE, true }, { "noise", TP_RULE_NEAR_DUPLICATE, true },
	{ "crop", TP_RULE_NEAR_DUPLICATE, true }, { "mirrored", TP_RULE_TURNED_DUPLICATE, true },
	{ "turned90", TP_RULE_TURNED_DUPLICATE, true }, { "turned180", TP_RULE_TURNED_DUPLICATE, true },
	{ "same", TP_RULE_EXACT_DUPLICATE, true }, { "stranger", TP_RULE_TWO_SPECIES, false },
	{ "black", TP_RULE_DARK, false }, { "white", TP_RULE_BRIGHT, false },
	{ "grey", TP_RULE_CONTRAST, false }, { "soft", TP_RULE_BLURRED, false },
	{ "narrow", TP_RULE_ASPECT, false }, { "tiny", TP_RULE_SMALL, false },
	{ "page", TP_RULE_TEXT, false }, { "cutoff", TP_RULE_UNREADABLE, false } };
enum { FAULTS = sizeof faults / sizeof *faults };

static tp_image *spoilt(int f, const tp_image *a, uint64_t seed)
{
	switch (f) {
	case 1:
		return sized(a, W / 2, H / 2);
	case 2:
		return levels(a, 1.25, 0, 0);
	case 3:
		return levels(a, 0.6, 0, 0);
	case 4:
		return levels(a, 1, 0, 12);
	case 5:
		return part(a, 3, 2, W - 5, H - 6);
	case 6:
	case 7:
	case 8:
		return turned(a, f - 6);
	case 11:
		return levels(a, 0.1, 0, 0);
	case 12:
		return levels(a, 0.04, 246, 0);
	case 13:
		return levels(a, 0.08, 110, 0);
	case 14:
		return soft(a);
	case 15:
		return part(a, 0, 0, W, H / 4 - 2);
	case 16:
		return sized(a, 100, 88);
	case 17:
		return page(seed);
	default:
		return part(a, 0, 0, a->w, a->h); /* compressed again, or not at all */
	}
}

static void path_of(char out[96], int species, const char *what, int k)
{
	snprintf(out, 96, "Planta_no%c/%s_%d.jpg", 'a' + species, what, k);
}

/* Fault f of the k-th photo of a species; faults of one rule fall on photos of their own. */
static void plant(int species, int f, uint64_t seed)
{
	char path[96];
	bool other = faults[f].rule == TP_RULE_TWO_SPECIES;
	tp_image *a = scene(seed);
	path_of(path, species, "orig", f);
	tp_buf whole = jpeg_of(a, 90);
	write_bytes(path, whole.ptr, whole.len);
	path_of(path, other ? (species + 1) % SPECIES : species, faults[f].name, f);
	if (faults[f].rule == TP_RULE_EXACT_DUPLICATE)
		write_bytes(path, whole.ptr, whole.len);
	else if (faults[f].rule == TP_RULE_UNREADABLE)
		write_bytes(path, whole.ptr, whole.len * 2 / 3);
	else
		put(path, spoilt(f, a, seed), f == 0 || other ? 30 : 88);
	tp_buf_dispose(&whole);
	tp_image_free(a);
}

static bool hit(const char *path, tp_rule_id rule)
{
	return known[at(path)].found >> rule & 1;
}

typedef struct {
	int planted, found, wrong;
} score;

/* Of a pair one is to be found and one is to stay; what a fault is found as besides does not count against it. */
static void judge(score s[TP_RULES])
{
	char path[96], orig[96];
	for (int sp = 0; sp < SPECIES; sp++)
		for (int f = 0; f < FAULTS; f++) {
			tp_rule_id r = faults[f].rule;
			path_of(orig, sp, "orig", f);
			path_of(path, r == TP_RULE_TWO_SPECIES ? (sp + 1) % SPECIES : sp, faults[f].name, f);
			s[r].planted++;
			s[r].found += faults[f].pair             ? hit(path, r) != hit(orig, r)
				      : r == TP_RULE_TWO_SPECIES ? hit(path, r) && hit(orig, r)
								 : hit(path, r);
			for (int k = 0; k < TP_RULES; k++)
				s[k].wrong += hit(orig, (tp_rule_id)k) && k != (int)r && k != TP_RULE_RARE;
		}
}

static int planted(void)
{
	/* precision and recall that must be reached */
	static const struct {
		tp_rule_id rule;
		double precision, recall;
	} want[] = { { TP_RULE_UNREADABLE, 1, 1 }, { TP_RULE_EXACT_DUPLICATE, 1, 1 },
		{ TP_RULE_TWO_SPECIES, 0.95, 0.95 }, { TP_RULE_NEAR_DUPLICATE, 0.95, 0.9 },
		{ TP_RULE_TURNED_DUPLICATE, 0.95, 0.95 }, { TP_RULE_SMALL, 1, 1 }, { TP_RULE_ASPECT, 1, 1 },
		{ TP_RULE_DARK, 1, 1 }, { TP_RULE_BRIGHT, 1, 1 }, { TP_RULE_CONTRAST, 1, 1 },
		{ TP_RULE_BLURRED, 0.95, 1 }, { TP_RULE_TEXT, 1, 1 } };
	score s[TP_RULES] = { { 0, 0, 0 } };
	tp_cleaned n;
	tp_clean_opts o = opts();
	char folder[128];
	for (int sp = 0; sp < SPECIES; sp++) {
		snprintf(folder, sizeof folder, "%s/Planta_no%c", photos, 'a' + sp);
		mkdir(folder, 0755);
	}
	for (int sp = 0; sp < SPECIES; sp++)
		for (int f = 0; f < FAULTS; f++)
			plant(sp, f, 1000 + (uint64_t)(sp * FAULTS + f));
	CHECK(!import() && !run(&n, &o) && !look_up(), "clean");
	CHECK(n.read == n.photos && n.photos == 2 * SPECIES * FAULTS, "%lld read", (long long)n.read);
	judge(s);
	printf("rule               planted  recall  precision\n");
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		const score *r = &s[want[i].rule];
		double recall = (double)r->found / r->planted,
		       precision = r->found ? (double)r->found / (r->found + r->wrong) : 0;
		printf("%-18s %7d  %5.1f %%  %6.1f %%\n", tp_rules[want[i].rule].name, r->planted,
			100 * recall, 100 * precision);
		CHECK(recall >= want[i].recall && precision >= want[i].precision, "%s",
			tp_rules[want[i].rule].name);
	}
	for (size_t i = 0; i < n_known; i++) /* every verdict is the first of its findings */
		CHECK(*known[i].excluded
				? known[i].found && !strcmp(known[i].excluded,
							    tp_rules[__builtin_ctz(known[i].found)].name)
				: !known[i].found,
			"%s: %s, %x", known[i].path, known[i].excluded, known[i].found);
	/* of a pair the other one is kept, and both have one group */
	size_t a = at("Planta_noa/jpeg30_0.jpg"), b = at("Planta_noa/orig_0.jpg");
	CHECK(known[a].other[TP_RULE_NEAR_DUPLICATE] == known[b].id && !*known[b].excluded &&
			known[a].group && known[a].group == known[b].group,
		"the better one");
	return 0;
}

static int test_planted_faults(void)
{
	fresh();
	return clean(planted());
}

/* ---- runs after runs ---- */

static void few_photos(void)
{
	char path[128];
	snprintf(path, sizeof path, "%s/Aloe_vera", photos);
	mkdir(path, 0755);
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof path, "Aloe_vera/%d.jpg", i);
		put(path, scene((uint64_t)i + 1), 90);
	}
}

static int reruns(void)
{
	tp_cleaned n;
	tp_clean_opts o = opts();
	tp_buf before, after;
	char path[160], away[160];
	few_photos();
	CHECK(!import() && !run(&n, &o), "first");
	CHECK(n.read == 5 && n.kept == 5 && !n.known, "%lld read, %lld kept", (long long)n.read,
		(long long)n.kept);
	CHECK(!dump(&before, cat) && !run(&n, &o) && !dump(&after, cat), "second");
	CHECK(!n.read && !n.changed && before.len == after.len && !memcmp(before.ptr, after.ptr, before.len),
		"a second run changes nothing");
	tp_buf_dispose(&after);
	o.rules.threshold[TP_RULE_SMALL] = 4000;
	o.dry_run = true;
	CHECK(!run(&n, &o) && !dump(&after, cat), "dry");
	CHECK(n.excluded == 5 && before.len == after.len && !memcmp(before.ptr, after.ptr, before.len),
		"a dry run changes nothing");
	tp_buf_dispose(&after);
	o.dry_run = false;
	CHECK(!run(&n, &o) && !n.read && n.rule[TP_RULE_SMALL].decided == 5 && n.changed == 5, "a threshold");
	o = opts();
	CHECK(!run(&n, &o) && !n.read && n.kept == 5, "and back");
	/* a photo that changes is read again; one that goes away for a while is not */
	put("Aloe_vera/2.jpg", in_the_dark(scene(3)), 80);
	CHECK(!run(&n, &o) && !look_up() && n.read == 1 && !is("Aloe_vera/2.jpg", "dark"), "changed");
	snprintf(path, sizeof path, "%s/Aloe_vera/3.jpg", photos);
	snprintf(away, sizeof away, "%s/away.jpg", dir);
	rename(path, away);
	CHECK(!run(&n, &o) && !look_up() && !n.read && !is("Aloe_vera/3.jpg", "unreadable"), "gone");
	CHECK_STR(known[at("Aloe_vera/3.jpg")].broken, "no such file");
	rename(away, path);
	CHECK(!run(&n, &o) && !look_up() && !n.read && !is("Aloe_vera/3.jpg", ""), "back");
	/* a whole source that is not there */
	char moved[128];
	snprintf(moved, sizeof moved, "%s/moved", dir);
	rename(photos, moved);
	CHECK(!run(&n, &o) && n.rule[TP_RULE_UNREADABLE].decided == 5, "no folder");
	rename(moved, photos);
	CHECK(!run(&n, &o) && !n.read && n.kept == 4, "the folder is back");
	o.rules.threshold[TP_RULE_RARE] = 5;
	CHECK(!run(&n, &o) && n.rule[TP_RULE_RARE].decided == 4 && !n.kept, "a rare species");
	tp_buf_dispose(&before);
	return 0;
}

static int test_runs_after_runs(void)
{
	fresh();
	return clean(reruns());
}

/* ---- files that are none ---- */

static int import_rows(const char *csv)
{
	char path[128];
	tp_imported n;
	tp_err err = { 0 };
	snprintf(path, sizeof path, "%s/rows.csv", dir);
	FILE *f = fopen(path, "w");
	if (!f || fputs(csv, f) < 0 || fclose(f))
		abort();
	tp_catalog_import_opts o = {
		.kind = "csv", .source = { .path = path, .root = photos }, .quiet = true, .now = 1
	};
	CHECK_OK(tp_catalog_import(&n, cat, &o, &err), err);
	return 0;
}

static void bad_files(void)
{
	char path[160], to[160];
	tp_image *img = scene(1);
	tp_buf whole = jpeg_of(img, 90);
	tp_image_free(img);
	write_bytes("good.jpg", whole.ptr, whole.len);
	write_bytes("empty.jpg", "", 0);
	write_bytes("short.jpg", whole.ptr, 300);
	write_bytes("words.jpg", "no photo at all", 15);
	for (size_t i = 0; i + 9 < whole.len; i++) /* 65,500 pixels each way, in the frame's header */
		if ((uint8_t)whole.ptr[i] == 0xff && (uint8_t)whole.ptr[i + 1] == 0xc0) {
			memset(whole.ptr + i + 5, 0xff, 4);
			break;
		}
	write_bytes("huge.jpg", whole.ptr, whole.len);
	snprintf(path, sizeof path, "%s/folder.jpg", photos);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/pipe.jpg", photos);
	mkfifo(path, 0644);
	snprintf(to, sizeof to, "%s/secret.jpg", dir);
	FILE *f = fopen(to, "wb");
	if (!f || fwrite(whole.ptr, 1, whole.len, f) != whole.len || fclose(f))
		abort();
	snprintf(path, sizeof path, "%s/out.jpg", photos);
	bool ok = !symlink(to, path);
	snprintf(path, sizeof path, "%s/up", photos);
	ok = ok && !symlink(dir, path);
	snprintf(path, sizeof path, "%s/in.jpg", photos);
	ok = ok && !symlink("good.jpg", path);
	snprintf(path, sizeof path, "%s/loop.jpg", photos);
	ok = ok && !symlink("loop.jpg", path);
	if (!ok)
		abort();
	tp_buf_dispose(&whole);
}

static int bad(void)
{
	tp_cleaned n;
	tp_clean_opts o = opts();
	tp_catalog *c = NULL;
	tp_err err = { 0 };
	static const struct {
		const char *path, *says;
	} all[] = { { "empty.jpg", "an empty file" }, { "short.jpg", "JPEG" }, { "words.jpg", "" },
		{ "huge.jpg", "" }, { "folder.jpg", "not a regular file" },
		{ "pipe.jpg", "not a regular file" }, { "out.jpg", "a link that leaves the folder" },
		{ "up/secret.jpg", "a link that leaves the folder" }, { "loop.jpg", "" },
		{ "gone.jpg", "no such file" } };
	bad_files();
	CHECK(!import_rows("path,url,species,no_train\n"
			   "good.jpg,,Aloe vera,\nin.jpg,,Aloe vera,\nempty.jpg,,Aloe vera,\n"
			   "short.jpg,,Aloe vera,\nwords.jpg,,Aloe vera,\nhuge.jpg,,Aloe vera,\n"
			   "folder.jpg,,Aloe vera,\npipe.jpg,,Aloe vera,\nout.jpg,,Aloe vera,\n"
			   "up/secret.jpg,,Aloe vera,\nloop.jpg,,Aloe vera,\ngone.jpg,,Aloe vera,\n"
			   ",https://x.org/1.jpg,Aloe vera,\nshy.jpg,,Aloe vera,1\n"
			   "twice.jpg,,Aloe vera,\ntwice.jpg,,Aloe ferox,\n"),
		"import");
	CHECK_OK(tp_catalog_open(&c, cat, TP_CATALOG_WRITE, &err), err);
	static const int column = TP_SET_EXCLUDED;
	int64_t first = 1;
	tp_catalog_value reason = { .kind = TP_VALUE_TEXT, .p = "a person said so" };
	CHECK_OK(tp_catalog_set(c, &column, 1, &first, 1, &reason, &err), err);
	tp_catalog_close(c);
	o.rules.on[TP_RULE_RARE] = false;
	for (int round = 0; round < 2; round++) {
		CHECK(!run(&n, &o) && !look_up(), "clean");
		for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
			const char *why = known[at(all[i].path)].broken;
			CHECK(!is(all[i].path, "unreadable"), "%s", all[i].path);
			CHECK(*why && strstr(why, all[i].says), "%s: \"%s\"", all[i].path, why);
		}
		CHECK(!is("good.jpg", "a person said so") && !is("shy.jpg", "unreadable") &&
				!is("twice.jpg", "two_names") && !is("https://x.org/1.jpg", "not-fetched"),
			"reasons");
		CHECK(hit("shy.jpg", TP_RULE_FLAGGED) && n.n_other == 2, "%d others", n.n_other);
		/* the copy of a photo that is excluded for another reason is not a copy of a kept one */
		CHECK(!is("in.jpg", ""), "round %d", round);
		CHECK(round ? !n.read : n.read > 0, "%lld read", (long long)n.read);
	}
	o.rules.on[TP_RULE_NOT_FETCHED] = o.rules.on[TP_RULE_UNREADABLE] = false;
	CHECK(!run(&n, &o) && !look_up() && !is("https://x.org/1.jpg", "") && !is("gone.jpg", "") &&
			!is("shy.jpg", "flagged"),
		"switched off");
	return 0;
}

static int test_bad_files(void)
{
	fresh();
	return clean(bad());
}

/* ---- a network ---- */

/* Vectors are told by the path: three species apart, "odd" ones at a right angle to all, "bare" ones without a plant. */
enum { DIM = 5 };
static float vectors[MAX][DIM];
static size_t n_vectors;

static tp_code fake_look(void *ud, const tp_manifest *m, tp_err *err)
{
	(void)ud, (void)err;
	n_vectors = m->n_photos;
	for (size_t i = 0; i < m->n_photos; i++) {
		const char *s = m->photos[i].path, *name = strrchr(s, '/') + 1;
		memset(vectors[i], 0, sizeof vectors[i]);
		int kind = strstr(name, "odd") ? 3 : name[0] - 'a';
		vectors[i][kind] = 1;
		vectors[i][4] = strstr(name, "bare") ? 1 : 0;
	}
	return TP_OK;
}

static bool fake_has(void *ud, size_t i)
{
	(void)ud;
	return i < n_vectors;
}

static float fake_cosine(void *ud, size_t a, size_t b)
{
	float dot = 0;
	(void)ud;
	for (int k = 0; k < 4; k++)
		dot += vectors[a][k] * vectors[b][k];
	return dot;
}

static float fake_background(void *ud, size_t i)
{
	(void)ud;
	return vectors[i][4] > 0 ? 0.9f : 0.05f;
}

/* The share of the other folds' photos with the same vector that have a label. */
static tp_code fake_predict(void *ud, float *p, const uint32_t *photo, const uint32_t *label,
	const uint8_t *fold, size_t n, size_t classes, int folds, tp_err *err)
{
	for (size_t i = 0; i < n; i++) {
		float sum = 0, *q = p + i * classes;
		if (fold[i] >= folds)
			return tp_fail(err, TP_EINVAL, "fold %d", fold[i]);
		memset(q, 0, classes * sizeof *q);
		for (size_t k = 0; k < n; k++)
			if (fold[k] != fold[i] && fake_cosine(ud, photo[i], photo[k]) > 0.5f) {
				q[label[k]]++;
				sum++;
			}
		for (size_t c = 0; c < classes && sum > 0; c++)
			q[c] /= sum;
	}
	return TP_OK;
}

static const tp_clean_network fake = { NULL, fake_look, fake_has, fake_cosine, fake_background,
	fake_predict };

static void species_photos(void)
{
	char path[128];
	for (int s = 0; s < 3; s++) {
		snprintf(path, sizeof path, "%s/Species_no%c", photos, 'a' + s);
		mkdir(path, 0755);
		for (int k = 0; k < 20; k++) {
			/* the first letter is what is on the photo; two photos of a lie among those of b */
			snprintf(path, sizeof path, "Species_no%c/%c%d.jpg", 'a' + s,
				s == 1 && k < 2 ? 'a' : 'a' + s, k);
			put(path, scene((uint64_t)(100 * s + k)), 90);
		}
	}
	put("Species_noc/c_bare.jpg", scene(900), 90);
	put("Species_noa/a3_copy.jpg", scene(3), 40);
	put("Species_noa/a4_odd.jpg", scene(4), 40);
}

static int with_network(void)
{
	tp_cleaned n;
	tp_clean_opts o = opts();
	species_photos();
	CHECK(!import() && !run(&n, &o) && !look_up(), "without");
	CHECK(!is("Species_noa/a3_copy.jpg", "near-duplicate") &&
			!is("Species_noa/a4_odd.jpg", "near-duplicate") &&
			!is("Species_noc/c_bare.jpg", "") && !is("Species_nob/a0.jpg", ""),
		"without a network");
	o.network = &fake;
	for (int round = 0; round < 2; round++) {
		CHECK(!run(&n, &o) && !look_up(), "with");
		CHECK(!n.read && (round || n.looked == 63), "%lld looked at", (long long)n.looked);
		CHECK(!is("Species_noa/a3_copy.jpg", "near-duplicate") && !is("Species_noa/a4_odd.jpg", ""),
			"the cosine decides");
		CHECK(!is("Species_noc/c_bare.jpg", "not-plant"), "no plant");
		CHECK(!is("Species_nob/a0.jpg", "label") && !is("Species_nob/a1.jpg", "label"),
			"wrong labels");
		CHECK(n.rule[TP_RULE_LABEL].found == 2 && n.judged >= 60, "%lld, %lld judged",
			(long long)n.rule[TP_RULE_LABEL].found, (long long)n.judged);
		CHECK(known[at("Species_nob/a0.jpg")].value[TP_RULE_LABEL] < -0.75f, "margin");
	}
	/* what was found out is not forgotten without the network, and has thresholds of its own */
	o.network = NULL;
	CHECK(!run(&n, &o) && !look_up() && !is("Species_noc/c_bare.jpg", "not-plant") &&
			!is("Species_nob/a0.jpg", "label"),
		"still known");
	o.rules.threshold[TP_RULE_NOT_PLANT] = 0.95f;
	o.rules.on[TP_RULE_LABEL] = false;
	CHECK(!run(&n, &o) && !look_up() && !is("Species_noc/c_bare.jpg", "") &&
			!is("Species_nob/a0.jpg", ""),
		"other thresholds");
	return 0;
}

static int test_with_a_network(void)
{
	fresh();
	return clean(with_network());
}

/* ---- stopped, killed, out of memory ---- */

static int cancelled(void)
{
	tp_cleaned n;
	tp_clean_opts o = opts();
	tp_err err = { 0 };
	few_photos();
	CHECK(!import(), "import");
	o.threads = 1;
	tp_cancel();
	tp_code rc = tp_clean(&n, cat, &o, &err);
	tp_cancel_reset();
	CHECK(rc == TP_ECANCEL && n.read >= 1 && n.read < 5, "code %d, %lld read", rc, (long long)n.read);
	int64_t before = n.read;
	CHECK(!run(&n, &o) && n.read == 5 - before && n.kept == 5, "%lld read after %lld", (long long)n.read,
		(long long)before);
	return 0;
}

static int test_stopped_and_run_again(void)
{
	fresh();
	return clean(cancelled());
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int clean_killed(const tp_clean_opts *o, double after)
{
	pid_t child = fork();
	if (child < 0)
		abort();
	if (!child) {
		tp_cleaned n;
		_exit(tp_clean(&n, cat, o, NULL) ? 1 : 0);
	}
	struct timespec t = { (time_t)after, (long)(1e9 * (after - (double)(time_t)after)) };
	nanosleep(&t, NULL);
	kill(child, SIGKILL);
	int status = 0;
	waitpid(child, &status, 0);
	return WIFSIGNALED(status);
}

/* Links to one photo make many rows out of few files. */
static void many_rows(void)
{
	char path[160], to[32];
	few_photos();
	for (int i = 5; i < 1300; i++) {
		snprintf(path, sizeof path, "%s/Aloe_vera/%d.jpg", photos, i);
		snprintf(to, sizeof to, "%d.jpg", i % 5);
		if (symlink(to, path))
			abort();
	}
}

static int kills(uint64_t seed, int rounds)
{
	tp_rng rng = tp_rng_seed(seed);
	tp_buf whole, again;
	tp_cleaned n;
	tp_clean_opts o = opts();
	int killed = 0, went_on = 0;
	char cmd[512];
	o.commit_every = 0; /* after each block */
	many_rows();
	CHECK(!import(), "import");
	snprintf(cmd, sizeof cmd, "cp -r '%s' '%s.new'", cat, cat);
	CHECK(!system(cmd), "cp");
	double begin = seconds();
	CHECK(!run(&n, &o) && n.photos == 1300 && n.kept == 5, "%lld kept", (long long)n.kept);
	double lasts = seconds() - begin;
	CHECK(!dump(&whole, cat), "dump");
	for (int k = 0; killed < rounds; k++) {
		CHECK(k < 100 * rounds, "killed only %d times in %d rounds", killed, k);
		snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -r '%s.new' '%s'", cat, cat, cat);
		CHECK(!system(cmd), "cp");
		do
			killed += clean_killed(&o, lasts * tp_rng_unit(&rng));
		while (tp_rng_below(&rng, 3) == 0);
		CHECK(!run(&n, &o) && !dump(&again, cat), "again");
		went_on += n.known > 0 && n.read > 0;
		CHECK(again.len == whole.len && !memcmp(again.ptr, whole.ptr, whole.len),
			"seed %llu, round %d: another catalog", (unsigned long long)seed, k);
		tp_buf_dispose(&again);
	}
	tp_buf_dispose(&whole);
	printf("killed %d times while it ran, %d runs went on from the middle, seed %llu\n", killed, went_on,
		(unsigned long long)seed);
	return 0;
}

static int test_killed_and_run_again(void)
{
	const char *rounds = getenv("TP_KILLS"), *seed = getenv("TP_SEED");
	fresh();
	return clean(kills(seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL),
		rounds ? (int)strtol(rounds, NULL, 10) : 4));
}

static int no_memory(void)
{
	tp_clean_opts o = opts();
	tp_cleaned n;
	few_photos();
	put("Aloe_vera/copy.jpg", scene(1), 50);
	o.threads = 1;
	char cmd[512];
	snprintf(cmd, sizeof cmd, "cp -r '%s' '%s.new'", cat, cat);
	CHECK(!import() && !system(cmd), "import");
	snprintf(cmd, sizeof cmd, "cp '%s.new'/* '%s'", cat, cat);
	for (int i = 1;; i++) {
		CHECK(!system(cmd), "cp");
		long live = tp_mem_live();
		tp_mem_fail_at(i);
		tp_code rc = tp_clean(&n, cat, &o, NULL);
		bool failed = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(tp_mem_live() == live, "allocation %d leaks", i);
		if (!failed) {
			CHECK(!rc && n.kept == 5, "code %d, %lld kept", rc, (long long)n.kept);
			return 0;
		}
		/* the first way to take a JPEG may fail for lack of memory: the other one is there */
		CHECK(rc == TP_ENOMEM || (!rc && n.kept == 5), "allocation %d: code %d", i, rc);
	}
}

static int test_every_failed_allocation_is_reported(void)
{
	fresh();
	return clean(no_memory());
}

int main(void)
{
	if (getenv("TP_KILLS"))
		return RUN(T(test_killed_and_run_again));
	return RUN(T(test_planted_faults), T(test_runs_after_runs), T(test_bad_files), T(test_with_a_network),
		T(test_stopped_and_run_again), T(test_killed_and_run_again),
		T(test_every_failed_allocation_is_reported));
}
