/* The rules: see rules.h. */
#include "data/rules.h"

#include <string.h>

#include "base/nearest.h"
#include "data/catalog.h"

const tp_rule tp_rules[TP_RULES] = {
	[TP_RULE_UNREADABLE] = { "unreadable", true, 0, 0, 0, "",
		"the file is no photo, or is damaged or cut off: part of the plant would be grey" },
	[TP_RULE_NOT_FETCHED] = { TP_RULE_NOT_FETCHED_NAME, true, 0, 0, 0, "",
		"only its address is known: nobody has seen the photo yet" },
	[TP_RULE_FLAGGED] = { "flagged", true, 0, 0, 0, "",
		"the source or a person said that this photo must not be used for training" },
	[TP_RULE_EXACT_DUPLICATE] = { "exact-duplicate", true, 0, 0, 0, "",
		"the same bytes as another photo of the species: it would count twice, and could be trained "
		"and "
		"tested with" },
	[TP_RULE_TWO_SPECIES] = { "two-species", true, 2, 0, 12, "bits",
		"the same photo, or nearly, under two species: at least one of the names is wrong" },
	[TP_RULE_NEAR_DUPLICATE] = { "near-duplicate", true, 6, 0, 12, "bits",
		"nearly the same picture as another photo: resized, compressed again, brighter or slightly "
		"cut" },
	[TP_RULE_TURNED_DUPLICATE] = { "turned-duplicate", true, 2, 0, 12, "bits",
		"nearly the same picture as another photo once that is mirrored or turned" },
	[TP_RULE_SMALL] = { "small", true, 128, 1, 4096, "pixels of the short side",
		"too few pixels to see what tells species apart" },
	[TP_RULE_ASPECT] = { "aspect", true, 3, 1, 100, "long by short side",
		"so narrow that the square a network reads shows little of it" },
	[TP_RULE_DARK] = { "dark", true, 25, 0, 255, "mean luma", "too dark to see the plant" },
	[TP_RULE_BRIGHT] = { "bright", true, 245, 0, 255, "mean luma",
		"overexposed: the plant is washed out" },
	[TP_RULE_CONTRAST] = { "contrast", true, 12, 0, 127, "standard deviation of luma",
		"hardly any contrast: fog, a lens cap, a picture of one colour" },
	[TP_RULE_BLURRED] = { "blurred", true, 4.5f, 0, 1000, "sharpness",
		"nothing in the photo is sharp: veins, hairs and teeth cannot be seen" },
	[TP_RULE_TEXT] = { "text", true, 0.15f, 0, 1, "share of rows",
		"lines of print on paper: a label, a page or a table rather than a plant" },
	[TP_RULE_SYNTHETIC] = { "synthetic", false, 0.9f, 0, 1, "share of flat pixels",
		"so much of it is of one colour that it is a drawing, a map or a placeholder" },
	[TP_RULE_NOT_PLANT] = { "not-plant", true, 0.5f, 0, 1, "probability",
		"the model's background class is this probable; nothing is found until a model that has one "
		"was asked" },
	[TP_RULE_LABEL] = { "label", true, -0.75f, -1, 1, "margin",
		"confident learning takes the label for wrong: another species is confidently more probable; "
		"nothing is found until predictions by models that have not seen the photo were made" },
	[TP_RULE_RARE] = { "rare", true, 3, 1, 1000000, "photos",
		"its species has fewer photos than this left, too few to learn and to test" },
};

void tp_rule_set_init(tp_rule_set *s)
{
	for (int i = 0; i < TP_RULES; i++) {
		s->on[i] = tp_rules[i].on;
		s->threshold[i] = tp_rules[i].threshold;
	}
}

static tp_code find(int *out, const char *name, tp_err *err)
{
	const char *names[TP_RULES];
	for (*out = 0; *out < TP_RULES; ++*out) {
		names[*out] = tp_rules[*out].name;
		if (!strcmp(names[*out], name))
			return TP_OK;
	}
	const char *near = tp_nearest(name, names, TP_RULES);
	return tp_fail(err, TP_ENOTFOUND, "there is no rule \"%s\"%s%s%s", name,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

tp_code tp_rule_switch(tp_rule_set *s, const char *name, bool on, tp_err *err)
{
	int i;
	tp_code rc = find(&i, name, err);
	if (!rc)
		s->on[i] = on;
	return rc;
}

tp_code tp_rule_set_threshold(tp_rule_set *s, const char *name, float threshold, tp_err *err)
{
	int i;
	tp_code rc = find(&i, name, err);
	if (rc)
		return rc;
	const tp_rule *r = &tp_rules[i];
	if (r->min >= r->max)
		return tp_fail(err, TP_EINVAL, "rule %s has no threshold", name);
	if (!(threshold >= r->min && threshold <= r->max))
		return tp_fail(err, TP_EINVAL, "rule %s: %g %s; %g to %g are possible", name,
			(double)threshold, r->unit, (double)r->min, (double)r->max);
	s->threshold[i] = threshold;
	return TP_OK;
}

unsigned tp_rules_measured(const tp_rule_set *s, const tp_measures *m)
{
	const float *t = s->threshold;
	float side = (float)(m->w < m->h ? m->w : m->h);
	const bool applies[TP_RULES] = {
		[TP_RULE_SMALL] = side<t[TP_RULE_SMALL], [TP_RULE_ASPECT] = m->aspect> t[TP_RULE_ASPECT],
		[TP_RULE_DARK] =
			m->brightness<t[TP_RULE_DARK], [TP_RULE_BRIGHT] = m->brightness> t[TP_RULE_BRIGHT],
		[TP_RULE_CONTRAST] = m->contrast<t[TP_RULE_CONTRAST],
			[TP_RULE_BLURRED] =
				m->sharpness<t[TP_RULE_BLURRED], [TP_RULE_TEXT] = m->text> t[TP_RULE_TEXT],
			[TP_RULE_SYNTHETIC] = m->flat>
					     t[TP_RULE_SYNTHETIC],
	};
	unsigned bits = 0;
	for (int i = 0; i < TP_RULES; i++)
		bits |= (unsigned)(applies[i] && s->on[i]) << i;
	return bits;
}
