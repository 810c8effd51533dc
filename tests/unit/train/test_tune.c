/* Fine-tuning: a run repeats bit for bit, also when it is stopped anywhere and goes on; what a checkpoint refuses; photos
 * and disks that fail. The network is a real one with made-up weights, the photos are drawn here. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/image.h"
#include "t.h"
#include "train/tune.h"

enum { SPECIES = 3, EACH = 5, PHOTOS = SPECIES * EACH, TRAIN = PHOTOS - SPECIES, SIDE = 32, BATCH = 4 };

/* ---- a garden ------------------------------------------------------------------------------------------- */

static char root[64];
static tp_taxon taxa[SPECIES + 1];
static char paths[PHOTOS][32];
static tp_photo photos[PHOTOS];
static tp_manifest garden = {
	.root = root, .taxa = taxa, .n_taxa = SPECIES, .photos = photos, .n_photos = PHOTOS
};
static const tp_arch *lite0;
static tp_net *net;
static tp_weights *made_up;

static tp_code write_file(const char *path, const void *p, size_t n, tp_err *err)
{
	tp_outfile *f = NULL;
	tp_code rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, p, n, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	return rc;
}

/* A square, a disc or a cross in a colour of its own, each time a little elsewhere. */
static void draw(tp_image *img, int species, int n)
{
	for (int y = 0; y < img->h; y++)
		for (int x = 0; x < img->w; x++) {
			int dx = x - 20 - n % 3, dy = y - 20 + n % 4, in_disc = dx * dx + dy * dy < 144;
			bool inside = species == 0   ? abs(dx) < 12 && abs(dy) < 12
				      : species == 1 ? in_disc
						     : abs(dx) < 4 || abs(dy) < 4;
			uint8_t *px = img->px + 3 * (y * img->w + x);
			px[0] = px[1] = px[2] = (uint8_t)(200 + n);
			if (inside)
				px[species] = 40;
		}
}

static tp_code write_photo(const char *path, int species, int n, tp_err *err)
{
	tp_image *img = NULL;
	tp_buf b;
	tp_buf_init(&b, 1 << 16);
	tp_code rc = tp_image_new(&img, 40, 40, err);
	if (!rc) {
		draw(img, species, n);
		rc = tp_image_encode_png(&b, img, err);
	}
	if (!rc)
		rc = write_file(path, b.ptr, b.len, err);
	tp_image_free(img);
	tp_buf_dispose(&b);
	return rc;
}

static tp_code plant(tp_err *err)
{
	static char *const names[] = { "Caerulea quadrata", "Rubra rotunda", "Viridis stellata",
		"Absens nulla" };
	char path[128];
	tp_code rc = TP_OK;
	for (int s = 0; s <= SPECIES; s++)
		taxa[s] = (tp_taxon){ .name = names[s], .family = "" };
	for (int i = 0; i < PHOTOS && !rc; i++) {
		snprintf(paths[i], sizeof paths[i], "%c%d.png", 'a' + i / EACH, i % EACH);
		photos[i] = (tp_photo){
			.path = paths[i], .species = i / EACH, .split = i % EACH ? TP_TRAIN : TP_VAL
		};
		snprintf(path, sizeof path, "%s/%s", root, paths[i]);
		rc = write_photo(path, i / EACH, i % EACH, err);
	}
	lite0 = tp_arch_find("efficientnet-lite0");
	if (!rc)
		rc = tp_net_new(&net, lite0, SPECIES, err);
	return rc ? rc : tp_net_init(&made_up, net, 1, err);
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

static char talk[1 << 14];
static size_t n_talk;

static void listen(tp_log_level level, const char *line, void *ud)
{
	(void)level;
	(void)ud;
	n_talk += (size_t)snprintf(talk + n_talk, sizeof talk - n_talk, "%s\n", line);
	n_talk = n_talk < sizeof talk ? n_talk : sizeof talk - 1;
}

static const char *in_run(const char *run, const char *name)
{
	static char path[2][256];
	static int i;
	i = !i;
	snprintf(path[i], sizeof path[i], "%s/%s%s%s", root, run, *name ? "/" : "", name);
	return path[i];
}

typedef struct {
	tp_recipe r;
	tp_prep prep;
	tp_tune_job job;
	char dir[128];
} setup;

/* Settings are given as for --set, with blanks between. */
static tp_code set_up(setup *u, const char *run, const char *settings, tp_err *err)
{
	char one[128];
	tp_code rc = TP_OK;
	n_talk = 0;
	*talk = 0;
	tp_cfg_defaults(&u->r, tp_recipe_items);
	u->r.epochs = 2;
	u->r.batch = BATCH;
	u->r.save_minutes = 1e6;
	for (const char *p = settings; *p && !rc;) {
		size_t n = strcspn(p, " ");
		snprintf(one, sizeof one, "%.*s", (int)n, p);
		rc = tp_cfg_set(&u->r, tp_recipe_items, one, err);
		p += n + strspn(p + n, " ");
	}
	u->prep = (tp_prep){ .side = SIDE, .resize = SIDE, .filter = TP_BILINEAR, .bgr = lite0->bgr };
	memcpy(u->prep.mean, lite0->mean, sizeof u->prep.mean);
	memcpy(u->prep.std, lite0->std, sizeof u->prep.std);
	snprintf(u->dir, sizeof u->dir, "%s/%s", root, run);
	u->job = (tp_tune_job){ .m = &garden,
		.arch = lite0,
		.backbone = made_up,
		.prep = &u->prep,
		.recipe = &u->r,
		.dir = u->dir,
		.threads = 2,
		.quiet = true };
	return rc;
}

static tp_code tune(tp_tuned *out, const char *run, const char *settings, bool resume, tp_err *err)
{
	setup u;
	*out = (tp_tuned){ 0 };
	tp_code rc = set_up(&u, run, settings, err);
	u.job.resume = resume;
	return rc ? rc : tp_tune(out, &u.job, err);
}

/* The first tensor that differs; NULL: none does. */
static const char *difference(const tp_weights *a, const tp_weights *b)
{
	if (tp_weights_count(a) != tp_weights_count(b))
		return "their number";
	for (size_t i = 0; i < tp_weights_count(a); i++) {
		const tp_tensor *x = tp_weights_at(a, i), *y = tp_weights_find(b, x->name);
		if (!y || x->size != y->size || memcmp(x->data, y->data, x->size) != 0)
			return x->name;
	}
	return NULL;
}

/* Calls tp_cancel() when the run's log has so many lines: one a step, one an epoch. */
typedef struct {
	char path[256];
	int lines;
	atomic_bool quit;
	pthread_t thread;
} watcher;

static int count_lines(const char *path)
{
	int n = 0, c;
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void *watch(void *ud)
{
	watcher *w = ud;
	while (!atomic_load(&w->quit) && count_lines(w->path) < w->lines)
		nanosleep(&(struct timespec){ 0, 500000 }, NULL);
	tp_cancel();
	return NULL;
}

/* A run that is stopped at so many lines of its log, or, when that came too late, is over. */
static tp_code stopped_run(const char *run, const char *settings, bool resume, int lines, tp_err *err)
{
	watcher w = { .lines = lines };
	tp_tuned out;
	snprintf(w.path, sizeof w.path, "%s", in_run(run, "metrics.jsonl"));
	tp_cancel_reset();
	if (!lines)
		tp_cancel();
	else if (pthread_create(&w.thread, NULL, watch, &w))
		return tp_fail(err, TP_EIO, "no thread");
	tp_code rc = tune(&out, run, settings, resume, err);
	atomic_store(&w.quit, true);
	if (lines)
		pthread_join(w.thread, NULL);
	tp_cancel_reset();
	tp_tuned_dispose(&out);
	return rc == TP_ECANCEL ? TP_OK : rc;
}

static double history(const tp_tuned *t, const char *key)
{
	return json_number_value(json_object_get(t->history, key));
}

static double last_epoch(const tp_tuned *t, const char *key)
{
	json_t *e = json_object_get(t->history, "epochs");
	return json_number_value(json_object_get(json_array_get(e, json_array_size(e) - 1), key));
}

/* ---- bit for bit ---------------------------------------------------------------------------------------- */

static int test_a_run_repeats(void)
{
	tp_err err = { 0 };
	tp_tuned a, b, c;
	CHECK_OK(tune(&a, "repeat-a", "", false, &err), err);
	CHECK_OK(tune(&b, "repeat-b", "", false, &err), err);
	CHECK_OK(tune(&c, "repeat-c", "seed=2", false, &err), err);
	CHECK(!difference(a.weights, b.weights), "%s differs", difference(a.weights, b.weights));
	CHECK(difference(a.weights, c.weights), "another seed makes no difference");
	CHECK((int)history(&a, "steps") == 2 * TRAIN / BATCH, "%g steps", history(&a, "steps"));
	CHECK(last_epoch(&a, "loss") == last_epoch(&b, "loss"), "another loss");
	tp_tuned_dispose(&a);
	tp_tuned_dispose(&b);
	tp_tuned_dispose(&c);
	return 0;
}

/* Stopped before its first step, in the first epoch, at or in its validation and in the second one. */
static int stop_and_go(const char *name, const char *settings)
{
	static const int stops[] = { 0, 1, 3, 5 };
	char whole[64], parts[64];
	tp_err err = { 0 };
	tp_tuned a, b;
	snprintf(whole, sizeof whole, "%s-whole", name);
	snprintf(parts, sizeof parts, "%s-parts", name);
	CHECK_OK(tune(&a, whole, settings, false, &err), err);
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
		CHECK(!stopped_run(parts, settings, i > 0, stops[i], &err), "%s, stop %zu: %s", name, i,
			err.msg);
		CHECK(tp_is_file(in_run(parts, "last.safetensors")), "%s, stop %zu: no checkpoint", name, i);
	}
	CHECK(!tune(&b, parts, settings, true, &err), "%s: %s", name, err.msg);
	CHECK(!difference(a.weights, b.weights), "%s: %s differs", name, difference(a.weights, b.weights));
	CHECK(history(&a, "steps") == history(&b, "steps"), "%s: other steps", name);
	CHECK(last_epoch(&a, "loss") == last_epoch(&b, "loss"), "%s: loss %.17g, %.17g", name,
		last_epoch(&a, "loss"), last_epoch(&b, "loss"));
	CHECK(last_epoch(&a, "top1") == last_epoch(&b, "top1"), "%s: other top-1", name);
	CHECK(count_lines(in_run(whole, "metrics.jsonl")) == count_lines(in_run(parts, "metrics.jsonl")),
		"%s: the log has a hole or says things twice", name);
	tp_tuned_dispose(&a);
	tp_tuned_dispose(&b);
	return 0;
}

static int test_a_stopped_run_ends_the_same(void)
{
	static const char *const recipes[][2] = {
		{ "sgd", "" },
		{ "adamw", "optimizer=adamw lr=0.001" },
		{ "ema", "ema=0.9 balance=softmax sampling=0.5" },
		{ "mix", "mixup=0.4 cutmix=1 erase=0.5 augment=strong" },
		{ "head", "head_epochs=1 optimizer=adamw lr=0.001 layer_decay=0.9" },
		{ "accumulate", "accumulate=2 batch=2 clip=1" },
	};
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
		if (stop_and_go(recipes[i][0], recipes[i][1]))
			return 1;
	return 0;
}

int main(void)
{
	tp_err err = { 0 };
	snprintf(root, sizeof root, "/tmp/tepal-tune-XXXXXX");
	if (!mkdtemp(root))
		return 1;
	if (plant(&err)) {
		printf("%s\n", err.msg);
		return 1;
	}
	tp_log_set_sink(listen, NULL);
	int result = RUN(T(test_a_run_repeats), T(test_a_stopped_run_ends_the_same));
	tp_weights_free(made_up);
	tp_net_free(net);
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", root);
	return system(cmd) ? 1 : result;
}
