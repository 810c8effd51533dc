/* A run as one HTML page that needs nothing else: no server, no host, no other file. */
#ifndef TP_TRAIN_HTML_REPORT_H
#define TP_TRAIN_HTML_REPORT_H

#include "base/err.h"

/* Curves by step, a table of the last and the best values, and what the run was told.
 * metrics_jsonl  a run's log (runlog.h), of a run that has ended or goes on; any length. Lines that cannot be read are
 *                counted on the page
 * record_json    a file with the run's record or configuration, any JSON object; NULL: the page has no such part
 * out_html       appears whole or not at all
 * Errors         TP_ENOTFOUND, TP_EFORMAT (the record), TP_ELIMIT (a page over TP_MAX_REPORT), TP_EIO, TP_ENOMEM.
 * Threads        pure but for the files; any thread. */
TP_CHECKED tp_code tp_html_report(
	const char *metrics_jsonl, const char *record_json, const char *out_html, tp_err *err);

#endif
