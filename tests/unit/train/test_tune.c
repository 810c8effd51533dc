/* Fine-tuning: a run repeats bit for bit, also when it is stopped anywhere and goes on; what a checkpoint refuses; photos
 * and disks that fail. The network is a real one with made-up weights, the photos are drawn here. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "image/image.h"
#include "nn/learn.h"
#include "t.h"
#include "train/sampler.h"
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
	char path[sizeof root + sizeof paths];
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
	/* big steps that say what they do: plain SGD, and the weights themselves */
	u->r.optimizer = u->r.batch_norm = 0;
	u->r.lr = 0.01;
	u->r.weight_decay = 1e-4;
	u->r.ema = 0;
	snprintf(u->r.blend, sizeof u->r.blend, "1");
	u->r.sampling = 1;
	u->r.warmup_epochs = 0.5;
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
		{ "depth", "drop_path=0.5 batch_norm=running" },
	};
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
		if (stop_and_go(recipes[i][0], recipes[i][1]))
			return 1;
	return 0;
}

/* ---- what is refused ------------------------------------------------------------------------------------ */

static int refused(setup *u, tp_code want, const char *why)
{
	tp_err err = { 0 };
	tp_tuned out = { 0 };
	tp_code rc = tp_tune(&out, &u->job, &err);
	tp_tuned_dispose(&out);
	CHECK(rc == want && strstr(err.msg, why), "code %d \"%s\", not %d \"%s\"", rc, err.msg, want, why);
	return 0;
}

static int test_another_run_is_refused(void)
{
	static const struct {
		const char *settings, *why;
	} changes[] = {
		{ "lr=0.02", "last.safetensors: the run was started with lr = 0.01, not 0.02" },
		{ "seed=2", "seed = 1, not 2" },
		{ "optimizer=adamw", "optimizer = \"sgd\", not \"adamw\"" },
		{ "ema=0.9", "ema = 0.0, not 0.9" },
		{ "nesterov=no", "nesterov = true, not false" },
	};
	tp_err err = { 0 };
	setup u;
	tp_weights *w = NULL;
	tp_net *other = NULL;
	CHECK_OK(stopped_run("kept", "", false, 1, &err), err);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		CHECK_OK(set_up(&u, "kept", changes[i].settings, &err), err);
		u.job.resume = true;
		if (refused(&u, TP_EINVAL, changes[i].why))
			return 1;
	}
	CHECK_OK(set_up(&u, "kept", "", &err), err);
	if (refused(&u, TP_EINVAL, "holds a run: --resume goes on with it"))
		return 1;
	u.job.resume = true;
	u.prep.side = u.prep.resize = 64;
	if (refused(&u, TP_EINVAL, "photos of 32 pixels, not 64"))
		return 1;
	u.prep.side = u.prep.resize = SIDE;
	u.job.arch = tp_arch_find("efficientnet-lite1");
	CHECK_OK(tp_net_new(&other, u.job.arch, SPECIES, &err), err);
	CHECK_OK(tp_net_init(&w, other, 1, &err), err);
	u.job.backbone = w;
	int bad = refused(&u, TP_EINVAL, "a checkpoint of efficientnet-lite0, not of efficientnet-lite1");
	tp_weights_free(w);
	tp_net_free(other);
	return bad;
}

/* Other weights of the same network are another run, the same ones in another file are not. */
static int test_another_backbone_is_refused(void)
{
	tp_err err = { 0 };
	tp_tuned out = { 0 };
	setup u;
	tp_weights *w = NULL;
	CHECK_OK(stopped_run("backbone", "epochs=1", false, 1, &err), err);
	CHECK_OK(set_up(&u, "backbone", "epochs=1", &err), err);
	u.job.resume = true;
	CHECK_OK(tp_net_init(&w, net, 2, &err), err);
	u.job.backbone = w;
	int bad = refused(
		&u, TP_EINVAL, "last.safetensors: a checkpoint of a run that began with other weights");
	tp_weights_free(w);
	CHECK_OK(tp_net_init(&w, net, 1, &err), err);
	u.job.backbone = w;
	CHECK_OK(tp_tune(&out, &u.job, &err), err);
	tp_weights_free(w);
	tp_tuned_dispose(&out);
	return bad;
}

static int test_other_species_are_refused(void)
{
	tp_err err = { 0 };
	setup u;
	tp_manifest more = garden;
	char *name = taxa[1].name;
	CHECK_OK(stopped_run("species", "", false, 1, &err), err);
	CHECK_OK(set_up(&u, "species", "", &err), err);
	u.job.resume = true;
	u.job.m = &more;
	more.n_taxa++;
	if (refused(&u, TP_EINVAL, "another list of species"))
		return 1;
	more.n_taxa--;
	taxa[1].name = taxa[2].name;
	int bad = refused(&u, TP_EINVAL, "another list of species");
	taxa[1].name = name;
	CHECK_OK(set_up(&u, "nothing-here", "", &err), err);
	u.job.resume = true;
	return bad || refused(&u, TP_ENOTFOUND, "nothing-here holds no run to go on with");
}

/* The photos are those of the checkpoint: another list, order, label or split is another run. */
static int test_other_photos_are_refused(void)
{
	static const char why[] =
		"last.safetensors: a checkpoint for other photos: 12 to train with and 3 to validate";
	tp_err err = { 0 };
	setup u;
	tp_photo one = photos[3], two = photos[EACH];
	CHECK_OK(stopped_run("photos", "", false, 1, &err), err);
	CHECK_OK(set_up(&u, "photos", "", &err), err);
	u.job.resume = true;
	photos[3].split = TP_TEST;
	int bad = refused(&u, TP_EINVAL, "validate, now 11 and 3");
	photos[3] = one;
	photos[3].path = "other.png";
	bad = bad || refused(&u, TP_EINVAL, why);
	photos[3] = one;
	photos[3].species = 1;
	bad = bad || refused(&u, TP_EINVAL, why);
	photos[3] = photos[4];
	photos[4] = one;
	bad = bad || refused(&u, TP_EINVAL, why);
	photos[4] = photos[3];
	photos[3] = one;
	photos[EACH].path = "other.png"; /* of the validation */
	bad = bad || refused(&u, TP_EINVAL, why);
	photos[EACH] = two;
	photos[EACH].split = TP_TRAIN; /* a photo more to train with, one less to validate */
	bad = bad || refused(&u, TP_EINVAL, "now 13 and 2");
	photos[EACH] = two;
	uint8_t state[PHOTOS] = { [3] = TP_FEATURE_BAD };
	u.job.state = state;
	bad = bad || refused(&u, TP_EINVAL, "now 11 and 3");
	return bad;
}

/* Writes a file of tensors again with another `tepal.run`, and the checksum that docs/formats.md describes. */
static tp_code write_run(const char *path, const char *run, tp_err *err)
{
	tp_weights *w = NULL;
	tp_tensor all[512];
	tp_buf b;
	tp_buf_init(&b, 1 << 20);
	tp_code rc = tp_safetensors_open(&w, path, err);
	size_t n = rc ? 0 : tp_weights_count(w);
	if (n > 512)
		rc = tp_fail(err, TP_ELIMIT, "%zu tensors", n);
	if (!rc)
		rc = tp_buf_addf(&b, err, "%s\n", tp_sha256_of(run, strlen(run)).hex);
	for (size_t i = 0; i < n && !rc; i++) {
		all[i] = *tp_weights_at(w, i);
		rc = tp_buf_addf(&b, err, "%s %s\n", tp_sha256_of(all[i].data, all[i].size).hex, all[i].name);
	}
	tp_sha256 sum = tp_sha256_of(b.ptr, b.len);
	tp_meta meta[] = { { "tepal.run.sha256", sum.hex }, { "tepal.run", run } };
	if (!rc)
		rc = tp_safetensors_save(path, all, n, meta, 2, err);
	tp_buf_dispose(&b);
	tp_weights_free(w);
	return rc;
}

static json_t *read_run(const char *path, tp_err *err)
{
	tp_weights *w = NULL;
	json_t *j = NULL;
	if (tp_safetensors_open(&w, path, err))
		return NULL;
	const char *text = tp_weights_meta(w, "tepal.run");
	if (!text || tp_json_parse(&j, text, strlen(text), "run", err))
		j = NULL;
	tp_weights_free(w);
	return j;
}

/* A checkpoint that does not say which photos it is of is an old one: a warning, and it goes on. A newer format is not read. */
static int test_other_versions(void)
{
	static const char *const added[] = { "photos", "n_train", "n_val", "place", "backbone" };
	tp_err err = { 0 };
	tp_tuned whole, out;
	setup u;
	CHECK_OK(tune(&whole, "version-whole", "", false, &err), err);
	CHECK_OK(stopped_run("version", "", false, 1, &err), err);
	const char *path = in_run("version", "last.safetensors");
	json_t *j = read_run(path, &err);
	CHECK(j, "%s", err.msg);
	CHECK(json_integer_value(json_object_get(j, "n_train")) == TRAIN, "another number of photos");
	for (size_t i = 0; i < sizeof added / sizeof *added; i++)
		CHECK(!json_object_del(j, added[i]), "no %s", added[i]);
	CHECK(!json_object_del(json_object_get(j, "recipe"), "clip"), "no clip");
	json_object_set_new(j, "format", json_integer(2));
	char *text = json_dumps(j, JSON_COMPACT);
	CHECK_OK(write_run(path, text, &err), err);
	free(text);
	CHECK_OK(set_up(&u, "version", "", &err), err);
	u.job.resume = true;
	if (refused(&u, TP_EFORMAT, "a checkpoint of format 2; this program knows 1"))
		return 1;
	json_object_set_new(j, "format", json_integer(1));
	text = json_dumps(j, JSON_COMPACT);
	CHECK_OK(write_run(path, text, &err), err);
	free(text);
	json_decref(j);
	CHECK_OK(set_up(&u, "version", "clip=1", &err), err);
	u.job.resume = true;
	if (refused(&u, TP_EINVAL, "the run was started with clip = 0.0, not 1.0"))
		return 1;
	CHECK_OK(tune(&out, "version", "", true, &err), err);
	CHECK(strstr(talk, "does not say which photos it was trained with"), "%s", talk);
	CHECK(strstr(talk, "does not say which backbone it was begun with"), "%s", talk);
	CHECK(!difference(whole.weights, out.weights), "%s differs", difference(whole.weights, out.weights));
	tp_tuned_dispose(&whole);
	tp_tuned_dispose(&out);
	return 0;
}

/* Two processes would write over each other's checkpoints; what a killed one left half written goes. */
static int test_a_folder_is_one_process_s(void)
{
	tp_err err = { 0 };
	setup u;
	CHECK_OK(stopped_run("busy", "", false, 0, &err), err);
	CHECK_OK(write_file(in_run("busy", "last.safetensors.tmpAbCdEf"), "half", 4, &err), err);
	int fd = open(in_run("busy", ""), O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && !flock(fd, LOCK_EX), "no lock");
	CHECK_OK(set_up(&u, "busy", "", &err), err);
	u.job.resume = true;
	if (refused(&u, TP_EBUSY, "busy: another process trains in it"))
		return 1;
	CHECK(tp_is_file(in_run("busy", "last.safetensors.tmpAbCdEf")), "it may still be written");
	close(fd);
	CHECK_OK(stopped_run("busy", "", true, 0, &err), err);
	CHECK(!tp_is_file(in_run("busy", "last.safetensors.tmpAbCdEf")), "half a file stayed");
	return 0;
}

/* Patience and how often checkpoints are written may change. */
static int test_what_may_change(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	CHECK_OK(stopped_run("may", "epochs=1", false, 1, &err), err);
	CHECK_OK(tune(&out, "may", "epochs=1 patience=3 save_minutes=5", true, &err), err);
	tp_tuned_dispose(&out);
	return 0;
}

/* A byte in the header, in what the run was, in a tensor and the last one; and a file cut short. */
static int test_a_damaged_checkpoint_is_refused(void)
{
	tp_err err = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	setup u;
	CHECK_OK(stopped_run("damaged", "", false, 4, &err), err);
	CHECK_OK(set_up(&u, "damaged", "", &err), err);
	u.job.resume = true;
	for (int best = 0; best < 2; best++) {
		const char *path = in_run("damaged", best ? "best.safetensors" : "last.safetensors");
		CHECK_OK(tp_file_read(&p, &n, path, 1 << 28, &err), err);
		uint8_t *loss = best ? p + n / 3 : (uint8_t *)strstr((char *)p + 8, "\\\"seconds\\\":") + 14;
		uint8_t *at[] = { p + 12, loss, p + n / 2, p + n - 1 };
		for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
			*at[i] ^= 1;
			CHECK_OK(write_file(path, p, n, &err), err);
			if (refused(&u, TP_EFORMAT, best ? "best.safetensors: " : "last.safetensors: "))
				return 1;
			*at[i] ^= 1;
		}
		CHECK_OK(write_file(path, p, n - 100, &err), err);
		if (refused(&u, TP_EFORMAT, best ? "best.safetensors: " : "last.safetensors: "))
			return 1;
		CHECK_OK(write_file(path, p, n, &err), err);
		tp_free(p);
		p = NULL;
	}
	tp_tuned out = { 0 };
	CHECK_OK(tp_tune(&out, &u.job, &err), err);
	tp_tuned_dispose(&out);
	return 0;
}

/* ---- what fails ------------------------------------------------------------------------------------------- */

static int test_a_loss_that_is_no_number_stops(void)
{
	tp_err err = { 0 };
	setup u;
	tp_tuned out;
	CHECK_OK(set_up(&u, "nan", "warmup_epochs=0", &err), err);
	u.r.lr = 1e30;
	if (refused(&u, TP_EINVAL, "step 2: the loss is nan, "))
		return 1;
	CHECK(!tp_is_file(in_run("nan", "last.safetensors")), "a checkpoint of what?");
	CHECK_OK(stopped_run("nan-late", "", false, 0, &err), err);
	CHECK_OK(set_up(&u, "nan-late", "", &err), err);
	u.job.resume = true;
	u.prep.std[0] = 1e-38f;
	if (refused(&u, TP_EINVAL, "the last checkpoint, after step 0, is kept in "))
		return 1;
	CHECK_OK(tune(&out, "nan-late", "", true, &err), err);
	tp_tuned_dispose(&out);
	return 0;
}

static int test_a_torn_photo_is_left_out(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	CHECK_OK(write_file(in_run(paths[7], ""), "no photo", 8, &err), err);
	CHECK_OK(tune(&out, "torn", "batch=3 clip=1", false, &err), err);
	CHECK((int)history(&out, "bad_photos") == 1, "%g bad", history(&out, "bad_photos"));
	CHECK((int)history(&out, "steps") == 2 * ((TRAIN - 1) / 3), "%g steps", history(&out, "steps"));
	CHECK(strstr(talk, "photo=\"b2.png\" left out: "), "%s", talk);
	tp_tuned_dispose(&out);
	setup u;
	CHECK_OK(set_up(&u, "torn-all", "batch=12", &err), err);
	if (refused(&u, TP_EINVAL, "photos could be read"))
		return 1;
	CHECK_OK(write_photo(in_run(paths[7], ""), 1, 2, &err), err);
	return 0;
}

/* The epoch, from 1, with the first best figure. */
static int best_by(const tp_tuned *t, const char *key, int sign)
{
	size_t best = 0, i;
	double most = -INFINITY;
	json_t *e;
	json_array_foreach(json_object_get(t->history, "epochs"), i, e)
	{
		double v = sign * json_number_value(json_object_get(e, key));
		if (v > most) {
			most = v;
			best = i;
		}
	}
	return (int)best + 1;
}

static tp_code tear(const size_t *which, size_t n, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t i = 0; i < n && !rc; i++)
		rc = write_file(in_run(paths[which[i]], ""), "no photo", 8, err);
	return rc;
}

static tp_code mend(const size_t *which, size_t n, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t i = 0; i < n && !rc; i++)
		rc = write_photo(
			in_run(paths[which[i]], ""), (int)which[i] / EACH, (int)which[i] % EACH, err);
	return rc;
}

/* The photos to train with in the order of the first epoch. */
static tp_code first_order(size_t order[TRAIN], tp_err *err)
{
	size_t photo[TRAIN], n = 0;
	int label[TRAIN];
	uint32_t at[TRAIN];
	tp_sampler *s = NULL;
	for (size_t i = 0; i < PHOTOS; i++)
		if (photos[i].split == TP_TRAIN) {
			label[n] = photos[i].species;
			photo[n++] = i;
		}
	tp_code rc = tp_sampler_new(&s, label, TRAIN, SPECIES, 1, 1, err);
	if (!rc)
		rc = tp_sampler_order(at, s, 0, err);
	for (size_t i = 0; i < TRAIN && !rc; i++)
		order[i] = photo[at[i]];
	tp_sampler_free(s);
	return rc;
}

/* A run that goes on behind photos that cannot be read goes on with the photo it would have taken next. */
static int test_torn_photos_shift_nothing(void)
{
	size_t order[TRAIN];
	tp_err err = { 0 };
	CHECK_OK(first_order(order, &err), err);
	const size_t torn[] = { order[0], order[2], order[7] };
	CHECK_OK(tear(torn, 3, &err), err);
	int bad = stop_and_go("torn-stopped", "batch=3 clip=1");
	CHECK_OK(mend(torn, 3, &err), err);
	return bad;
}

/* The last step of an epoch lacks photos for its second batch: what its first one did to running statistics and to the
 * epoch's sums is undone. The same run when these photos cannot be read either does not begin that step. */
static int test_half_a_step_leaves_nothing(void)
{
	size_t order[TRAIN];
	tp_err err = { 0 };
	tp_tuned half, none;
	CHECK_OK(first_order(order, &err), err);
	CHECK_OK(tear(order + TRAIN - 1, 1, &err), err);
	CHECK_OK(tune(&half, "half-a-step", "epochs=1 batch=2 accumulate=2", false, &err), err);
	CHECK_OK(tear(order + 8, TRAIN - 8, &err), err);
	CHECK_OK(tune(&none, "no-step", "epochs=1 batch=2 accumulate=2", false, &err), err);
	CHECK_OK(mend(order + 8, TRAIN - 8, &err), err);
	CHECK((int)history(&half, "steps") == 2 && (int)history(&none, "steps") == 2, "%g and %g steps",
		history(&half, "steps"), history(&none, "steps"));
	CHECK(!difference(half.weights, none.weights), "%s differs", difference(half.weights, none.weights));
	CHECK(last_epoch(&half, "loss") == last_epoch(&none, "loss"), "another loss");
	CHECK(last_epoch(&half, "top1") == last_epoch(&none, "top1"), "another accuracy");
	tp_tuned_dispose(&half);
	tp_tuned_dispose(&none);
	return 0;
}

/* What `monitor` names says which epoch is best; without validation photos the loss in training does. The learning rate is
 * so high that the figures go up and down. */
static int test_the_monitor_chooses(void)
{
	static const struct {
		const char *settings, *key;
		int sign;
		tp_split split;
	} cases[] = {
		{ "monitor=loss", "val_loss", -1, TP_VAL },
		{ "monitor=top1", "val_top1", 1, TP_VAL },
		{ "monitor=macro_top1", "val_macro_top1", 1, TP_VAL },
		{ "monitor=top1", "loss", -1, TP_TEST },
	};
	char name[32], settings[96];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tp_err err = { 0 };
		tp_tuned out;
		for (int s = 0; s < SPECIES; s++)
			photos[s * EACH].split = cases[i].split;
		snprintf(name, sizeof name, "monitor-%zu", i);
		snprintf(settings, sizeof settings, "epochs=4 batch=6 lr=0.5 schedule=constant %s",
			cases[i].settings);
		CHECK_OK(tune(&out, name, settings, false, &err), err);
		int best = best_by(&out, cases[i].key, cases[i].sign);
		CHECK((int)history(&out, "best_epoch") == best, "%s: epoch %g, not %d", settings,
			history(&out, "best_epoch"), best);
		tp_tuned_dispose(&out);
	}
	for (int s = 0; s < SPECIES; s++)
		photos[s * EACH].split = TP_VAL;
	return 0;
}

/* One photo of a species, none of another, nothing to validate with, and a batch for more photos than there are. */
static int test_poor_photo_sets(void)
{
	static const char *const recipes[] = { "batch=64", "balance=softmax sampling=0 batch=64",
		"balance=weights sampling=0.5 batch=64 monitor=macro_top1",
		"balance=logit-adjustment batch=2 clip=1" };
	tp_manifest few = garden;
	tp_err err = { 0 };
	char name[32];
	few.n_taxa = SPECIES + 1;
	few.n_photos = EACH + 2; /* the second species: one to validate, one to train with */
	for (int i = 0; i < 2 * 4; i++) {
		setup u;
		tp_tuned out = { 0 };
		snprintf(name, sizeof name, "poor-%d", i);
		CHECK_OK(set_up(&u, name, recipes[i % 4], &err), err);
		u.job.m = &few;
		for (int k = 0; k < EACH + 2; k += EACH)
			photos[k].split = i < 4 ? TP_VAL : TP_TEST;
		CHECK(!tp_tune(&out, &u.job, &err), "%s: %s", name, err.msg);
		CHECK(isfinite(last_epoch(&out, "loss")), "%s: loss %g", name, last_epoch(&out, "loss"));
		CHECK(!strstr(recipes[i % 4], "64") || strstr(talk, "batch=64 there are only 5 photos"), "%s",
			talk);
		tp_tuned_dispose(&out);
	}
	photos[0].split = photos[EACH].split = TP_VAL;
	setup u;
	CHECK_OK(set_up(&u, "too-much", "accumulate=4", &err), err);
	return refused(&u, TP_EINVAL, "accumulate");
}

/* In a process of its own, because a limit cannot be taken back: no file may have more than 20 MB, which is
 * too little for a checkpoint and enough for the best weights, which are written first. */
static int resume_on_a_full_disk(const char *run)
{
	tp_err err = { 0 };
	tp_tuned out;
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 20 << 20, 20 << 20 }))
		return 2;
	if (tune(&out, run, "", true, &err))
		return 3;
	tp_tuned_dispose(&out);
	return strstr(talk, "no checkpoint was written, the one before is kept: ") ? 0 : 4;
}

static int test_a_full_disk_costs_no_run(void)
{
	tp_err err = { 0 };
	tp_tuned whole, out;
	int status;
	CHECK_OK(tune(&whole, "disk-whole", "", false, &err), err);
	CHECK_OK(stopped_run("disk", "", false, 1, &err), err);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid)
		_exit(resume_on_a_full_disk("disk"));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status), "status %x",
		status);
	CHECK_OK(tune(&out, "disk", "", true, &err), err);
	CHECK(!difference(whole.weights, out.weights), "%s", difference(whole.weights, out.weights));
	tp_tuned_dispose(&whole);
	tp_tuned_dispose(&out);
	return 0;
}

/* A checkpoint counts on best.safetensors: as long as that cannot be written, there is none, and the run goes on. */
static int test_no_checkpoint_without_its_best_weights(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	char *in_the_way = tp_strdup(in_run("no-best", "best.safetensors"));
	CHECK_OK(tp_make_dirs(in_the_way, &err), err);
	CHECK_OK(tune(&out, "no-best", "epochs=1 batch=12", false, &err), err);
	tp_tuned_dispose(&out);
	CHECK(strstr(talk, "step=1 no checkpoint was written: ") && strstr(talk, "best.safetensors: "), "%s",
		talk);
	CHECK(!tp_is_file(in_run("no-best", "last.safetensors")), "a checkpoint without its best weights");
	tp_free(in_the_way);
	return 0;
}

/* What can be known at once is said at once, before any photo is looked at. */
static int test_wrong_settings_are_found_first(void)
{
	static const struct {
		const char *settings, *why;
	} bad[] = {
		{ "freeze=stem,stage99", "there is no stage \"stage99\"" },
		{ "freeze=stem,,stage1", "there is no stage \"\"" },
		{ "freeze=stm", "did you mean \"stem\"?" },
		{ "drop=1,x", "drop is up to" },
		{ "drop=1,", "drop is up to" },
		{ "augment=lite", "augment: " },
		{ "blend=half", "blend is a number from 0 to 1, or auto, not \"half\"" },
		{ "blend=1.5", "blend is a number from 0 to 1" },
		{ "blend=-0.5", "blend is a number from 0 to 1" },
		{ "blend=nan", "blend is a number from 0 to 1" },
		{ "blend=0.5 head=random",
			"blend = 0.5 mixes with the weights before the first step, which are random" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		tp_err err = { 0 };
		setup u;
		CHECK_OK(set_up(&u, "wrong", bad[i].settings, &err), err);
		tp_code rc = tp_tune_check(&u.job, &err);
		CHECK(rc == TP_EINVAL && strstr(err.msg, bad[i].why), "%s: %d \"%s\"", bad[i].settings, rc,
			err.msg);
	}
	tp_err err = { 0 };
	setup u;
	CHECK_OK(set_up(&u, "wrong", "drop_path=0.2", &err), err);
	CHECK_OK(tp_tune_check(&u.job, &err), err);
	u.job.arch = tp_arch_find("bn-inception");
	CHECK(tp_tune_check(&u.job, &err) == TP_EINVAL &&
			strstr(err.msg, "drop_path = 0.2: bn-inception has no residual blocks"),
		"%s", err.msg);
	CHECK(!tp_is_dir(in_run("wrong", "")), "a folder for nothing");
	return 0;
}

/* A network that begins with random weights is trained as it was published, where that is known. */
static int test_defaults_are_as_published(void)
{
	tp_recipe r;
	tp_recipe_defaults(&r, NULL);
	CHECK(r.drop_path == 0 && r.head == TP_HEAD_FITTED, "drop_path %g", r.drop_path);
	tp_recipe_defaults(&r, "efficientnet-lite0");
	CHECK(r.drop_path == 0.2 && r.head == TP_HEAD_RANDOM, "drop_path %g", r.drop_path);
	tp_recipe_defaults(&r, "resnet18");
	CHECK(r.drop_path == 0 && r.head == TP_HEAD_RANDOM, "drop_path %g", r.drop_path);
	return 0;
}

/* Blanks around commas are no part of a name. */
static int test_lists_may_have_blanks(void)
{
	bool frozen[TP_MAX_STAGES] = { 0 };
	tp_recipe r;
	tp_lr_opts lr;
	tp_err err = { 0 };
	tp_cfg_defaults(&r, tp_recipe_items);
	CHECK_OK(tp_cfg_set(&r, tp_recipe_items, "freeze = stem , stage1\t,  stage2", &err), err);
	CHECK_OK(tp_cfg_set(&r, tp_recipe_items, "drop =  2 ,3.5 , 6", &err), err);
	CHECK_OK(tp_recipe_frozen(frozen, &r, net, &err), err);
	for (int i = 0; tp_net_stage_name(net, i); i++) {
		const char *s = tp_net_stage_name(net, i);
		CHECK(frozen[i] == (!strcmp(s, "stem") || !strcmp(s, "stage1") || !strcmp(s, "stage2")), "%s",
			s);
	}
	CHECK_OK(tp_recipe_schedule(&lr, &r, &err), err);
	CHECK(lr.n_drops == 3 && lr.drop[0] == 2 && lr.drop[1] == 3.5 && lr.drop[2] == 6, "%d drops",
		lr.n_drops);
	return 0;
}

/* ---- settings that reach where they should ---------------------------------------------------------------- */

static const tp_net_param *param(const char *name)
{
	for (size_t i = 0; i < tp_net_params(net); i++)
		if (!strcmp(tp_net_param_at(net, i)->name, name))
			return tp_net_param_at(net, i);
	return NULL;
}

static bool same_as_before(const tp_tensor *t)
{
	const tp_tensor *was = tp_weights_find(made_up, t->name);
	return was && was->size == t->size && !memcmp(was->data, t->data, t->size);
}

static int test_frozen_stages_stay(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	int stayed = 0, moved = 0;
	CHECK_OK(tune(&out, "frozen", "epochs=1 weight_decay=0.1 freeze=stem,stage1", false, &err), err);
	for (size_t i = 0; i < tp_weights_count(out.weights); i++) {
		const tp_tensor *t = tp_weights_at(out.weights, i);
		const tp_net_param *p = param(t->name);
		const char *stage = p ? tp_net_stage_name(net, p->stage) : NULL;
		CHECK(stage, "no %s", t->name);
		bool frozen = !strcmp(stage, "stem") || !strcmp(stage, "stage1");
		CHECK(same_as_before(t) == frozen, "%s of %s %s", t->name, stage,
			frozen ? "moved" : "stayed");
		*(frozen ? &stayed : &moved) += 1;
	}
	CHECK(stayed > 5 && moved > 100, "%d stayed, %d moved", stayed, moved);
	tp_tuned_dispose(&out);
	setup u;
	CHECK_OK(set_up(&u, "frozen-no", "freeze=stage99", &err), err);
	return refused(&u, TP_EINVAL, "there is no stage \"stage99\"");
}

/* While only the classifier is trained, nothing before it moves: no weight, no running statistic. */
static int test_head_epochs_train_the_classifier(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	size_t n = tp_net_params(net);
	CHECK_OK(tune(&out, "head-only", "epochs=1 head_epochs=1 weight_decay=0.1", false, &err), err);
	for (size_t i = 0; i < n; i++) {
		const char *name = tp_net_param_at(net, i)->name;
		const tp_tensor *t = tp_weights_find(out.weights, name);
		CHECK(t && same_as_before(t) == (i + 2 < n), "%s", name);
	}
	tp_tuned_dispose(&out);
	return 0;
}

static double length(const tp_weights *w, const char *name)
{
	const tp_tensor *t = tp_weights_find(w, name);
	double sum = 0;
	for (size_t i = 0; t && i < t->size / sizeof(float); i++)
		sum += pow((double)((const float *)t->data)[i], 2);
	return sqrt(sum);
}

static double way(const tp_weights *w, const char *name)
{
	const tp_tensor *t = tp_weights_find(w, name), *was = tp_weights_find(made_up, name);
	double sum = 0;
	for (size_t i = 0; t && i < t->size / sizeof(float); i++)
		sum += pow((double)(((const float *)t->data)[i] - ((const float *)was->data)[i]), 2);
	return sqrt(sum);
}

/* One step of plain SGD that only decays (the gradient is clipped to nothing), and one without decay. */
static int test_decay_reaches_its_groups(void)
{
	const char *
		decay =
		       "epochs=1 batch=12 momentum=0 schedule=constant warmup_epochs=0 lr=0.1 weight_decay=5 "
		       "clip=0.000000001",
	       *layers = "epochs=1 batch=12 momentum=0 schedule=constant warmup_epochs=0 lr=0.001 "
			 "weight_decay=0 layer_decay=0.5",
	       *plain = "epochs=1 batch=12 momentum=0 schedule=constant warmup_epochs=0 lr=0.001 "
			"weight_decay=0";
	tp_err err = { 0 };
	tp_tuned d, a, b;
	int n_stages = 0;
	CHECK_OK(tune(&d, "decay", decay, false, &err), err);
	CHECK_OK(tune(&a, "layers", layers, false, &err), err);
	CHECK_OK(tune(&b, "plain", plain, false, &err), err);
	while (tp_net_stage_name(net, n_stages))
		n_stages++;
	for (size_t i = 0; i + 2 < tp_net_params(net); i++) { /* the classifier did not start as made_up's */
		const tp_net_param *p = tp_net_param_at(net, i);
		double was = length(made_up, p->name), is = length(d.weights, p->name);
		double want = p->ndim > 1 ? 0.5 : 1;
		if (p->buffer)
			continue;
		CHECK(fabs(is - want * was) < 1e-5 * (1 + was), "%s: %g of %g", p->name, is, was);
		double slow = way(a.weights, p->name), fast = way(b.weights, p->name),
		       share = pow(0.5, n_stages - 1 - p->stage);
		/* a step is rounded to the weights' own 2^-24 */
		CHECK(fabs(slow - share * fast) < 1e-3 * fast * share + 1e-6 * (1 + was),
			"%s: %g of %g, not %g", p->name, slow, fast, share);
	}
	tp_tuned_dispose(&d);
	tp_tuned_dispose(&a);
	tp_tuned_dispose(&b);
	return 0;
}

/* With a learning rate of almost nothing no epoch is better than the first one by top-1. */
static int test_patience_ends_a_run(void)
{
	const char *few = "epochs=9 patience=2 lr=0.00000000001 bn_momentum=0.0000001 monitor=top1",
		   *more = "epochs=9 patience=3 lr=0.00000000001 bn_momentum=0.0000001 monitor=top1";
	tp_err err = { 0 };
	tp_tuned a, b, c;
	CHECK_OK(tune(&a, "patience", few, false, &err), err);
	CHECK((int)json_array_size(json_object_get(a.history, "epochs")) == 3, "%g steps",
		history(&a, "steps"));
	CHECK((int)history(&a, "best_epoch") == 1, "best epoch %g", history(&a, "best_epoch"));
	CHECK_OK(tune(&b, "patience", few, true, &err), err);
	CHECK(history(&a, "steps") == history(&b, "steps"), "a run that is over went on");
	CHECK_OK(tune(&c, "patience", more, true, &err), err);
	CHECK((int)json_array_size(json_object_get(c.history, "epochs")) == 4,
		"more patience does not go on");
	tp_tuned_dispose(&a);
	tp_tuned_dispose(&b);
	tp_tuned_dispose(&c);
	return 0;
}

/* ---- a mix with the beginning ------------------------------------------------------------------------------- */

/* The first tensor that is not exactly this mix of those in the run's files; NULL: none. */
static const char *not_the_mix(const tp_weights *w, const char *run, double blend)
{
	static char name[64];
	tp_weights *start = NULL, *best = NULL;
	tp_err err = { 0 };
	snprintf(name, sizeof name, "%s", "a file");
	bool same = !tp_safetensors_open(&start, in_run(run, "start.safetensors"), &err) &&
		    !tp_safetensors_open(&best, in_run(run, "best.safetensors"), &err) &&
		    tp_weights_count(w) == tp_weights_count(best);
	for (size_t i = 0; same && i < tp_weights_count(w); i++) {
		const tp_tensor *t = tp_weights_at(w, i), *a = tp_weights_find(start, t->name),
				*b = tp_weights_find(best, t->name);
		snprintf(name, sizeof name, "%s", t->name);
		same = a && b && a->size == t->size && b->size == t->size;
		for (size_t k = 0; same && k < t->size / sizeof(float); k++) {
			double from = ((const float *)a->data)[k], to = ((const float *)b->data)[k];
			same = ((const float *)t->data)[k] == (float)(from + blend * (to - from)) ||
			       fabs(((const float *)t->data)[k] - (from + blend * (to - from))) <=
				       1e-7 * (fabs(from) + fabs(to));
		}
	}
	tp_weights_free(start);
	tp_weights_free(best);
	return same ? NULL : name;
}

/* Nothing of the tuned weights are those before the first step, all of them the best ones, bit for bit, half of them the
 * mean, running statistics too; and a run that is over is mixed again without a step. */
static int test_a_blend_is_a_mix(void)
{
	tp_err err = { 0 };
	tp_tuned half, none, all;
	tp_weights *start = NULL, *best = NULL;
	CHECK_OK(tune(&half, "blend", "epochs=1 blend=0.5", false, &err), err);
	CHECK(!not_the_mix(half.weights, "blend", 0.5), "%s", not_the_mix(half.weights, "blend", 0.5));
	CHECK(not_the_mix(half.weights, "blend", 0.55), "0.55 is the same as 0.5");
	CHECK(history(&half, "blend") == 0.5, "blend %g", history(&half, "blend"));
	CHECK_OK(tp_safetensors_open(&start, in_run("blend", "start.safetensors"), &err), err);
	CHECK_OK(tp_safetensors_open(&best, in_run("blend", "best.safetensors"), &err), err);
	CHECK_OK(tune(&none, "blend", "epochs=1 blend=0", true, &err), err);
	CHECK_OK(tune(&all, "blend", "epochs=1 blend=1", true, &err), err);
	CHECK(!difference(none.weights, start), "%s", difference(none.weights, start));
	CHECK(!difference(all.weights, best), "%s", difference(all.weights, best));
	CHECK(difference(start, best), "nothing was learned");
	CHECK(history(&all, "steps") == TRAIN / BATCH && history(&none, "steps") == TRAIN / BATCH,
		"a run that is over went on");
	CHECK(!json_object_get(all.history, "blend"), "nothing was mixed");
	tp_weights_free(start);
	tp_weights_free(best);
	tp_tuned_dispose(&half);
	tp_tuned_dispose(&none);
	tp_tuned_dispose(&all);
	return 0;
}

/* auto: the best of five on validation, by what `monitor` names; of equals the one nearest to the start. */
static int test_a_blend_is_chosen(void)
{
	static const struct {
		const char *settings, *key;
		int sign;
	} cases[] = { { "monitor=loss", "val_loss", -1 }, { "monitor=top1", "val_top1", 1 } };
	char name[32], settings[96];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tp_err err = { 0 };
		tp_tuned out;
		double most = -INFINITY, best = -1;
		size_t k;
		json_t *e;
		snprintf(name, sizeof name, "chosen-%zu", i);
		snprintf(settings, sizeof settings, "lr=0.05 blend=auto %s", cases[i].settings);
		CHECK_OK(tune(&out, name, settings, false, &err), err);
		json_array_foreach(json_object_get(out.history, "blends"), k, e)
		{
			double v = cases[i].sign * json_number_value(json_object_get(e, cases[i].key));
			CHECK(json_number_value(json_object_get(e, "blend")) == (double)k / 4, "mix %zu", k);
			if (v > most) {
				most = v;
				best = (double)k / 4;
			}
		}
		CHECK(k == 5 && history(&out, "blend") == best, "%zu tried, %g chosen, not %g", k,
			history(&out, "blend"), best);
		CHECK(!not_the_mix(out.weights, name, best), "%s", not_the_mix(out.weights, name, best));
		tp_tuned_dispose(&out);
	}
	return 0;
}

/* What a mix needs is asked for before training: weights that are not random, validation photos, the file itself. */
static int test_a_blend_without_its_parts_is_refused(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	setup u;
	CHECK_OK(set_up(&u, "no-mix", "blend=0.5", &err), err);
	u.job.backbone = NULL;
	if (refused(&u, TP_EINVAL, "which are random here"))
		return 1;
	CHECK_OK(set_up(&u, "no-mix", "blend=auto", &err), err);
	for (int s = 0; s < SPECIES; s++)
		photos[s * EACH].split = TP_TEST;
	int bad = refused(&u, TP_EINVAL, "blend = auto chooses by validation photos, and there are none");
	for (int s = 0; s < SPECIES; s++)
		photos[s * EACH].split = TP_VAL;
	char *in_the_way = tp_strdup(in_run("no-mix", "start.safetensors"));
	CHECK_OK(tp_make_dirs(in_the_way, &err), err);
	CHECK_OK(set_up(&u, "no-mix", "blend=0.5", &err), err);
	bad = bad || refused(&u, TP_EIO, "start.safetensors");
	CHECK(!tp_is_file(in_run("no-mix", "metrics.jsonl")), "training was begun");
	CHECK_OK(tune(&out, "no-mix", "epochs=1 blend=1", false, &err), err);
	tp_tuned_dispose(&out);
	CHECK(strstr(talk, "the weights before the first step were not written: "), "%s", talk);
	CHECK(!rmdir(in_the_way), "%s", in_the_way);
	CHECK_OK(set_up(&u, "no-mix", "epochs=1 blend=0.5", &err), err);
	u.job.resume = true;
	bad = bad || refused(&u, TP_ENOTFOUND, "start.safetensors");
	tp_free(in_the_way);
	return bad;
}

/* ---- from the beginning -------------------------------------------------------------------------------------- */

/* The first line of a run's log. */
static double first_loss(const char *run)
{
	char line[1024] = "";
	FILE *f = fopen(in_run(run, "metrics.jsonl"), "r");
	if (!f || !fgets(line, sizeof line, f))
		*line = 0;
	if (f)
		fclose(f);
	json_t *j = json_loads(line, 0, NULL);
	double loss = json_number_value(json_object_get(j, "train/loss"));
	json_decref(j);
	return loss;
}

typedef struct {
	tp_learner *l;
	double smoothing, loss; /* of the first batch */
	int n, epochs[2];       /* batches in all, and by epoch */
} first_batch;

static tp_code see(void *ud, const tp_tune_batch *b, tp_err *err)
{
	first_batch *f = ud;
	float z[BATCH * SPECIES];
	double rows[BATCH];
	tp_loss_opts lo = TP_LOSS_OPTS_INIT;
	lo.smoothing = f->smoothing;
	f->epochs[b->epoch > 0]++;
	if (f->n++)
		return TP_OK;
	tp_code rc = tp_learner_forward(f->l, b->x, z, 0, err);
	return rc ? rc : tp_loss_softmax(&f->loss, rows, z, z, (size_t)b->n, SPECIES, &b->y, &lo, err);
}

/* The loss of the run's first batch, from the weights the run says it began with. */
static tp_code first_of(first_batch *f, const setup *u, int epoch, const char *start, tp_err *err)
{
	tp_weights *w = NULL;
	tp_params p = { 0 };
	tp_learn_opts o = { .batch = BATCH, .side = SIDE, .threads = 2, .whole = true };
	*f = (first_batch){ .smoothing = u->r.smoothing };
	tp_code rc = tp_params_init(&p, net, err);
	if (!rc)
		rc = tp_safetensors_open(&w, start, err);
	if (!rc)
		rc = tp_params_load(&p, w, false, err);
	if (!rc)
		rc = tp_learner_new(&f->l, net, &p, &o, err);
	if (!rc)
		rc = tp_tune_batches(&u->job, epoch, see, f, err);
	tp_learner_free(f->l);
	tp_params_dispose(&p);
	tp_weights_free(w);
	return rc;
}

/* Whoever has these weights and batches sees the losses the run saw. */
static int test_start_and_batches_are_the_runs(void)
{
	static const char *const recipes[] = { "dropout=no",
		"dropout=no mixup=0.4 cutmix=1 erase=0.5 augment=strong",
		"dropout=no balance=none sampling=0.5 seed=3" };
	char name[32], start[256];
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
		tp_err err = { 0 };
		tp_tuned out;
		setup u;
		first_batch f, late;
		snprintf(name, sizeof name, "first-%zu", i);
		CHECK_OK(tune(&out, name, recipes[i], false, &err), err);
		tp_tuned_dispose(&out);
		snprintf(start, sizeof start, "%s", in_run(name, "start.safetensors"));
		CHECK_OK(set_up(&u, name, recipes[i], &err), err);
		CHECK_OK(first_of(&f, &u, 0, start, &err), err);
		CHECK_OK(first_of(&late, &u, 1, start, &err), err);
		CHECK(f.loss == first_loss(name), "%s: %.17g, the run had %.17g", recipes[i], f.loss,
			first_loss(name));
		CHECK(f.epochs[0] == TRAIN / BATCH && f.epochs[1] == TRAIN / BATCH, "%d and %d batches",
			f.epochs[0], f.epochs[1]);
		CHECK(late.n == TRAIN / BATCH && late.loss != f.loss, "%d batches from epoch 1 on", late.n);
	}
	tp_err err = { 0 };
	tp_tuned out;
	CHECK_OK(tune(&out, "dropped", "", false, &err), err);
	tp_tuned_dispose(&out);
	CHECK(first_loss("dropped") != first_loss("first-0"), "dropout=no makes no difference");
	return 0;
}

/* A backbone's weights are there before the first step, but for the classifier; without one they are the published
 * beginning, which the seed decides. */
static int test_a_run_keeps_what_it_began_with(void)
{
	tp_err err = { 0 };
	tp_tuned out;
	tp_weights *kept = NULL, *init = NULL;
	setup u;
	CHECK_OK(tune(&out, "began", "epochs=1", false, &err), err);
	tp_tuned_dispose(&out);
	CHECK_OK(tp_safetensors_open(&kept, in_run("began", "start.safetensors"), &err), err);
	for (size_t i = 0; i < tp_weights_count(kept); i++) {
		const tp_tensor *t = tp_weights_at(kept, i);
		bool classifier = !strncmp(t->name, "classifier", 10);
		CHECK(same_as_before(t) != classifier, "%s", t->name);
	}
	tp_weights_free(kept);
	CHECK_OK(set_up(&u, "nothing", "seed=5 head=random", &err), err);
	u.job.backbone = NULL;
	CHECK_OK(tp_tune(&out, &u.job, &err), err);
	CHECK_OK(tp_net_init(&init, net, 5, &err), err);
	CHECK_OK(tp_safetensors_open(&kept, in_run("nothing", "start.safetensors"), &err), err);
	CHECK(!difference(init, kept), "%s is not as published", difference(init, kept));
	CHECK(difference(init, out.weights), "nothing was learned");
	tp_weights_free(init);
	tp_weights_free(kept);
	tp_tuned_dispose(&out);
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
	int result = RUN(T(test_a_run_repeats), T(test_another_run_is_refused),
		T(test_another_backbone_is_refused), T(test_other_species_are_refused),
		T(test_other_photos_are_refused), T(test_other_versions), T(test_a_folder_is_one_process_s),
		T(test_no_checkpoint_without_its_best_weights), T(test_wrong_settings_are_found_first),
		T(test_lists_may_have_blanks), T(test_defaults_are_as_published), T(test_what_may_change),
		T(test_a_damaged_checkpoint_is_refused), T(test_a_loss_that_is_no_number_stops),
		T(test_a_torn_photo_is_left_out), T(test_torn_photos_shift_nothing),
		T(test_half_a_step_leaves_nothing), T(test_the_monitor_chooses), T(test_poor_photo_sets),
		T(test_a_full_disk_costs_no_run), T(test_frozen_stages_stay),
		T(test_start_and_batches_are_the_runs), T(test_a_run_keeps_what_it_began_with),
		T(test_head_epochs_train_the_classifier), T(test_decay_reaches_its_groups),
		T(test_patience_ends_a_run), T(test_a_blend_is_a_mix), T(test_a_blend_is_chosen),
		T(test_a_blend_without_its_parts_is_refused), T(test_a_stopped_run_ends_the_same));
	tp_weights_free(made_up);
	tp_net_free(net);
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", root);
	return system(cmd) ? 1 : result;
}
