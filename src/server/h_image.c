/* Reference photos, by the id that an identification gave. The client names an id of the index, never a path; what
 * it gets is drawn anew from the pixels, so that no metadata (place, camera, owner) leaves with it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/app_int.h"

enum { QUALITY = 85 };

/* The longest side of a size, 0 when there is no such size. */
static int longest_side(const char *size)
{
	return !strcmp(size, "o") ? 1280 : !strcmp(size, "m") ? 600 : !strcmp(size, "s") ? 150 : 0;
}

static bool is_id(const char *s)
{
	return strlen(s) == 40 && strspn(s, "0123456789abcdef") == 40;
}

static tp_code shrink(tp_image **img, int side, tp_err *err)
{
	const tp_image *src = *img;
	int longest = src->w > src->h ? src->w : src->h;
	if (longest <= side)
		return TP_OK;
	double scale = (double)side / longest;
	int w = (int)(src->w * scale + 0.5), h = (int)(src->h * scale + 0.5);
	tp_box box = { 0, 0, src->w, src->h };
	tp_image *small = NULL;
	tp_code rc = tp_image_resize(&small, src, w < 1 ? 1 : w, h < 1 ? 1 : h, TP_BICUBIC, &box, err);
	if (rc)
		return rc;
	tp_image_free(*img);
	*img = small;
	return TP_OK;
}

static tp_code render(tp_buf *out, const tp_index *x, size_t row, int side, tp_err *err)
{
	tp_decode_opts opts = TP_DECODE_OPTS_INIT;
	tp_image *img = NULL;
	uint8_t *bytes = NULL;
	char *path = NULL;
	size_t len = 0;
	opts.min_side = side;
	tp_code rc = tp_index_photo_path(&path, x, row, err);
	if (!rc)
		rc = tp_file_read(&bytes, &len, path, TP_MAX_PHOTO_FILE, err);
	if (!rc)
		rc = tp_image_decode(&img, bytes, len, &opts, err);
	if (!rc)
		rc = shrink(&img, side, err);
	if (!rc)
		rc = tp_image_encode_jpeg(out, img, QUALITY, err);
	tp_image_free(img);
	tp_free(bytes);
	tp_free(path);
	return rc;
}

tp_code tp_h_image(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	const tp_index *x = tp_engine_index(app->engine);
	int side = longest_side(c->param[0]);
	long row = x && side && is_id(c->param[1]) ? tp_index_find(x, c->param[1]) : -1;
	if (row < 0)
		return tp_reply_problem(r, TP_PROBLEM_NO_IMAGE);
	snprintf(r->etag, sizeof r->etag, "\"%.1s-%.40s\"", c->param[0], c->param[1]);
	r->cache = "public, max-age=31536000, immutable";
	if (c->req->if_none_match && !strcmp(c->req->if_none_match, r->etag)) {
		tp_reply_not_modified(r);
		return TP_OK;
	}
	r->type = "image/jpeg";
	tp_code rc = render(&r->body, x, (size_t)row, side, err);
	if (!rc || rc == TP_ENOMEM)
		return rc;
	/* a photo that was moved or damaged since it was indexed; the path is ours alone to know */
	snprintf(r->note, sizeof r->note, "reason=\"%.140s\"", tp_code_name(rc));
	return tp_reply_problem(r, TP_PROBLEM_NO_IMAGE);
}
