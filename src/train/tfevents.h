/* Records of TensorBoard's event files, as bytes; for runlog.c, which writes them. A record is a protobuf message Event
 * between two checksums (TFRecord); of the message there is what a scalar needs, encoded by hand. */
#ifndef TP_TRAIN_TFEVENTS_H
#define TP_TRAIN_TFEVENTS_H

#include "train/runlog.h"

enum { TP_TFEVENT_BYTES = 64 + TP_RUNLOG_VALUES * (TP_RUNLOG_TAG + 16) };
typedef struct {
	uint8_t v[TP_TFEVENT_BYTES];
	size_t len;
} tp_tfevent;

/* `time` is seconds since 1970. */
void tp_tfevent_version(tp_tfevent *e, double time); /* the first of a file */
/* A run begins again here: readers forget what they have of this step and later ones. */
void tp_tfevent_start(tp_tfevent *e, double time, uint64_t step);
void tp_tfevent_values(tp_tfevent *e, double time, uint64_t step, const tp_run_value *v, size_t n);

/* CRC-32C (Castagnoli), as in RFC 3720. */
uint32_t tp_crc32c(const void *p, size_t n);

#endif
