/* tepal index: the reference photos that stand beside answers. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/cli.h"
#include "data/data.h"
#include "retrieve/index.h"
#include "train/train.h"

static const char help[] =
	"Usage: tepal index --model MODEL --photos PHOTOS [OPTION...]\n\n"
	"Collect reference photos: identify and serve then show the closest ones of each species.\n"
	"Photos of the test split are left out.\n\n"
	"  -m, --model FILE     the model (default: models/plants83.safetensors)\n"
	"  -p, --photos PHOTOS  folder of class folders, or a split.csv\n"
	"  -o, --output FILE    default: MODEL.index.safetensors beside the model, where it is found by "
	"itself\n"
	"      --threads N      default: one a processor\n"
	"  -q, --quiet          no progress\n\n"
	"Example: tepal index --model garden.safetensors --photos /photos/garden\n";

typedef struct {
	const char *model, *photos, *output;
	int threads;
	bool quiet;
} options;

static const struct option table[] = { { "model", required_argument, NULL, 'm' },
	{ "photos", required_argument, NULL, 'p' }, { "output", required_argument, NULL, 'o' },
	{ "threads", required_argument, NULL, 't' }, { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' }, { 0 } };

/* 0 to go on, else the exit status plus one. */
static int parse(options *o, int argc, char **argv)
{
	tp_err err = { 0 };
	long v;
	for (int c; (c = getopt_long(argc, argv, "m:p:o:qh", table, NULL)) != -1;) {
		if (c == 'm')
			o->model = optarg;
		else if (c == 'p')
			o->photos = optarg;
		else if (c == 'o')
			o->output = optarg;
		else if (c == 'q')
			o->quiet = true;
		else if (c == 'h')
			return fputs(help, stdout), 1;
		else if (c == '?')
			return 1 + TP_EXIT_USAGE;
		else if (tp_cli_int(&v, "threads", optarg, 1, 1024, &err))
			return 1 + tp_cli_usage("index", "%s", err.msg);
		else
			o->threads = (int)v;
	}
	return o->photos && argc == optind ? 0 : 1 + tp_cli_usage("index", "--photos is wanted");
}

typedef struct {
	const tp_manifest *m;
	const tp_features *f;
	tp_index_row *row;
	char (*id)[41];
	size_t n;
} collection;

/* A photo's id is what its bytes are: it stays the same when the folder moves. */
static tp_code add_photo(collection *c, size_t i, tp_err *err)
{
	const tp_photo *p = &c->m->photos[i];
	tp_sha256 sum;
	char *path = tp_path_join(c->m->root, p->path);
	tp_code rc = path ? tp_sha256_file(&sum, path, err) : tp_nomem(err, strlen(p->path));
	tp_free(path);
	if (rc)
		return rc;
	snprintf(c->id[c->n], sizeof c->id[c->n], "%.40s", sum.hex);
	c->row[c->n] =
		(tp_index_row){ .ref = { c->id[c->n], p->path, p->organ, p->author, p->licence, p->source },
			.species = c->m->taxa[p->species].name,
			.feature = c->f->v + i * (size_t)c->f->dim };
	c->n++;
	return TP_OK;
}

static tp_code save(const options *o, const tp_model *model, collection *c, tp_err *err)
{
	tp_code rc = TP_OK;
	size_t left_out = 0;
	c->row = tp_calloc(c->m->n_photos, sizeof *c->row);
	c->id = tp_calloc(c->m->n_photos, sizeof *c->id);
	if (!c->row || !c->id)
		rc = tp_nomem(err, c->m->n_photos * sizeof *c->row);
	for (size_t i = 0; i < c->m->n_photos && !rc; i++) {
		if (c->m->photos[i].split == TP_TEST || c->f->state[i] != TP_FEATURE_DONE)
			left_out++;
		else
			rc = add_photo(c, i, err);
	}
	if (!rc)
		rc = tp_index_save(
			o->output, tp_model_sha256(model), c->f->dim, c->row, c->n, c->m->root, err);
	if (!rc)
		fprintf(stderr,
			"wrote %s: %zu reference photos; %zu of the test split or unreadable were left out\n",
			o->output, c->n, left_out);
	tp_free(c->row);
	tp_free(c->id);
	return rc;
}

static tp_code run(const options *o, tp_err *err)
{
	tp_model *model = NULL;
	tp_manifest m = { 0 };
	tp_features f = { 0 };
	char *cache = tp_cli_cache_path("features");
	tp_code rc = tp_model_load(&model, o->model, err);
	if (!rc)
		rc = tp_manifest_open(&m, o->photos, 1, err);
	if (!rc) {
		tp_feature_opts fo = { .arch = tp_model_arch(model),
			.backbone = tp_model_weights(model),
			.prep = *tp_model_prep(model),
			.cache_dir = cache,
			.threads = o->threads,
			.quiet = o->quiet };
		rc = tp_features_compute(&f, &m, &fo, err);
	}
	if (!rc) {
		collection c = { .m = &m, .f = &f };
		rc = save(o, model, &c, err);
	}
	tp_features_free(&f);
	tp_manifest_free(&m);
	tp_model_free(model);
	tp_free(cache);
	return rc;
}

int cmd_index(int argc, char **argv)
{
	options o = { .model = "models/plants83.safetensors", .threads = tp_cpu_count() };
	tp_err err = { 0 };
	int stop = parse(&o, argc, argv);
	if (stop)
		return stop - 1;
	char *beside = tp_cli_index_path(o.model);
	if (!o.output)
		o.output = beside;
	tp_cancel_on_signals();
	tp_code rc = o.output ? run(&o, &err) : tp_nomem(&err, strlen(o.model));
	tp_free(beside);
	return rc ? tp_cli_fail("index", &err) : 0;
}
