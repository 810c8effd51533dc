/* A contact sheet: many small pictures in one file, for a look at what training does to photos.
 * Threads: pure; any thread. */
#ifndef TP_IMAGE_SHEET_H
#define TP_IMAGE_SHEET_H

#include "image/image.h"

typedef struct {
	int columns;        /* 1..64 */
	int cell;           /* pixels a side, 16..1024; a picture is scaled to fit, centred, never enlarged */
	int margin;         /* pixels around and between cells, 0..64 */
	uint8_t grey;       /* of what is no picture */
	tp_image_kind kind; /* TP_KIND_JPEG or TP_KIND_PNG */
	int quality;        /* JPEG only */
} tp_sheet_opts;
#define TP_SHEET_OPTS_INIT                                                                                   \
	{                                                                                                    \
		.columns = 5, .cell = 224, .margin = 4, .grey = 255, .kind = TP_KIND_JPEG, .quality = 90     \
	}

/* Cells in rows, left to right; a NULL among them stays empty. The file's bytes are appended to buf.
 * opts  NULL: the defaults.
 * Errors  TP_EINVAL (options; no cells; a sheet over TP_MAX_DECODE bytes is TP_ELIMIT), TP_ENOMEM, what the buffer
 *         and the encoders say. buf is unchanged then. */
TP_CHECKED tp_code tp_contact_sheet(
	tp_buf *buf, const tp_image *const *cells, size_t n, const tp_sheet_opts *opts, tp_err *err);

#endif
