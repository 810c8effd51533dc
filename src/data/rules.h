/* The rules by which a photo is doubted: one line of a table each, with the switch it has, its threshold, and why.
 * A rule says what is wrong, the caller what follows from it; nothing is deleted here. docs/data.md has the figures
 * the thresholds were chosen by (bench/clean/planted.c).
 * Threads: everything is pure. */
#ifndef TP_DATA_RULES_H
#define TP_DATA_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "image/measure.h"

/* In the order in which they are asked: the first that applies names the reason. */
typedef enum {
	TP_RULE_UNREADABLE,
	TP_RULE_NOT_FETCHED,
	TP_RULE_FLAGGED,
	TP_RULE_EXACT_DUPLICATE,
	TP_RULE_TWO_SPECIES,
	TP_RULE_NEAR_DUPLICATE,
	TP_RULE_TURNED_DUPLICATE,
	TP_RULE_SMALL,
	TP_RULE_ASPECT,
	TP_RULE_DARK,
	TP_RULE_BRIGHT,
	TP_RULE_CONTRAST,
	TP_RULE_BLURRED,
	TP_RULE_TEXT,
	TP_RULE_SYNTHETIC,
	TP_RULE_NOT_PLANT,
	TP_RULE_LABEL,
	TP_RULE_RARE,
	TP_RULES
} tp_rule_id;

typedef struct {
	const char *name; /* also of its switch: --no-rule blurred, --rule blurred=8 */
	bool on;          /* unless told otherwise */
	float threshold;  /* what it is compared with; 0 for a rule that needs none */
	float min, max;   /* of the threshold; both 0 when there is none */
	const char *unit; /* of the threshold; "" */
	const char *why;  /* what the rule finds and why it is doubted; a sentence for a reader */
} tp_rule;

extern const tp_rule tp_rules[TP_RULES];

/* A choice of switches and thresholds, one for each rule. */
typedef struct {
	bool on[TP_RULES];
	float threshold[TP_RULES];
} tp_rule_set;

void tp_rule_set_init(tp_rule_set *s); /* as the table has it */
/* By name. TP_ENOTFOUND, with the nearest name; TP_EINVAL for a threshold outside its range or where there is none. */
TP_CHECKED tp_code tp_rule_switch(tp_rule_set *s, const char *name, bool on, tp_err *err);
TP_CHECKED tp_code tp_rule_set_threshold(tp_rule_set *s, const char *name, float threshold, tp_err *err);

/* The rules that judge one photo by its measures: bit TP_RULE_x is set for each that is on and applies
 * (SMALL, ASPECT, DARK, BRIGHT, CONTRAST, BLURRED, TEXT, SYNTHETIC). */
unsigned tp_rules_measured(const tp_rule_set *s, const tp_measures *m);

#endif
