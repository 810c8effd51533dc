/* A small catalog with one of everything that a report tells of, for test_report.c and e2e/data_report.test.mjs: kept
 * photos, some left out, two copies, a damaged file, one that is not there, one that is only an address, texts that would
 * like to be markup. The pictures are drawn here. */
#ifndef TP_TESTS_REPORT_SET_H
#define TP_TESTS_REPORT_SET_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "image/image.h"

#define HOSTILE "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> & \"q\" 'too'"
enum { SET_PHOTOS = 20, SET_KEPT = 13 };

static tp_code set_draw(const char *dir, const char *name, int hue, tp_err *err)
{
	tp_image *img = NULL;
	tp_buf jpeg;
	tp_outfile *f = NULL;
	char *path = tp_path_join(dir, name);
	tp_buf_init(&jpeg, 1 << 20);
	tp_code rc = path ? tp_image_new(&img, 300, 200, err) : tp_nomem(err, strlen(name));
	for (int i = 0; i < 300 * 200 && !rc; i++) {
		img->px[3 * i] = (uint8_t)(hue * 37);
		img->px[3 * i + 1] = (uint8_t)(i % 300 * 255 / 300);
		img->px[3 * i + 2] = (uint8_t)(i / 300);
	}
	if (!rc)
		rc = tp_image_encode_jpeg(&jpeg, img, 80, err);
	if (!rc)
		rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, jpeg.ptr, hue < 0 ? 40 : jpeg.len, err); /* below 0: a damaged one */
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	tp_buf_dispose(&jpeg);
	tp_image_free(img);
	tp_free(path);
	return rc;
}

/* Photo i of SET_PHOTOS; its number in the catalog is i + 1. */
static tp_code set_row(tp_catalog *c, const char *dir, int i, tp_err *err)
{
	char path[64], author[32], observation[16], date[16];
	tp_added how;
	tp_row r = TP_ROW_INIT;
	snprintf(path, sizeof path, i == 0 ? "<b>'0'.jpg" : "%d.jpg", i);
	snprintf(author, sizeof author, i == 3 ? "<i>&" : "author %d", i % 4);
	snprintf(observation, sizeof observation, "o%d", i == 6 || i == 7 ? 0 : i);
	snprintf(date, sizeof date, "%d-%02d-01", 2018 + i % 3, 1 + i % 12);
	r.path = path;
	r.name = i < 12 ? "Aloe vera" : i == 17 ? HOSTILE : "Bellis perennis";
	r.family = i < 12 ? "Asphodelaceae" : i == 17 ? "" : "Asteraceae";
	r.organ = i % 2 ? "leaf" : "flower";
	r.licence = "cc-by";
	r.author = author;
	r.observation = observation;
	r.where = "line 1";
	if (i != 5) {
		r.date = date;
		r.lat = 43.5 + i % 3 * 2;
		r.lon = -1.5;
	}
	if (i == 19) {
		r.path = NULL;
		r.url = "https://example.org/x.jpg";
	}
	tp_code rc = tp_catalog_add(c, &r, &how, err);
	if (!rc && how != TP_ADDED)
		rc = tp_fail(err, TP_EINVAL, "photo %d was not added", i);
	return rc || i >= 18 ? rc : set_draw(dir, path, i == 5 ? -1 : i, err);
}

static tp_code set_exclude(
	tp_catalog *c, int64_t photo, const char *rule, double value, int64_t other, tp_err *err)
{
	const int column = TP_SET_EXCLUDED;
	const tp_catalog_value v = { .kind = TP_VALUE_TEXT, .p = rule };
	const tp_catalog_finding f = { photo, rule, value, other };
	tp_code rc = tp_catalog_set(c, &column, 1, &photo, 1, &v, err);
	return rc ? rc : tp_catalog_find(c, &f, err);
}

static tp_code set_measures(tp_catalog *c, int64_t photo, tp_err *err)
{
	static const int column[] = { TP_SET_WIDTH, TP_SET_HEIGHT, TP_SET_BYTES, TP_SET_PHASH, TP_SET_SPLIT,
		TP_SET_MEASURE + TP_BRIGHTNESS, TP_SET_MEASURE + TP_SHARPNESS };
	const tp_catalog_value v[] = { { TP_VALUE_INT, .i = 300 }, { TP_VALUE_INT, .i = 200 },
		{ TP_VALUE_INT, .i = 4096 }, { TP_VALUE_INT, .i = photo },
		{ TP_VALUE_INT, .i = photo % 2 ? TP_TRAIN : TP_TEST },
		{ TP_VALUE_NUMBER, .d = 0.1 + 0.04 * (double)photo },
		{ TP_VALUE_NUMBER, .d = 3 + (double)photo } };
	return tp_catalog_set(c, column, sizeof column / sizeof *column, &photo, 1, v, err);
}

static tp_code set_findings(tp_catalog *c, tp_err *err)
{
	static const struct {
		int64_t photo;
		const char *rule;
		double value;
		int64_t other;
	} all[] = { { 2, "dark", 20, 0 }, { 3, "dark", 5, 0 }, { 4, "near-duplicate", 3, 1 },
		{ 5, "near-duplicate", 6, 1 }, { 6, "unreadable", NAN, 0 }, { 18, HOSTILE, 7, 0 },
		{ 19, "blurred", 1, 0 } };
	const tp_catalog_finding also = { 3, "blurred", 2, 0 }, kept = { 8, "text", 0.5, 0 };
	tp_code rc = TP_OK;
	for (size_t i = 0; i < sizeof all / sizeof *all && !rc; i++)
		rc = set_exclude(c, all[i].photo, all[i].rule, all[i].value, all[i].other, err);
	if (!rc)
		rc = tp_catalog_find(c, &also, err);
	if (!rc)
		rc = tp_catalog_find(c, &kept, err);
	for (int64_t photo = 1; photo <= 17 && !rc; photo++)
		rc = photo == 6 ? TP_OK : set_measures(c, photo, err);
	return rc;
}

/* Makes photos in `photos` and a catalog in `dir`. clean: with verdicts, measures and matched names. */
static tp_code set_make(const char *dir, const char *photos, bool clean, tp_err *err)
{
	const tp_catalog_source source = {
		.kind = "csv", .root = photos, .options = "<u>", .citation = HOSTILE
	};
	tp_catalog *c = NULL;
	tp_code rc = tp_make_dirs(photos, err);
	if (!rc)
		rc = tp_catalog_open(&c, dir, TP_CATALOG_CREATE, err);
	if (!rc)
		rc = tp_catalog_begin(c, err);
	if (!rc)
		rc = tp_catalog_source_begin(c, &source, err);
	for (int i = 0; i < SET_PHOTOS && !rc; i++)
		rc = set_row(c, photos, i, err);
	for (int i = 0; i < 3 && !rc; i++)
		rc = tp_catalog_refuse(c, i ? "line <2>" : "line 1", i ? "no species" : HOSTILE, err);
	if (!rc)
		rc = tp_catalog_source_end(c, 1000, SET_PHOTOS + 3, 0, err);
	if (!rc && clean)
		rc = set_findings(c, err);
	if (!rc && clean)
		rc = tp_catalog_match(c, 1, 1, "exact", "", err);
	if (!rc && clean)
		rc = tp_catalog_match(c, 3, 3, "unmatched", "Nearest <b>name</b>", err);
	if (!rc)
		rc = tp_catalog_commit(c, err);
	tp_catalog_close(c);
	return rc;
}

#endif
