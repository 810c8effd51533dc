/* A catalog as one HTML page that needs nothing else: no server, no host, no other file. It is what a person reads before
 * trusting the set: what is in it, what was left out and why, and what the photos left out look like. */
#ifndef TP_DATA_REPORT_H
#define TP_DATA_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TP_REPORT_MAX_SHEET = 96 };

typedef struct {
	const char *catalog; /* its folder */
	const char *output;  /* the page; appears whole or not at all */
	int sheet;           /* photos shown of each rule, at most; 0..TP_REPORT_MAX_SHEET */
	uint64_t seed;       /* which are shown, where no value says which are the most extreme */
	int threads;         /* that make thumbnails, at least 1 */
	bool quiet;
	const char *version; /* of the program */
	int64_t now;         /* Unix time */
} tp_data_report_opts;
#define TP_DATA_REPORT_OPTS_INIT                                                                             \
	{                                                                                                    \
		.sheet = 24, .seed = 1, .threads = 1, .version = ""                                          \
	}

typedef struct {
	int64_t photos, kept;
	size_t shown,
		missing; /* thumbnails; photos that have only a placeholder, their files not being readable */
	size_t bytes;    /* of the page */
} tp_data_reported;

/* Reads the catalog once, row by row: memory grows with species, authors and observations by a few bytes each, and with
 * excluded photos by 16. However many photos there are, the page has a bounded number of rows and pictures: at most
 * TP_MAX_REPORT bytes, and under 16 MiB with the sheets of TP_DATA_REPORT_OPTS_INIT.
 * A photo that is not there or cannot be decoded is shown as a placeholder and counted.
 * Errors   those of tp_catalog_open(); TP_EINVAL (sheet), TP_ELIMIT (a number of a row over 2^26 in a small table),
 *          TP_ECANCEL, TP_EIO, TP_ENOMEM.
 * Threads  pure but for the files; any thread. */
TP_CHECKED tp_code tp_data_report(tp_data_reported *out, const tp_data_report_opts *o, tp_err *err);

#endif
