/* Cleaning, from the photos' files to a verdict for each: see clean.h. */
#include "data/clean.h"

#include "base/cancel.h"
#include "base/mem.h"
#include "data/clean_int.h"

static tp_code judge(tp_clean_work *w, tp_err *err)
{
	tp_clean_near *near = NULL;
	tp_code rc = tp_clean_load(w, err);
	if (!rc)
		rc = tp_clean_near_find(&near, w, err);
	if (!rc)
		rc = tp_clean_look(w, near, err);
	if (!rc)
		rc = tp_clean_copies(w, near, err);
	tp_clean_near_free(near);
	if (!rc)
		rc = tp_clean_labels(w, err);
	if (!rc)
		rc = tp_clean_rare(w, err);
	if (!rc)
		rc = tp_cancel_check(err);
	if (rc)
		return rc;
	tp_clean_decide(w);
	return w->o->dry_run ? TP_OK : tp_clean_write(w, err);
}

tp_code tp_clean(tp_cleaned *out, const char *dir, const tp_clean_opts *o, tp_err *err)
{
	tp_clean_work w = { .o = o, .dir = dir, .sum = out };
	*out = (tp_cleaned){ 0 };
	if (o->threads < 1)
		return tp_fail(err, TP_EINVAL, "cleaning on %d threads", o->threads);
	if (!(o->cosine >= -1 && o->cosine <= 1))
		return tp_fail(err, TP_EINVAL, "a cosine of %g: -1 to 1 are possible", (double)o->cosine);
	tp_code rc = tp_catalog_open(&w.c, dir, TP_CATALOG_WRITE, err);
	if (!rc)
		rc = tp_clean_measure(&w, err);
	if (!rc)
		rc = judge(&w, err);
	tp_catalog_close(w.c);
	tp_free(w.p);
	tp_free(w.f);
	tp_free(w.group);
	tp_free(w.seen);
	return rc;
}
