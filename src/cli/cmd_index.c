/* tepal index: the reference photos that stand beside answers. */
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/par.h"
#include "cli/cli.h"
#include "data/data.h"
#include "data/shard.h"
#include "retrieve/index.h"
#include "train/train.h"

typedef struct {
	tp_photo_set_opts set;
	const char *output;
} options;

static const tp_option table[] = {
	{ "model", 'm', TP_OPT_TEXT, offsetof(options, set.model), "FILE", "the model", TP_DEFAULT_MODEL },
	{ "photos", 'p', TP_OPT_TEXT, offsetof(options, set.photos), "PHOTOS",
		"folder of class folders, or a split.csv" },
	{ "output", 'o', TP_OPT_TEXT, offsetof(options, output), "FILE", "the index to write",
		.fallback_help = "MODEL.index.safetensors beside the model, where it is found by itself" },
	{ "threads", 't', TP_OPT_INT, offsetof(options, set.threads), "N", "threads to work with",
		.fallback_help = "one for each processor", .min = 1, .max = 1024 },
	{ "quiet", 'q', TP_OPT_FLAG, offsetof(options, set.quiet), .help = "no progress" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "index",
	.usage = "--model MODEL --photos PHOTOS [OPTION...]",
	.help = "Collect reference photos: identify and serve then show the closest ones of each species. "
		"Photos of the test split are left out.",
	.example = "tepal index --model garden.safetensors --photos photos/",
	.options = table,
	.wanted = "--photos PHOTOS is wanted, and no other word" };

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
	tp_photo_set set = { 0 };
	if (tp_is_shards(o->set.photos)) /* beside answers stand photos that can be shown, and larger ones */
		return tp_fail(err, TP_EINVAL,
			"%s: packed photos; name the folder that they were packed from", o->set.photos);
	tp_code rc = tp_photo_set_open(&set, &o->set, err);
	if (!rc) {
		collection c = { .m = &set.m, .f = &set.f };
		rc = save(o, set.model, &c, err);
	}
	tp_photo_set_close(&set);
	return rc;
}

int cmd_index(int argc, char **argv)
{
	options o = { 0 };
	tp_err err = { 0 };
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &o, argc, argv))
		return status;
	if (!o.set.photos)
		return tp_cli_usage("index", "%s", syntax.wanted);
	char *beside = tp_cli_index_path(o.set.model), *cache = tp_cli_cache_path("features");
	o.set.cache_dir = cache;
	if (!o.set.threads)
		o.set.threads = tp_cpu_count();
	if (!o.output)
		o.output = beside;
	tp_cancel_on_signals();
	tp_code rc = o.output ? run(&o, &err) : tp_nomem(&err, strlen(o.set.model));
	tp_free(beside);
	tp_free(cache);
	return rc ? tp_cli_fail("index", &err) : 0;
}
