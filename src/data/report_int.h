/* The report's inside, for src/data/report*.c: counting (report_tally.c, report_stats.c), choosing what is shown
 * (report_pick.c), thumbnails (report_thumb.c), writing (report_page.c, report_parts.c, report_sheets.c).
 * Everything counted is counted twice: [TP_KEPT] and [TP_LEFT_OUT]. */
#ifndef TP_DATA_REPORT_INT_H
#define TP_DATA_REPORT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/page.h"
#include "data/catalog.h"
#include "data/report.h"
#include "data/rules.h"

/* ---- pieces of the page, made from web/ by tools/embed.cmake when building; each is followed by a byte 0 ---- */

typedef struct {
	const char *name, *type, *etag;
	const unsigned char *ptr;
	size_t len;
} tp_data_report_file;
extern const tp_data_report_file tp_data_report_files[];
extern const int tp_n_data_report_files;

/* ---- statistics (report_stats.c); pure ---- */

enum { TP_KEPT, TP_LEFT_OUT };
typedef uint64_t tp_pair_count[2]; /* [TP_KEPT], [TP_LEFT_OUT] */

/* A histogram that finds its own scale: bins from 0 up, twice as wide whenever a value lies beyond the last. Logarithmic:
 * TP_HIST_PER_OCTAVE bins an octave, from 1. */
enum { TP_HIST_BINS = 64, TP_HIST_PER_OCTAVE = 4 };
typedef struct {
	bool log;
	double limit; /* values from here on are counted in `over`, so that one odd photo does not squeeze the rest */
	double width; /* of a bin; a power of two */
	tp_pair_count bin[TP_HIST_BINS], under /* below 0, or 1 */, over, unknown;
	uint64_t known; /* all but unknown */
	double min, max;
} tp_hist;
void tp_hist_init(tp_hist *h, bool log, double limit);
void tp_hist_add(tp_hist *h, double v, int side); /* NAN is unknown */
double tp_hist_edge(const tp_hist *h, int i);     /* where bin i begins; i up to TP_HIST_BINS */

/* Of n counts in ascending order: 0 all alike, towards 1 one has all. 0 where there is nothing. */
double tp_gini(const uint32_t *ascending, size_t n);

/* What part of the sum the largest `share` (0..1) of the counts have, rounded up to whole ones. */
double tp_share_of_largest(const uint32_t *ascending, size_t n, double share);

/* The k best of many, held as they come. Smaller keys are better, then smaller lots, then smaller ids. */
typedef struct {
	double key, lot;
	int64_t id;
	double value; /* carried along, as the next */
	int64_t other;
} tp_best_item;
typedef struct {
	tp_best_item *v; /* a heap, the worst first, until tp_best_sort() */
	size_t n, k;
} tp_best;
TP_CHECKED tp_code tp_best_init(tp_best *b, size_t k, tp_err *err);
void tp_best_add(tp_best *b, tp_best_item x);
void tp_best_sort(tp_best *b); /* the best first; nothing is added afterwards */
void tp_best_dispose(tp_best *b);

/* Counts by text. Texts beyond `most` different ones, or none ("") are counted apart. */
typedef struct {
	char *text;
	int64_t group; /* whatever the text is of: a source */
	uint64_t hash;
	tp_pair_count n;
	uint64_t species; /* filled by who counts */
	char *example;    /* NULL */
} tp_text_count;
typedef struct {
	tp_text_count *v;
	uint32_t *slot; /* open addressing: index + 1 */
	size_t len, cap, n_slots, most;
	uint8_t key[16];
	tp_pair_count none, more; /* more: of texts that came when there were `most` already */
} tp_text_counts;
void tp_text_counts_init(tp_text_counts *t, size_t most);
/* *out: the entry, to add to; NULL for "" and for one too many (count none or more then). */
TP_CHECKED tp_code tp_text_counts_get(
	tp_text_count **out, tp_text_counts *t, int64_t group, const char *text, tp_err *err);
void tp_text_counts_sort(tp_text_counts *t); /* by kept + left out, most first; nothing is added afterwards */
void tp_text_counts_dispose(tp_text_counts *t);

/* ---- what is counted ---- */

enum {
	TP_FIRST_YEAR = 1700,
	TP_YEARS = 500,
	TP_CELL_DEGREES = 2,
	TP_CELLS_ACROSS = 360 / TP_CELL_DEGREES,
	TP_CELLS_DOWN = 180 / TP_CELL_DEGREES,
	TP_MAX_VERDICTS = 64, /* different reasons; more are one */
	TP_MOST_BITS = 64,
	TP_NAMES_SHOWN = 50,
	TP_SHEETS = 24,          /* rules of which photos are shown */
	TP_MOST_PICTURES = 2000, /* on the page; a pair is two */
	TP_REFUSED_SHOWN = 50,
};

typedef struct {
	uint32_t n[2];
	uint32_t split[TP_SPLITS + 1]; /* the last: held out */
} tp_species_count;
typedef struct {
	uint32_t n[2];
	uint8_t splits; /* bit s: has kept photos in split s */
} tp_id_count;
/* By number of a row; grows. */
typedef struct {
	tp_id_count *v;
	size_t n;
} tp_id_counts;

/* What is known of a verdict: the rule, how many photos it excluded, how many it hit, which of them are shown. */
typedef struct {
	char *rule;           /* "" for the kept photos */
	const tp_rule *known; /* NULL: not of the table */
	uint64_t photos, found;
	tp_best shown, lots;             /* lots: drawn by seed, for those of which no finding tells */
	bool pairs;                      /* its findings name another photo */
	uint64_t bits[TP_MOST_BITS + 1]; /* findings by value, where that is a number of bits */
} tp_verdict;

/* A quantity of photos that is drawn with the thresholds of the rules about it. */
typedef struct {
	const char *id, *title, *unit, *meaning;
	int measure; /* a tp_measure, or one of those below */
	bool log;
	double limit;
	double scale; /* the rules' unit in the catalog's */
	int rule[2];  /* a tp_rule_id, or -1 */
} tp_quantity;
enum { TP_WIDTH = TP_MEASURES, TP_HEIGHT, TP_SHORT_SIDE, TP_ASPECT, TP_FILE_SIZE };
enum { TP_QUANTITIES = 14 };
extern const tp_quantity tp_quantities[TP_QUANTITIES];

typedef struct {
	int64_t id;
	char *kind, *root, *options, *citation, *licence;
	int64_t finished, seen, refused, unused, photos;
	tp_pair_count n;
} tp_source_count;

typedef struct {
	int64_t id;
	char *name, *family, *authorship;
} tp_species_name; /* of a species that the page names */

typedef struct {
	char *text, *nearest;
	int64_t photos;
} tp_name_shown;

typedef struct {
	uint64_t photos, kept;
	tp_verdict *verdict; /* [0]: kept; then most photos first */
	size_t n_verdicts;
	uint64_t other_verdicts; /* photos of further reasons */

	tp_source_count *source;
	size_t n_sources;
	tp_text_counts refused; /* by reason, group is the source; n[TP_LEFT_OUT] */

	tp_species_count *species; /* by taxon */
	size_t n_taxa;
	uint32_t *ranked; /* taxa that have photos: most kept first, then most photos, then number */
	size_t n_ranked;
	uint32_t *kept_ascending, *all_ascending; /* counts of n_kept_species, n_ranked species */
	size_t n_kept_species;
	tp_species_name *named; /* by id */
	size_t n_named;
	tp_text_counts families, organs;

	tp_pair_count year[TP_YEARS], no_year, month[12], no_month;
	uint32_t (*cell)[2]; /* TP_CELLS_DOWN rows from the north, TP_CELLS_ACROSS columns from the west */
	tp_pair_count no_place;
	tp_text_counts licences, authors; /* the most frequent ones */
	size_t n_authors;                 /* that have kept photos */

	tp_hist hist[TP_QUANTITIES];
	uint64_t measured, hashed; /* photos with one measure at least; with a perceptual hash */
	uint64_t bytes, not_here /* only a URL is known */, no_train;

	uint64_t split[TP_SPLITS + 1], no_split; /* kept photos; the last: held out */
	uint64_t split_species[TP_SPLITS + 1],
		untrained;                        /* untrained: in validation or test, never in training */
	uint64_t observations, torn_observations; /* that have kept photos; in several splits */
	uint64_t duplicate_groups, torn_duplicates;
	uint64_t torn_authors;
	uint64_t names, names_as[5];      /* in the order of tp_matched */
	tp_name_shown *unmatched, *fuzzy; /* most photos first */
	size_t n_unmatched, n_fuzzy;
} tp_tally;

/* How a name was matched, as the catalog has it. */
typedef enum {
	TP_MATCHED_NOT,
	TP_MATCHED_EXACT,
	TP_MATCHED_SYNONYM,
	TP_MATCHED_FUZZY,
	TP_MATCHED_NO
} tp_matched;

/* Counts everything and chooses what is shown. tp_tally_dispose() also after an error. */
TP_CHECKED tp_code tp_tally_read(tp_tally *t, tp_catalog *c, const tp_data_report_opts *o, tp_err *err);
void tp_tally_dispose(tp_tally *t);

/* Makes room for number id, zeroed. TP_ELIMIT over 2^26. */
TP_CHECKED tp_code tp_room_for(void **v, size_t *n, int64_t id, size_t each, tp_err *err);

/* The verdict of a rule, added when new; NULL when there are TP_MAX_VERDICTS. Valid until the next is added. */
TP_CHECKED tp_code tp_tally_verdict(
	tp_verdict **out, tp_tally *t, const char *rule, size_t sheet, tp_err *err);

/* Excluded photos in the order of their numbers, and the verdict of each. */
typedef struct {
	int64_t *id;
	uint8_t *verdict;
	size_t n, cap;
} tp_excluded;
/* Chooses among what the rules found: the photos of each rule that are the most extreme (report_pick.c). */
TP_CHECKED tp_code tp_pick_found(
	tp_tally *t, tp_catalog *c, const tp_excluded *x, const tp_data_report_opts *o, tp_err *err);
/* By seed: a number in 0..1 for each photo, apart from its number. */
double tp_pick_lot(uint64_t seed, int64_t photo);

/* ---- pictures ---- */

typedef struct {
	int64_t id;
	char *path;  /* of the file; NULL: only a URL is known */
	char *label; /* the end of the path or URL */
	char *species;
	enum { TP_THUMB_OK, TP_THUMB_ELSEWHERE, TP_THUMB_MISSING, TP_THUMB_DAMAGED } state;
	int w, h; /* of the thumbnail */
	uint8_t *jpeg;
	size_t len;
} tp_thumb;
typedef struct {
	tp_thumb *v; /* by id */
	size_t n;
	uint64_t count[4]; /* by state */
} tp_thumbs;
enum {
	TP_THUMB_SIDE = 192,       /* pixels of the long side */
	TP_THUMB_BYTES = 16 << 10, /* of the JPEG, at most */
};
/* Thumbnails of all photos that are shown, each once. */
TP_CHECKED tp_code tp_thumbs_make(
	tp_thumbs *out, const tp_tally *t, tp_catalog *c, const tp_data_report_opts *o, tp_err *err);
void tp_thumbs_dispose(tp_thumbs *t);
const tp_thumb *tp_thumb_of(const tp_thumbs *t, int64_t id);

/* ---- the page ---- */

typedef struct {
	tp_page out;
	const tp_tally *t;
	const tp_thumbs *thumbs;
	const tp_data_report_opts *o;
} tp_report_page;

void tp_report_put_all(tp_report_page *p); /* report_page.c */

/* Pieces (report_parts.c). */
void tp_report_n(tp_report_page *p, uint64_t n);                    /* <data>1,204</data> */
void tp_report_share(tp_report_page *p, double part, double whole); /* 12.3 % */
void tp_report_value(tp_report_page *p, double v);                  /* four digits */
/* "1 photo" or "1,204 photos". */
void tp_report_n_of(tp_report_page *p, uint64_t n, const char *one, const char *many);
/* A column of a table, of numbers unless it is text. series: what a chart draws of it, for web/data-report/report.js;
 * NULL: not drawn. The first column is the rows' names. */
typedef struct {
	const char *name, *series;
	bool text;
} tp_column;
/* A chart's figure: its table is what the chart is drawn from, and what is read where none is drawn.
 * kind     "bars", "hist", "columns", "rank", "map": functions of report.js
 * extra    further attributes, our own markup; ""
 * columns  end at a NULL name; the table's rows follow, then tp_report_end_figure() */
void tp_report_figure(tp_report_page *p, const char *kind, const char *id, const char *title,
	const char *extra, const tp_column *columns);
void tp_report_end_figure(tp_report_page *p);
/* Tables and bars of two numbers each, kept and left out. attributes: ours. tp_report_rest(): a row that the chart leaves
 * out, none when both are 0. most: rows that are drawn. what: "families", for the rest. */
extern const tp_column tp_report_kept_and_not[];
void tp_report_row(tp_report_page *p, const char *attributes, const char *label, const uint64_t n[2]);
bool tp_report_is_none(const uint64_t n[2]);
void tp_report_rest(tp_report_page *p, const char *label, const uint64_t n[2]);
void tp_report_bars(tp_report_page *p, const char *id, const char *title, const tp_text_counts *x,
	size_t most, const char *what);
void tp_report_coverage(tp_report_page *p, const uint64_t none[2], const char *what);
void tp_report_table(tp_report_page *p, const char *label, const tp_column *columns);
void tp_report_end_table(tp_report_page *p);
void tp_report_cell(tp_report_page *p, uint64_t n); /* <td>, as the next */
void tp_report_share_cell(tp_report_page *p, double part, double whole);

/* Parts, by the marks of web/data-report/page.html. */
void tp_report_verdicts(tp_report_page *p);
void tp_report_sources(tp_report_page *p);
void tp_report_refused(tp_report_page *p);
void tp_report_tail(tp_report_page *p);
void tp_report_imbalance(tp_report_page *p);
void tp_report_species(tp_report_page *p);
void tp_report_groups(tp_report_page *p);
void tp_report_time(tp_report_page *p);
void tp_report_place(tp_report_page *p);
void tp_report_cells(tp_report_page *p); /* [[row, column, kept, left out], ...] */
void tp_report_people(tp_report_page *p);
void tp_report_quality(tp_report_page *p);
void tp_report_splits(tp_report_page *p);
void tp_report_names(tp_report_page *p);
void tp_report_sheets(tp_report_page *p); /* report_sheets.c, as the next */
void tp_report_pairs(tp_report_page *p);

#endif
