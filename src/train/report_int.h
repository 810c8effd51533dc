/* Pieces of the report, made from web/ by tools/embed.cmake when building. Each is followed by a byte 0. */
#ifndef TP_TRAIN_REPORT_INT_H
#define TP_TRAIN_REPORT_INT_H

#include <stddef.h>

typedef struct {
	const char *name, *type, *etag;
	const unsigned char *ptr;
	size_t len;
} tp_report_file;
extern const tp_report_file tp_report_files[];
extern const int tp_n_report_files;

#endif
