/* Photos as batches of tensors, made by threads ahead of the network that reads them.
 *
 * What a batch holds depends on the options, the epoch and the order alone, never on threads or their timing. A photo
 * that cannot be read is left out, counted and remembered; its place goes to the next sample of the order, so that the
 * batches are the readable samples of the order cut into runs of `batch`. Only the last one may be short. Other
 * samples keep their pixels: each is augmented by a key of its own (augment.h).
 *
 * Memory, decided at creation: `ahead` batches of batch * (12 * side * side + 8) bytes, what one photo takes to decode
 * for each thread, and the cache. Threads: a loader is used by one thread at a time. */
#ifndef TP_DATA_LOADER_H
#define TP_DATA_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/augment.h"

typedef struct {
	const char *path; /* relative to the root; names the photo in messages */
	int label;
} tp_labelled;

/* Bytes of a photo, from elsewhere than files. Called by all threads at once. *bytes: from tp_alloc(), freed by the
 * loader. TP_ENOMEM, TP_EBACKEND end the epoch; any other error makes the photo a bad one. */
typedef tp_code (*tp_loader_read)(void *ud, size_t sample, uint8_t **bytes, size_t *len, tp_err *err);

typedef struct {
	const char *root;           /* folder of the paths; not read when there is a `read` */
	const tp_labelled *samples; /* borrowed, with their paths, for the life of the loader */
	size_t n_samples;           /* 1..UINT32_MAX */
	tp_loader_read read;
	void *ud;
	tp_prep prep;
	const tp_augment *augment; /* copied; NULL: photos as tp_prep_photo() makes them, for evaluation */
	uint64_t seed;
	int batch;   /* photos in one, 1..4096 */
	int threads; /* 1..256 */
	int ahead;   /* batch buffers, the one the caller has included: 2..64 */
	/* Decoded photos are shrunk to this short side (larger ones only; 0: not) before anything else, and kept while
	 * they are under cache_bytes in all: later epochs then decode nothing. All photos are shrunk, kept or not, so
	 * that what was kept cannot be told from the batches. A part cut out of a shrunk photo has fewer pixels. */
	int cache_side;
	size_t cache_bytes;
} tp_loader_opts;
#define TP_LOADER_OPTS_INIT                                                                                  \
	{                                                                                                    \
		.batch = 32, .threads = 1, .ahead = 3                                                        \
	}

typedef struct tp_loader tp_loader;
/* opts is copied. Errors  TP_EINVAL (an option), TP_ENOMEM, TP_EBACKEND (no thread can be started). */
TP_CHECKED tp_code tp_loader_new(tp_loader **out, const tp_loader_opts *opts, tp_err *err);
void tp_loader_free(tp_loader *l); /* any time; waits for the photos being decoded. NULL is fine */

/* Begins an epoch; one that is not over ends. order: n sample numbers, copied; a sampler may name a sample more than
 * once, each time gives another view. The first `from` of them are not loaded (an epoch that goes on where it was
 * stopped; what follows is the same as without a stop while no photo is bad).
 * Errors  TP_EINVAL (a number that is no sample), TP_ENOMEM. */
TP_CHECKED tp_code tp_loader_start(
	tp_loader *l, uint64_t epoch, const uint32_t *order, size_t n, size_t from, tp_err *err);

/* x: NCHW floats, n photos. Owned by the loader, valid until the next call with it; may be written to. */
typedef struct {
	int n; /* 0: the epoch is over */
	float *x;
	const int *labels;
	const uint32_t *samples;
} tp_loaded;
/* Errors  TP_ECANCEL (tp_cancel()), TP_ENOMEM, TP_EBACKEND; the epoch is then over, another may be started. */
TP_CHECKED tp_code tp_loader_next(tp_loaded *out, tp_loader *l, tp_err *err);

/* Since creation. */
typedef struct {
	double waited;  /* seconds tp_loader_next() made its caller wait */
	size_t photos;  /* handed out */
	size_t skipped; /* places in orders whose photo could not be read */
	size_t bad;     /* different photos among those */
	size_t cached;  /* photos in the cache */
	size_t cached_bytes;
	double read;            /* seconds of all threads: reading files */
	tp_augment_times times; /* decode includes shrinking for the cache */
} tp_loader_stats;
void tp_loader_get_stats(tp_loader_stats *out, tp_loader *l);

/* The i-th photo that could not be read (0..stats.bad - 1), by sample number, and why; valid until the next call with
 * the loader. A bad photo is not read again. */
typedef struct {
	size_t sample;
	const char *why;
} tp_loader_bad;
tp_loader_bad tp_loader_bad_at(tp_loader *l, size_t i);

#endif
