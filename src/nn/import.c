/* Weights from elsewhere: which kind of file, and which of its tensors a network takes. See nn.h. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "nn/net_int.h"

tp_code tp_weights_open(tp_weights **out, const char *path, tp_err *err)
{
	tp_map map = { 0 };
	tp_code rc = tp_map_open(&map, path, err);
	if (rc)
		return rc;
	/* a zip archive, or the older container's first pickle; no safetensors header is as long as either says */
	bool checkpoint =
		map.len >= 4 && (!memcmp(map.ptr, "PK\3\4", 4) || !memcmp(map.ptr, "\x80\2\x8a\n", 4));
	bool safetensors = map.len > 8 && map.ptr[8] == '{';
	tp_map_close(&map);
	if (!checkpoint && !safetensors)
		return tp_fail(err, TP_EFORMAT, "%s: neither a checkpoint of PyTorch nor safetensors", path);
	return checkpoint ? tp_checkpoint_open(out, path, err) : tp_safetensors_open(out, path, err);
}

static const tp_tensor *find(const tp_weights *w, const char *name)
{
	char wrapped[160];
	const tp_tensor *t = tp_weights_find(w, name);
	if (t)
		return t;
	snprintf(wrapped, sizeof wrapped, "module.%s", name); /* torch.nn.DataParallel puts it before */
	return tp_weights_find(w, wrapped);
}

/* theirs, when wanted, receives the name the checkpoint should have. */
static const tp_tensor *find_param(
	const tp_weights *w, const tp_arch *arch, const char *ours, char *theirs, size_t n)
{
	const tp_tensor *t = find(w, ours);
	snprintf(theirs, n, "%s", ours);
	if (!t && arch->foreign_name && arch->foreign_name(theirs, n, ours))
		t = find(w, theirs);
	return t;
}

/* Old checkpoints keep a batch-norm's values as 1 x channels. */
static bool same_shape(const tp_tensor *t, const tp_net_param *p)
{
	int extra = t->ndim - p->ndim;
	if (extra < 0)
		return false;
	for (int d = 0; d < t->ndim; d++)
		if (t->dim[d] != (d < extra ? 1 : p->dim[d - extra]))
			return false;
	return true;
}

static void shape_text(char *buf, size_t n, const int64_t *dim, int ndim)
{
	size_t at = 0;
	snprintf(buf, n, "a single value");
	for (int d = 0; d < ndim && at < n; d++)
		at += (size_t)snprintf(buf + at, n - at, "%s%lld", d ? " x " : "", (long long)dim[d]);
}

/* What the user reads when a checkpoint is of another network: the first thing wrong, and how many more there are. */
typedef struct {
	char text[200];
	int n;
} complaint;

static void complain(complaint *c, const tp_tensor *t, const tp_net_param *p, const char *theirs)
{
	char is[64], wanted[64];
	if (c->n++)
		return;
	if (!t) {
		snprintf(c->text, sizeof c->text, "\"%.60s\" is missing", theirs);
		return;
	}
	shape_text(is, sizeof is, t->dim, t->ndim);
	shape_text(wanted, sizeof wanted, p->dim, p->ndim);
	snprintf(c->text, sizeof c->text, "\"%.60s\" is %.50s, not %.50s", theirs, is, wanted);
}

static tp_code take_all(tp_tensor *t, const tp_net *net, const tp_weights *w, tp_err *err)
{
	complaint c = { .n = 0 };
	char theirs[128];
	for (size_t i = 0; i < net->n_params; i++) {
		const tp_net_param *p = &net->param[i];
		const tp_tensor *from = find_param(w, net->arch, p->name, theirs, sizeof theirs);
		if (!from || !same_shape(from, p)) {
			complain(&c, from, p, theirs);
			continue;
		}
		t[i] = *from;
		t[i].name = p->name;
		t[i].ndim = p->ndim;
		memcpy(t[i].dim, p->dim, sizeof p->dim);
	}
	if (c.n > 1)
		return tp_fail(err, TP_EFORMAT, "no weights of %s: %s (and %d more do not fit)",
			net->arch->name, c.text, c.n - 1);
	return c.n ? tp_fail(err, TP_EFORMAT, "no weights of %s: %s", net->arch->name, c.text) : TP_OK;
}

tp_code tp_net_import(tp_weights **out, const tp_arch *arch, const tp_weights *w, tp_err *err)
{
	tp_net *net = NULL;
	char theirs[128];
	const tp_tensor *cls = find_param(w, arch, arch->classifier_weight, theirs, sizeof theirs);
	if (cls && (cls->ndim != 2 || cls->dim[0] < 1 || cls->dim[0] > TP_MAX_CLASSES))
		return tp_fail(err, TP_EFORMAT, "\"%s\" is no classifier of 1 to %d classes", theirs,
			TP_MAX_CLASSES);
	tp_code rc = tp_net_new(&net, arch, cls ? (int)cls->dim[0] : 0, err);
	if (rc)
		return rc;
	tp_tensor *t = tp_calloc(net->n_params, sizeof *t);
	rc = t ? take_all(t, net, w, err) : tp_nomem(err, net->n_params * sizeof *t);
	if (!rc)
		rc = tp_weights_copy(out, t, net->n_params, err);
	tp_free(t);
	tp_net_free(net);
	return rc;
}
