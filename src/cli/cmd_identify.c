/* tepal identify: one to five photos of one plant, a table for people or JSON for programs. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "engine/engine.h"

typedef struct {
	const char *model, *index, *lang;
	tp_opt_list organ;
	int results;
	bool json;
} options;

static const char *const organs[] = { "leaf", "flower", "fruit", "bark", "habit", "other", "auto", NULL };
static const tp_option table[] = {
	{ "model", 'm', TP_OPT_TEXT, offsetof(options, model), "FILE", "the model", TP_DEFAULT_MODEL },
	{ "index", 'i', TP_OPT_TEXT, offsetof(options, index), "FILE", "reference photos",
		.fallback_help = "FILE.index.safetensors beside the model, if there" },
	{ "organ", 'o', TP_OPT_LIST, offsetof(options, organ), "ORGAN",
		"what the photos show: leaf, flower, fruit, bark, habit, other or auto; once for all, or "
		"once "
		"for each photo",
		.fallback_help = "auto", .max = TP_MAX_PHOTOS, .choices = organs },
	{ "results", 'n', TP_OPT_INT, offsetof(options, results), "N", "species to list", "5", .min = 1,
		.max = 1000 },
	{ "lang", 'l', TP_OPT_TEXT, offsetof(options, lang), "CODE", "language of common names", "en" },
	{ "json", 0, TP_OPT_FLAG, offsetof(options, json), .help = "JSON for programs" },
	{ 0 },
};
static const tp_syntax syntax = { .name = "identify",
	.usage = "[OPTION...] PHOTO...",
	.help = "Name the species on one to five photos of the same plant.",
	.example = "tepal identify --organ flower garden.jpg",
	.options = table,
	.max_words = INT_MAX };

/* The first common name in o->lang, or "". */
static const char *common_name(const tp_class *c, const char *lang)
{
	const char *s = json_string_value(json_array_get(tp_class_common(c, lang), 0));
	return s ? s : "";
}

/* Terminal columns of a UTF-8 text, near enough for names: its code points. */
static int columns(const char *s)
{
	int n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void cell(const char *s, int width)
{
	printf("%s%*s", s, columns(s) < width ? width - columns(s) : 0, "");
}

static void print_table(const tp_engine *e, const tp_answer *a, const options *o)
{
	const tp_model *m = tp_engine_model(e);
	const tp_index *x = tp_engine_index(e);
	if (!a->likely)
		printf("None of the %d species this model knows is likely. Its closest guesses:\n\n",
			tp_model_classes(m));
	printf("  score  ");
	cell("species", 34);
	cell("family", 18);
	printf("common name\n");
	for (int i = 0; i < a->n; i++) {
		const tp_candidate *c = &a->v[i];
		const tp_class *k = tp_model_class(m, c->species);
		char full[256];
		snprintf(full, sizeof full, "%s%s%s", k->name, *k->authorship ? " " : "", k->authorship);
		printf("%6.1f %%  ", 100 * (double)c->score);
		cell(full, 33);
		printf(" ");
		cell(k->family, 17);
		printf(" %s\n", common_name(k, o->lang));
		for (int j = 0; j < c->n_related && i < 3; j++)
			printf("            %.2f  %s\n", (double)c->related[j].similarity,
				tp_index_ref(x, c->related[j].row)->path);
	}
	if (!x)
		printf("\nNo reference photos. To show the closest ones: tepal index --model %s --photos "
		       "FOLDER\n",
			o->model);
}

static json_t *candidate_json(const tp_engine *e, const tp_candidate *c)
{
	const tp_class *k = tp_model_class(tp_engine_model(e), c->species);
	json_t *images = json_array();
	for (int j = 0; j < c->n_related; j++) {
		const tp_ref *r = tp_index_ref(tp_engine_index(e), c->related[j].row);
		json_array_append_new(
			images, json_pack("{s:s, s:f, s:s, s:s, s:s, s:s}", "id", r->id, "similarity",
					(double)c->related[j].similarity, "path", r->path, "organ", r->organ,
					"author", r->author, "license", r->licence));
	}
	return json_pack("{s:f, s:s, s:s, s:s, s:s, s:O?, s:o}", "score", (double)c->score, "species",
		k->name, "authorship", k->authorship, "genus", k->genus, "family", k->family, "commonNames",
		k->common, "images", images);
}

static tp_code print_json(const tp_engine *e, const tp_answer *a, tp_err *err)
{
	const tp_model *m = tp_engine_model(e);
	json_t *results = json_array();
	for (int i = 0; i < a->n; i++)
		json_array_append_new(results, candidate_json(e, &a->v[i]));
	json_t *j = json_pack("{s:s, s:s, s:s, s:b, s:o}", "model", tp_model_name(m), "version",
		tp_model_version(m), "sha256", tp_model_sha256(m), "likely", a->likely, "results", results);
	if (!j)
		return tp_nomem(err, 0);
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(j);
	if (!text)
		return tp_nomem(err, 0);
	puts(text);
	free(text);
	return TP_OK;
}

static tp_code identify(const options *o, char **paths, int n, tp_err *err)
{
	tp_query_photo photo[TP_MAX_PHOTOS] = { 0 };
	tp_map map[TP_MAX_PHOTOS] = { 0 };
	tp_engine *e = NULL;
	tp_answer a = { 0 };
	tp_code rc = TP_OK;
	int bad = -1;
	char *beside = tp_cli_index_path(o->model);
	const char *index = o->index ? o->index : beside && tp_is_file(beside) ? beside : NULL;
	tp_engine_opts eo = { .model_path = o->model, .index_path = index, .workers = 1 };
	tp_identify_opts io = { .top_k = o->results, .related = index ? 3 : 0 };
	for (int i = 0; i < n && !rc; i++) {
		rc = tp_map_open(&map[i], paths[i], err);
		photo[i] = (tp_query_photo){ map[i].ptr, map[i].len,
			o->organ.n == 0   ? "auto"
			: o->organ.n == 1 ? o->organ.v[0]
					  : o->organ.v[i] };
	}
	if (!rc)
		rc = tp_engine_open(&e, &eo, err);
	if (!rc) {
		rc = tp_engine_identify(e, photo, n, &io, &a, &bad, err);
		if (rc && bad >= 0)
			tp_context(err, rc, "%s: ", paths[bad]);
	}
	if (!rc && o->json)
		rc = print_json(e, &a, err);
	else if (!rc)
		print_table(e, &a, o);
	tp_answer_dispose(&a);
	tp_engine_close(e);
	for (int i = 0; i < n; i++)
		tp_map_close(&map[i]);
	tp_free(beside);
	return rc;
}

int cmd_identify(int argc, char **argv)
{
	options o = { 0 };
	tp_err err = { 0 };
	tp_words photos;
	int status;
	if (!tp_cli_parse(&photos, &status, &syntax, &o, argc, argv))
		return status;
	if (photos.n < 1 || photos.n > TP_MAX_PHOTOS)
		return tp_cli_usage(
			"identify", "%d photos; 1 to %d of one plant are taken", photos.n, TP_MAX_PHOTOS);
	if (o.organ.n > 1 && o.organ.n != photos.n)
		return tp_cli_usage("identify", "%d organs for %d photos", o.organ.n, photos.n);
	return identify(&o, photos.v, photos.n, &err) ? tp_cli_fail("identify", &err) : 0;
}
