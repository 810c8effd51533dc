/* What tepal trains with, for another trainer to train with the same: the batches of a run of fine-tuning, or the photos
 * of a split as they are evaluated. For bench/finetune/peer_torch.py, which reads them from a pipe.
 *
 *     batches NETWORK SIDE PHOTOS train EPOCH [KEY=VALUE...]      every batch from that epoch (from 0) on
 *     batches NETWORK SIDE PHOTOS val|test 0 [KEY=VALUE...]       the photos of the split, once
 *
 * SIDE 0 is the network's own; KEY=VALUE are settings as for tepal train --set. Writes a line of JSON (classes, side,
 * batch, steps of an epoch, the network's tensors with their stages, the whole recipe), then batch after batch, in the
 * machine's byte order: int32 epoch, n, mixed; int32 n labels; when mixed int32 n other labels and float n shares of
 * the first ones; float n x 3 x side x side, NCHW. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/loader.h"
#include "train/tune.h"

typedef struct {
	tp_manifest m;
	tp_recipe r;
	tp_prep prep;
	const tp_arch *arch;
	size_t of_split[TP_SPLITS];
} feed;

static json_t *params_json(const tp_net *net)
{
	json_t *all = json_array();
	for (size_t i = 0; i < tp_net_params(net); i++) {
		const tp_net_param *p = tp_net_param_at(net, i);
		json_array_append_new(all, json_pack("{s:s, s:b, s:i}", "name", p->name, "buffer", p->buffer,
						   "stage", p->stage));
	}
	return all;
}

static tp_code write_head(const feed *f, tp_err *err)
{
	int batch = (size_t)f->r.batch < f->of_split[TP_TRAIN] ? f->r.batch : (int)f->of_split[TP_TRAIN];
	size_t steps = f->of_split[TP_TRAIN] / (size_t)batch / (size_t)f->r.accumulate;
	tp_net *net = NULL;
	char *text = NULL;
	tp_code rc = tp_net_new(&net, f->arch, (int)f->m.n_taxa, err);
	if (rc)
		return rc;
	json_t *j = json_pack("{s:s, s:I, s:i, s:i, s:I, s:o, s:o}", "network", f->arch->name, "classes",
		(json_int_t)f->m.n_taxa, "side", f->prep.side, "batch", batch, "steps", (json_int_t)steps,
		"params", params_json(net), "recipe", tp_cfg_to_json(&f->r, tp_recipe_items));
	rc = tp_json_dump(&text, j, err);
	if (!rc)
		puts(text);
	tp_free(text);
	json_decref(j);
	tp_net_free(net);
	return rc;
}

static tp_code put(const void *p, size_t size, size_t n, tp_err *err)
{
	return fwrite(p, size, n, stdout) == n ? TP_OK : tp_fail(err, TP_EIO, "nobody reads the batches");
}

static tp_code write_batch(void *ud, const tp_tune_batch *b, tp_err *err)
{
	const feed *f = ud;
	size_t n = (size_t)b->n, side = (size_t)f->prep.side;
	const int head[] = { b->epoch, b->n, b->y.b != NULL };
	tp_code rc = put(head, sizeof *head, 3, err);
	if (!rc)
		rc = put(b->y.a, sizeof *b->y.a, n, err);
	if (!rc && b->y.b)
		rc = put(b->y.b, sizeof *b->y.b, n, err);
	if (!rc && b->y.b)
		rc = put(b->y.weight, sizeof *b->y.weight, n, err);
	return rc ? rc : put(b->x, 3 * side * side * sizeof *b->x, n, err);
}

static tp_code write_photos(feed *f, tp_labelled *photos, size_t n, tp_err *err)
{
	tp_loader_opts o = TP_LOADER_OPTS_INIT;
	tp_loader *l = NULL;
	tp_loaded b = { .n = 1 };
	uint32_t *order = tp_alloc(n * sizeof *order);
	o.root = f->m.root;
	o.samples = photos;
	o.n_samples = n;
	o.prep = f->prep;
	tp_code rc = order ? tp_loader_new(&l, &o, err) : tp_nomem(err, n * sizeof *order);
	for (size_t i = 0; i < n && !rc; i++)
		order[i] = (uint32_t)i;
	if (!rc)
		rc = tp_loader_start(l, 0, order, n, 0, err);
	while (!rc && b.n) {
		rc = tp_loader_next(&b, l, err);
		if (!rc && b.n) {
			tp_tune_batch out = { .n = b.n, .x = b.x, .y = { .a = b.labels } };
			rc = write_batch(f, &out, err);
		}
	}
	tp_loader_free(l);
	tp_free(order);
	return rc;
}

static tp_code write_split(feed *f, tp_split split, tp_err *err)
{
	size_t n = 0;
	tp_labelled *photos = tp_calloc(f->m.n_photos + 1, sizeof *photos);
	if (!photos)
		return tp_nomem(err, f->m.n_photos * sizeof *photos);
	for (size_t i = 0; i < f->m.n_photos; i++)
		if (f->m.photos[i].split == split)
			photos[n++] = (tp_labelled){ f->m.photos[i].path, f->m.photos[i].species };
	tp_code rc = n ? write_photos(f, photos, n, err) : TP_OK;
	tp_free(photos);
	return rc;
}

static tp_code init(feed *f, char **argv, int argc, tp_err *err)
{
	f->arch = tp_arch_find(argv[1]);
	if (!f->arch)
		return tp_fail(err, TP_EINVAL, "\"%s\" is no network", argv[1]);
	f->prep = tp_arch_prep(f->arch, (int)strtol(argv[2], NULL, 10));
	tp_cfg_defaults(&f->r, tp_recipe_items);
	tp_code rc = TP_OK;
	for (int i = 6; i < argc && !rc; i++)
		rc = tp_cfg_set(&f->r, tp_recipe_items, argv[i], err);
	if (!rc)
		rc = tp_manifest_open(&f->m, argv[3], 1, err);
	for (size_t i = 0; i < f->m.n_photos && !rc; i++)
		f->of_split[f->m.photos[i].split]++;
	if (!rc && !f->of_split[TP_TRAIN])
		rc = tp_fail(err, TP_EINVAL, "%s: no photos to train with", argv[3]);
	return rc ? rc : write_head(f, err);
}

int main(int argc, char **argv)
{
	feed f = { 0 };
	tp_err err = { 0 };
	if (argc < 6)
		return fprintf(stderr, "batches NETWORK SIDE PHOTOS train|val|test EPOCH [KEY=VALUE...]\n"),
		       2;
	tp_tune_job job = { .m = &f.m, .prep = &f.prep, .recipe = &f.r };
	tp_code rc = init(&f, argv, argc, &err);
	if (!rc && !strcmp(argv[4], "train"))
		rc = tp_tune_batches(&job, (int)strtol(argv[5], NULL, 10), write_batch, &f, &err);
	else if (!rc)
		rc = write_split(&f, strcmp(argv[4], "val") ? TP_TEST : TP_VAL, &err);
	if (!rc && fflush(stdout))
		rc = tp_fail(&err, TP_EIO, "nobody reads the batches");
	tp_manifest_free(&f.m);
	if (rc)
		fprintf(stderr, "batches: %s\n", err.msg);
	return rc ? 1 : 0;
}
