/* The photos of a catalog that are known by their URL alone, brought here: DIR/photos/000012/000012345.jpg is photo 12,345.
 *
 * Every photo ends as fetched, as failed for a named reason, or as left for another run. A reason that will not go away by
 * itself (404, no photo) is kept as a finding and excludes the photo; it is tried again only when that is asked for. What may
 * pass (no answer, 503) is tried a few times now and again in the next run.
 * A photo is renamed into its place when it is whole and has been looked at, and only then written into the catalog.
 * Killed at any moment, the next run takes what lies there and fetches what is missing. */
#ifndef TP_DATA_FETCH_H
#define TP_DATA_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef enum {
	TP_FETCH_STATUS,
	TP_FETCH_URL,
	TP_FETCH_ADDRESS,
	TP_FETCH_NO_PHOTO,
	TP_FETCH_LARGE,
	TP_FETCH_CHANGED,
	TP_FETCH_BUSY,
	TP_FETCH_CONNECT,
	TP_FETCH_SLOW,
	TP_FETCH_CUT,
	TP_FETCH_TLS,
	TP_FETCH_REASONS,
} tp_fetch_reason;
typedef struct {
	const char *rule; /* of the finding: "fetch_status" */
	const char *help; /* "the server does not give it (404, 403, ...)" */
	bool retried;     /* in the same run */
	bool lasts;       /* not tried again in later runs, and excludes the photo */
} tp_fetch_reason_info;
extern const tp_fetch_reason_info tp_fetch_reasons[TP_FETCH_REASONS];

typedef struct {
	const char *dir; /* of the catalog */
	int jobs;        /* downloads at one time, 1..256 */
	int per_host;    /* of them, from one host */
	double pause;    /* seconds between two beginnings at one host */
	int tries;       /* of one photo */
	double backoff;  /* seconds before the second try, about; doubles with each */
	double max_wait; /* seconds a host may ask to be left alone; asking for more it is given up in this run */
	double timeout;      /* seconds that one try may take */
	double stall;        /* seconds with less than 1 KiB a second after which a try ends */
	int redirects;       /* of one photo */
	int64_t max_photo;   /* bytes; at most TP_MAX_PHOTO_FILE */
	int64_t max_total;   /* bytes that come in this run; 0: no limit */
	bool allow_private;  /* addresses that are not of the open Internet */
	bool again;          /* also what failed for a reason that lasts */
	const char *version; /* of tepal */
	const char *contact; /* of the one who fetches, for hosts: printable ASCII; NULL */
	uint64_t seed;       /* of the jitter of waits */
	bool quiet;
	/* Told of each photo that failed, or that is left because its host was given up (reason NULL); NULL: nobody asks. */
	void (*failed)(void *ud, int64_t photo, const char *url, const char *reason);
	void *ud;
} tp_fetch_opts;

typedef struct {
	size_t wanted;  /* = fetched + here + failed + left */
	size_t fetched; /* downloaded now */
	size_t here;    /* lay there already, of a run that was killed */
	size_t failed, by[TP_FETCH_REASONS];
	size_t left;           /* for another run: stopped, a limit was reached, or its host was given up */
	size_t given_up;       /* not among those wanted: an earlier run found a reason that lasts */
	size_t excluded;       /* not among those wanted either: another rule excludes them */
	size_t hosts_given_up; /* that do not answer, or want to be left alone */
	size_t resumed;        /* of those fetched: went on from a part */
	bool limit;            /* max_total was reached */
	int64_t bytes;         /* that came */
} tp_fetched;

/* Errors: those of the catalog; TP_EIO when the disk is full or refuses; TP_ECANCEL; TP_EINVAL for an option outside its
 * range; TP_EBACKEND of libcurl. *out is filled in any case, and what was fetched stays.
 * The caller ignores SIGPIPE, and SIGXFSZ where files may have a limit of size.
 * Threads: one, and none other may use libcurl for the first time meanwhile. */
TP_CHECKED tp_code tp_fetch(tp_fetched *out, const tp_fetch_opts *o, tp_err *err);

#endif
