/* The made-up engine: see fake_engine.h. Takes the place of engine.h, model.h and index.h at link time. */
#define _GNU_SOURCE
#include "fake_engine.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct tp_engine {
	json_t *common;
	tp_class classes[3];
	int photos;
	char organs[128];
};

static tp_engine *the_engine;
static const tp_ref ref = { "0123456789abcdef0123456789abcdef01234567", "none.jpg", "flower", "A. Gardener",
	"cc0", "drawn" };

tp_engine *fake_engine_new(void)
{
	tp_engine *e = tp_calloc(1, sizeof *e);
	e->common = json_pack("{s:[s,s,s,s], s:[s]}", "en", "Lavender", "English lavender", "True lavender",
		"Fourth", "fr", "Lavande");
	e->classes[0] = (tp_class){ "Lavandula angustifolia", "Mill.", "Lavandula", "Lamiaceae", "2927305",
		"449008-1", e->common, NULL, 10 };
	e->classes[1] = (tp_class){ "Lavandula latifolia", "Medik.", "Lavandula", "Lamiaceae", "2927302", "",
		NULL, NULL, 10 };
	e->classes[2] = (tp_class){ "Quercus robur", "", "Quercus", "Fagaceae", "", "", NULL, NULL, 10 };
	return the_engine = e;
}

void fake_engine_free(tp_engine *e)
{
	json_decref(e->common);
	tp_free(e);
}

int fake_engine_photos(const tp_engine *e)
{
	return e->photos;
}

const char *fake_engine_organs(const tp_engine *e)
{
	return e->organs;
}

const tp_model *tp_engine_model(const tp_engine *e)
{
	return (const tp_model *)(const void *)e;
}

const tp_index *tp_engine_index(const tp_engine *e)
{
	return (const tp_index *)(const void *)e;
}

const char *tp_model_name(const tp_model *m)
{
	(void)m;
	return "fake3";
}

const char *tp_model_version(const tp_model *m)
{
	(void)m;
	return "2026-11-24 (1.0)";
}

int tp_model_classes(const tp_model *m)
{
	(void)m;
	return 3;
}

const tp_class *tp_model_class(const tp_model *m, int i)
{
	return &((const tp_engine *)(const void *)m)->classes[i];
}

const json_t *tp_class_common(const tp_class *c, const char *lang)
{
	return json_object_get(c->common, lang);
}

static bool says(const tp_query_photo *p, const char *word)
{
	return memmem(p->bytes, p->len, word, strlen(word)) != NULL;
}

tp_code tp_engine_identify(tp_engine *e, const tp_query_photo *photos, int n, const tp_identify_opts *opts,
	tp_answer *out, int *bad, tp_err *err)
{
	static const float scores[] = { 0.804123f, 0.0835f, 0.00001f };
	e->photos = n;
	*e->organs = 0;
	for (int i = 0; i < n; i++) {
		size_t used = strlen(e->organs);
		snprintf(e->organs + used, sizeof e->organs - used, "%s%s", i ? "," : "", photos[i].organ);
		*bad = i;
		if (says(&photos[i], "damaged"))
			return tp_fail(err, TP_EFORMAT, "image[%d]: breaks off at row 3", i);
		if (says(&photos[i], "huge"))
			return tp_fail(err, TP_ELIMIT, "image[%d]: would need too much memory", i);
		if (says(&photos[i], "backend"))
			return tp_fail(err, TP_EBACKEND, "image[%d]: HEIC is not built in", i);
	}
	*bad = -1;
	if (says(&photos[0], "broken"))
		return tp_fail(err, TP_EIO, "/secret/path: the disk is on fire");
	out->likely = !says(&photos[0], "weed");
	out->n = opts->top_k < 3 ? opts->top_k : 3;
	out->v = tp_calloc(3, sizeof *out->v);
	if (!out->v)
		return tp_nomem(err, 3 * sizeof *out->v);
	for (int i = 0; i < out->n; i++)
		out->v[i] =
			(tp_candidate){ .species = i, .score = scores[i], .n_related = opts->related && !i };
	return TP_OK;
}

void tp_answer_dispose(tp_answer *a)
{
	tp_free(a->v);
	*a = (tp_answer){ 0 };
}

const tp_ref *tp_index_ref(const tp_index *x, size_t row)
{
	(void)x, (void)row;
	return &ref;
}

long tp_index_find(const tp_index *x, const char *id)
{
	(void)x;
	return strcmp(id, ref.id) ? -1 : 0;
}

tp_code tp_index_photo_path(char **out, const tp_index *x, size_t row, tp_err *err)
{
	(void)x, (void)row;
	*out = tp_strdup("/nowhere/none.jpg");
	return *out ? TP_OK : tp_nomem(err, 0);
}
