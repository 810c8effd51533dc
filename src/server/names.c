/* The words of the API: language codes, organs, projects. Source: the public specification of Pl@ntNet's API. */
#include <string.h>

#include "server/app_int.h"

const char *const tp_langs[] = { "en", "fr", "es", "pt", "de", "it", "ar", "cs", "nl", "sk", "zh", "ru", "tr",
	"pl", "uk", "he", "el", "fi", "id", "ms", "ca", "ja", "hu", "hr", "da", "ro", "bg", "nb", "sl", "sv",
	"et", "eu", "ur", "ml", "cy", "ku", "gl", "eo", "sat", "zh-tw", "pt-br", "hi", "de-at", "sr",
	"zh-hant", "bn", "fa", "be", "oc", "lt", "en-au", "br" };
const int tp_n_langs = sizeof tp_langs / sizeof *tp_langs;

const char *const tp_organs[] = { "auto", "leaf", "flower", "fruit", "bark", "habit", "other", "scan",
	"branch", "sheet", "drawing", "seed", "bud", "anatomy", "aerial" };
const int tp_n_organs = sizeof tp_organs / sizeof *tp_organs;

bool tp_is_project(const tp_app *app, const char *name)
{
	return !strcmp(name, "all") || !strcmp(name, "best") ||
	       !strcmp(name, tp_model_name(tp_engine_model(app->engine)));
}

json_t *tp_json_common(const tp_class *c, const char *lang, size_t max)
{
	json_t *out = json_array();
	const json_t *names = tp_class_common(c, lang);
	for (size_t i = 0; i < json_array_size(names) && i < max; i++) {
		/* a copy: the model's own values are shared by all threads */
		const char *s = json_string_value(json_array_get(names, i));
		if (s)
			json_array_append_new(out, json_string(s));
	}
	return out;
}
