/* The options of an augmentation: one table bounds them, writes them and reads them. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "image/augment.h"

typedef struct {
	const char *name;
	size_t at;
	double min, max;
	bool above; /* not below the option before it in the table */
} item;

#define ITEM(name, min, max)                                                                                 \
	{                                                                                                    \
#name, offsetof(tp_augment, name), min, max, false                                           \
	}
#define ITEM_ABOVE(name, min, max)                                                                           \
	{                                                                                                    \
#name, offsetof(tp_augment, name), min, max, true                                            \
	}
static const item items[] = {
	ITEM(crop_min, 0, 1),
	ITEM_ABOVE(crop_max, 0, 1),
	ITEM(aspect_min, 0.1, 10),
	ITEM_ABOVE(aspect_max, 0.1, 10),
	ITEM(hflip, 0, 1),
	ITEM(vflip, 0, 1),
	ITEM(rotate, 0, 1),
	ITEM(rotate_max, 0, 180),
	ITEM(brightness, 0, 1),
	ITEM(contrast, 0, 1),
	ITEM(saturation, 0, 1),
	ITEM(hue, 0, 0.5),
	ITEM(blur, 0, 1),
	ITEM(blur_min, 0.05, 8),
	ITEM_ABOVE(blur_max, 0.05, 8),
	ITEM(jpeg, 0, 1),
	ITEM(jpeg_min, 1, 100),
	ITEM_ABOVE(jpeg_max, 1, 100),
};
enum { N_ITEMS = sizeof items / sizeof *items };
_Static_assert(sizeof(tp_augment) == N_ITEMS * sizeof(float), "a line for each option");

static float *slot(tp_augment *a, const item *it)
{
	return (float *)(void *)((char *)a + it->at);
}

static double value(const tp_augment *a, const item *it)
{
	float v;
	memcpy(&v, (const char *)a + it->at, sizeof v);
	return (double)v;
}

/* Bounds are compared as floats: 0.1 as an option is not 0.1 as a double. */
tp_code tp_augment_check(const tp_augment *a, tp_err *err)
{
	for (const item *it = items; it < items + N_ITEMS; it++) {
		double v = value(a, it);
		if (!(v >= (double)(float)it->min && v <= (double)(float)it->max))
			return tp_fail(
				err, TP_EINVAL, "augment.%s %g: %g..%g", it->name, v, it->min, it->max);
		if (it->above && v < value(a, it - 1))
			return tp_fail(err, TP_EINVAL, "augment.%s %g: not below %s (%g)", it->name, v,
				it[-1].name, value(a, it - 1));
	}
	return TP_OK;
}

json_t *tp_augment_to_json(const tp_augment *a)
{
	json_t *j = json_object();
	for (const item *it = items; it < items + N_ITEMS; it++)
		if (json_object_set_new(j, it->name, json_real(value(a, it)))) {
			json_decref(j);
			return NULL;
		}
	return j;
}

tp_code tp_augment_from_json(tp_augment *out, const json_t *j, const char *where, tp_err *err)
{
	tp_augment a = TP_AUGMENT_INIT;
	if (!json_is_object(j))
		return tp_fail(err, TP_EFORMAT, "%s: not an object", where);
	for (const item *it = items; it < items + N_ITEMS; it++) {
		double v;
		if (!json_object_get(j, it->name))
			continue;
		tp_code rc = tp_json_number(&v, j, it->name, where, err);
		if (rc)
			return rc;
		*slot(&a, it) = (float)v;
	}
	if (tp_augment_check(&a, err))
		return tp_context(err, TP_EFORMAT, "%s: ", where);
	*out = a;
	return TP_OK;
}

/* ---- presets ---------------------------------------------------------------------------------------------- */

const char *const tp_augment_presets[] = { "none", "light", "standard", "strong", NULL };

static void light(tp_augment *a)
{
	a->crop_min = 0.5f;
	a->crop_max = 1;
	a->hflip = 0.5f;
}

/* Plants are photographed from above and from the side: a small turn is natural, upside down is not. The hue says
 * much about a flower: it moves little. */
static void standard(tp_augment *a)
{
	light(a);
	a->crop_min = 0.25f;
	a->rotate = 0.5f;
	a->brightness = a->contrast = a->saturation = 0.3f;
	a->hue = 0.02f;
	a->blur = 0.1f;
	a->blur_max = 1.5f;
	a->jpeg = 0.1f;
	a->jpeg_min = 50;
}

static void strong(tp_augment *a)
{
	standard(a);
	a->crop_min = 0.08f;
	a->vflip = 0.5f;
	a->rotate = 0.75f;
	a->rotate_max = 45;
	a->brightness = a->contrast = a->saturation = 0.4f;
	a->hue = 0.05f;
	a->blur = 0.3f;
	a->blur_max = 2;
	a->jpeg = 0.3f;
	a->jpeg_min = 30;
}

tp_code tp_augment_preset(tp_augment *out, const char *name, tp_err *err)
{
	static void (*const set[])(tp_augment *) = { NULL, light, standard, strong };
	for (int i = 0; tp_augment_presets[i]; i++) {
		if (strcmp(tp_augment_presets[i], name) != 0)
			continue;
		tp_augment a = TP_AUGMENT_INIT;
		if (set[i])
			set[i](&a);
		*out = a;
		return TP_OK;
	}
	return tp_fail(err, TP_ENOTFOUND, "augment \"%.20s\": none, light, standard or strong", name);
}
