/* A contact sheet of augmented views: see show_augment.h. */
#include "train/show_augment.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "image/sheet.h"

enum { ROWS = 8, VIEWS = 7, COLUMNS = VIEWS + 1 };

typedef struct {
	const tp_manifest *m;
	const tp_prep *prep;
	tp_augment augment, none;
	uint64_t seed;
	tp_scratch *scratch;
	tp_image *cell[ROWS * COLUMNS];
	int rows;
} sheet;

/* The scratch's view is gone with the next one: a copy stays. */
static tp_code keep(tp_image **out, const tp_image *view, tp_err *err)
{
	tp_code rc = tp_image_new(out, view->w, view->h, err);
	if (!rc)
		memcpy((*out)->px, view->px, (size_t)view->w * (size_t)view->h * 3);
	return rc;
}

/* One cell: the view of an epoch, or the photo as evaluation sees it (column 0). */
static tp_code add_view(sheet *s, int column, size_t sample, const uint8_t *bytes, size_t len, tp_err *err)
{
	const tp_augment *a = column ? &s->augment : &s->none;
	tp_augment_key key = { .seed = s->seed, .epoch = (uint64_t)(column - 1), .sample = sample };
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_image_info info;
	tp_augment_params d;
	tp_image *img = NULL;
	const tp_image *view = NULL;
	tp_code rc = tp_image_probe(&info, bytes, len, err);
	if (rc)
		return rc;
	bool turned = info.orientation > 4;
	tp_augment_draw(&d, a, &key, turned ? info.h : info.w, turned ? info.w : info.h);
	o.min_side = tp_augment_min_side(s->prep, &d);
	rc = tp_image_decode(&img, bytes, len, &o, err);
	if (!rc)
		rc = tp_augment_view(&view, s->prep, &d, img, s->scratch, err);
	if (!rc)
		rc = keep(&s->cell[s->rows * COLUMNS + column], view, err);
	tp_image_free(img);
	return rc;
}

static tp_code add_photo(sheet *s, size_t i, size_t sample, tp_err *err)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_code rc = tp_photo_read(&bytes, &len, s->m, i, err);
	for (int k = 0; k < COLUMNS && !rc; k++)
		rc = add_view(s, k, sample, bytes, len, err);
	s->rows += !rc;
	tp_free(bytes);
	return rc;
}

/* Training photos are numbered as a run numbers them; of each species the first that can be read. */
static tp_code collect(sheet *s, tp_err *err)
{
	size_t sample = 0;
	int last = -1;
	for (size_t i = 0; i < s->m->n_photos && s->rows < ROWS; i++) {
		const tp_photo *p = &s->m->photos[i];
		tp_err why = { 0 };
		if (p->split != TP_TRAIN)
			continue;
		size_t number = sample++;
		if (p->species == last)
			continue;
		tp_code rc = add_photo(s, i, number, &why);
		if (rc == TP_ENOMEM || rc == TP_EBACKEND)
			return tp_fail(err, rc, "%s", why.msg);
		if (!rc)
			last = p->species;
	}
	return s->rows ? TP_OK : tp_fail(err, TP_EINVAL, "there is no photo to show");
}

static tp_code write_sheet(const sheet *s, const char *path, tp_err *err)
{
	tp_sheet_opts o = TP_SHEET_OPTS_INIT;
	tp_buf b;
	tp_outfile *f = NULL;
	o.columns = COLUMNS;
	o.cell = s->prep->side < 224 ? s->prep->side : 224;
	tp_buf_init(&b, TP_MAX_DECODE);
	tp_code rc =
		tp_contact_sheet(&b, (const tp_image *const *)s->cell, (size_t)(s->rows * COLUMNS), &o, err);
	if (!rc)
		rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, b.ptr, b.len, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	tp_buf_dispose(&b);
	return rc;
}

tp_code tp_show_augment(
	const char *path, const tp_manifest *m, const tp_prep *prep, const tp_recipe *r, tp_err *err)
{
	sheet s = { .m = m, .prep = prep, .none = TP_AUGMENT_INIT, .seed = (uint64_t)r->seed };
	tp_code rc = tp_recipe_augment(&s.augment, r, err);
	if (!rc)
		rc = tp_scratch_new(&s.scratch, err);
	if (!rc)
		rc = collect(&s, err);
	if (!rc)
		rc = write_sheet(&s, path, err);
	for (int i = 0; i < ROWS * COLUMNS; i++)
		tp_image_free(s.cell[i]);
	tp_scratch_free(s.scratch);
	return rc;
}
