/* Photos to thumbnails of a short side of 256, one thread: milliseconds a photo, the median of REPEATS.
 *
 *   thumb_bench REPEATS OUT PHOTO...
 *
 * Reads the file, decodes at the scale that suffices, resizes, encodes JPEG quality 75 and writes OUT, as vipsthumbnail
 * and Pillow are asked to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "image/image.h"

enum { SIDE = 256, QUALITY = 75 };

static tp_code thumbnail(const char *path, const char *out, tp_err *err)
{
	tp_decode_opts o = TP_DECODE_OPTS_INIT;
	tp_map file = { 0 };
	tp_image *img = NULL, *small = NULL;
	tp_buf jpeg;
	FILE *f;
	o.min_side = SIDE;
	tp_buf_init(&jpeg, 16 << 20);
	tp_code rc = tp_map_open(&file, path, err);
	if (!rc)
		rc = tp_image_decode(&img, file.ptr, file.len, &o, err);
	if (!rc) {
		int s = img->w < img->h ? img->w : img->h;
		rc = tp_image_resize(&small, img, (img->w * SIDE + s / 2) / s, (img->h * SIDE + s / 2) / s,
			TP_BICUBIC, NULL, err);
	}
	if (!rc)
		rc = tp_image_encode_jpeg(&jpeg, small, QUALITY, err);
	if (!rc && (f = fopen(out, "wb"))) {
		fwrite(jpeg.ptr, 1, jpeg.len, f);
		fclose(f);
	}
	tp_image_free(img);
	tp_image_free(small);
	tp_buf_dispose(&jpeg);
	tp_map_close(&file);
	return rc;
}

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	if (argc < 4) {
		fprintf(stderr, "usage: thumb_bench REPEATS OUT PHOTO...\n");
		return 2;
	}
	for (long r = strtol(argv[1], NULL, 10); r > 0; r--)
		for (int i = 3; i < argc; i++) {
			double t = tp_now();
			if (thumbnail(argv[i], argv[2], &err)) {
				fprintf(stderr, "%s: %s\n", argv[i], err.msg);
				return 1;
			}
			printf("%.3f\n", 1e3 * (tp_now() - t));
		}
	return 0;
}
