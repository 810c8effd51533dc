/* Every ceiling on what comes from outside, in one place. A parser checks its ceiling before it allocates. */
#ifndef TP_BASE_LIMITS_H
#define TP_BASE_LIMITS_H

enum {
	TP_MAX_UPLOAD = 50 << 20,      /* bytes in one request body: 52,428,800, as Pl@ntNet's API has it */
	TP_MAX_PHOTOS = 5,             /* photos of one plant in one request */
	TP_MAX_DECODE = 256 << 20,     /* bytes one photo may take while it is decoded */
	TP_MAX_PHOTO_FILE = 200 << 20, /* bytes of a photo read from disk */
	TP_MAX_SIDE = 65535,           /* pixels; the widest a JPEG can say */
	TP_MAX_JSON = 16 << 20,        /* bytes of one JSON text in a model, an index or a request */
	TP_MAX_ST_HEADER =
		100 << 20,         /* bytes of a safetensors header; the format's own reader has the same */
	TP_MAX_TENSORS = 65536,    /* tensors in one file */
	TP_MAX_CLASSES = 1 << 20,  /* classes in one model */
	TP_MAX_SAMPLES = 1 << 26,  /* samples of one epoch; up to it a sampler's arithmetic is exact */
	TP_MAX_PICKLE = 64 << 20,  /* bytes of pickle in one checkpoint */
	TP_MAX_CSV_LINE = 1 << 20, /* bytes of one line of a CSV file */
	TP_MAX_LISTED =
		1 << 23, /* plant names in all files of a backbone; the world's lists have 1.6 million */
	TP_MAX_CSV_FIELDS = 1024, /* of one line; a download of GBIF's has about 250 */
	TP_MAX_PATH = 4096,       /* bytes of a photo's path in a data set */
	TP_MAX_URL = 8192,
	TP_MAX_NAME = 1024,         /* bytes of a plant's name as given */
	TP_MAX_TEXT = 4096,         /* bytes of another text of a photo's: author, licence, observation */
	TP_MAX_JSON_ITEM = 1 << 20, /* bytes of one record in a JSON file that is read as a stream */
	TP_MAX_META_XML = 1 << 20,  /* bytes of a Darwin Core Archive's meta.xml */
	TP_MAX_MEMBERS = 1 << 20,   /* files in an archive of a data set */
	TP_MAX_INFLATE = 200, /* an archive's member may be so many times as large as the archive, ... */
	TP_FREE_INFLATE = 64 << 20, /* ... or so many bytes: more is taken for a zip bomb */
	TP_MAX_RUN_LINE = 1 << 20,  /* bytes of one line of a run's log */
	TP_MAX_CURVES = 64,         /* different values in one run's log */
	TP_MAX_REPORT = 64 << 20,   /* bytes of the page made of it */
};

#endif
