/* See build_int.h. Each step is one pass over all rows; nothing needs more than a few bytes a row beside them. */
#include <string.h>

#include "base/mem.h"
#include "taxonomy/build_int.h"

#define NOBODY UINT32_MAX
enum { LONGEST_CHAIN = 64 };

static uint32_t *numbers(size_t n, tp_err *err)
{
	uint32_t *v = tp_calloc(n ? n : 1, sizeof *v);
	if (!v)
		tp_nomem(err, n * sizeof *v);
	return v;
}

/* Keeps the first row of each id. A row without an id is always kept. */
static tp_code drop_repeated(tp_backbone *b, tp_backbone_stats *stats, tp_err *err)
{
	uint32_t *taken = numbers(b->ids.n, err), n = 0;
	if (!taken)
		return TP_ENOMEM;
	for (uint32_t i = 0; i < b->n; i++) {
		bool has_id = tp_pool_get(&b->ids, b->row[i].id)[1] != 0;
		if (has_id && taken[b->row[i].id]++) {
			if (stats) {
				stats[b->row[i].source].by[TP_LINE_KEPT]--;
				stats[b->row[i].source].by[TP_LINE_TWICE]++;
			}
			continue;
		}
		b->row[n++] = b->row[i];
	}
	b->n = n;
	tp_free(taken);
	return TP_OK;
}

static tp_code imply_genera(tp_backbone *b, tp_err *err)
{
	uint32_t *has = numbers(b->genera.n, err);
	tp_code rc = has ? TP_OK : TP_ENOMEM;
	for (uint32_t i = 0; has && i < b->n; i++)
		has[b->row[i].genus] |= b->row[i].rank == TP_RANK_GENUS;
	for (uint32_t g = 0; !rc && g < b->genera.n; g++) {
		if (has[g])
			continue;
		rc = tp_backbone_more(b, err);
		if (!rc)
			b->row[b->n++] =
				(tp_row){ .genus = g, .rank = TP_RANK_GENUS, .status = TP_STATUS_IMPLIED };
	}
	tp_free(has);
	return rc;
}

/* Order inside a genus; of equals, as they were read. */
static bool before(const tp_row *row, uint32_t i, uint32_t j)
{
	const tp_row *a = &row[i], *b = &row[j];
	if (a->species != b->species)
		return a->species < b->species;
	if (a->infra != b->infra)
		return a->infra < b->infra;
	return a->source != b->source ? a->source < b->source : i < j;
}

/* Heapsort: the same few steps whatever order a file has. */
static void sink(uint32_t *v, size_t n, size_t i, const tp_row *row)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		child += child + 1 < n && before(row, v[child], v[child + 1]);
		if (!before(row, v[i], v[child]))
			return;
		uint32_t t = v[i];
		v[i] = v[child];
		v[child] = t;
	}
}

static void sort(uint32_t *v, size_t n, const tp_row *row)
{
	for (size_t i = n / 2; i-- > 0;)
		sink(v, n, i, row);
	for (size_t left = n; left > 1; left--) {
		uint32_t t = v[0];
		v[0] = v[left - 1];
		v[left - 1] = t;
		sink(v, left - 1, 0, row);
	}
}

/* row[i] becomes what row[order[i]] was; order is used up. */
static void permute(tp_row *row, uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = i;
		tp_row first = row[i];
		while (order[at] != i && order[at] != NOBODY) {
			uint32_t from = order[at];
			row[at] = row[from];
			order[at] = NOBODY;
			at = from;
		}
		if (order[at] == i) {
			row[at] = first;
			order[at] = NOBODY;
		}
	}
}

/* Counting sort: start[k]..start[k+1] of v are the rows with key k. */
static tp_code group(
	uint32_t **start, uint32_t **v, const tp_backbone *b, uint32_t keys, bool by_species, tp_err *err)
{
	*start = numbers((size_t)keys + 1, err);
	*v = *start ? numbers(b->n, err) : NULL;
	if (!*v)
		return TP_ENOMEM;
	for (uint32_t i = 0; i < b->n; i++)
		(*start)[by_species ? b->row[i].species : b->row[i].genus]++;
	for (uint32_t k = 0, sum = 0; k <= keys; k++) {
		uint32_t n = (*start)[k];
		(*start)[k] = sum += k < keys ? n : 0;
	}
	for (uint32_t i = b->n; i-- > 0;)
		(*v)[--(*start)[by_species ? b->row[i].species : b->row[i].genus]] = i;
	return TP_OK;
}

static tp_code put_in_order(tp_backbone *b, tp_err *err)
{
	uint32_t *order = NULL;
	tp_code rc = group(&b->genus_start, &order, b, b->genera.n, false, err);
	for (uint32_t g = 0; !rc && g < b->genera.n; g++)
		sort(order + b->genus_start[g], b->genus_start[g + 1] - b->genus_start[g], b->row);
	if (!rc)
		permute(b->row, order, b->n);
	tp_free(order);
	return rc;
}

/* The row that the accepted column of i names; i when it names itself or nobody, NOBODY when that is not there. */
static uint32_t step(const tp_backbone *b, const uint32_t *row_of, uint32_t i)
{
	const tp_row *r = &b->row[i];
	if (!r->accepted || r->accepted - 1 == r->id || r->status == TP_STATUS_IMPLIED)
		return i;
	return row_of[r->accepted - 1] - 1; /* 0, not there, becomes NOBODY */
}

/* Where the chain that begins at i ends; NOBODY when it leads nowhere, *loop when it leads back. */
static uint32_t chain_end(const tp_backbone *b, const uint32_t *row_of, uint32_t i, bool *loop)
{
	*loop = false;
	for (int n = 0; n < LONGEST_CHAIN; n++) {
		uint32_t next = step(b, row_of, i);
		if (next == i || next == NOBODY)
			return next;
		i = next;
	}
	*loop = true;
	return NOBODY;
}

static void settle(tp_row *r, uint32_t i, uint32_t end)
{
	if (end != i && end != NOBODY && r->status == TP_STATUS_ACCEPTED)
		r->status = TP_STATUS_SYNONYM; /* a local biotype, say */
	if (r->status == TP_STATUS_UNPLACED && end != i && end != NOBODY)
		r->status = TP_STATUS_SYNONYM; /* the status column is empty, the accepted one is not */
	if ((end == i || end == NOBODY) &&
		(r->status == TP_STATUS_SYNONYM || r->status == TP_STATUS_MISAPPLIED))
		r->status = r->status == TP_STATUS_SYNONYM ? TP_STATUS_UNPLACED : r->status;
}

static tp_code follow_synonyms(tp_backbone *b, tp_backbone_stats *stats, tp_err *err)
{
	uint32_t *row_of = numbers(b->ids.n, err), *end = row_of ? numbers(b->n, err) : NULL;
	tp_code rc = end ? TP_OK : TP_ENOMEM;
	for (uint32_t i = 0; !rc && i < b->n; i++)
		if (b->row[i].status != TP_STATUS_IMPLIED && tp_pool_get(&b->ids, b->row[i].id)[1])
			row_of[b->row[i].id] = i + 1;
	for (uint32_t i = 0; !rc && i < b->n; i++) {
		bool loop;
		end[i] = chain_end(b, row_of, i, &loop);
		if (end[i] == NOBODY && stats) {
			stats[b->row[i].source].loops += loop;
			stats[b->row[i].source].dangling += !loop;
		}
	}
	for (uint32_t i = 0; !rc && i < b->n; i++) {
		settle(&b->row[i], i, end[i]);
		b->row[i].accepted = end[i] == NOBODY ? i : end[i];
	}
	tp_free(end);
	tp_free(row_of);
	return rc;
}

/* The family most names from..to have; 0 when none has one. Genera with more than a few families are mistakes. */
static uint16_t most_common(const tp_row *row, uint32_t from, uint32_t to)
{
	enum { DIFFERENT = 16 };
	uint16_t family[DIFFERENT], best = 0;
	uint32_t count[DIFFERENT] = { 0 }, n = 0, most = 0;
	for (uint32_t i = from; i < to; i++) {
		uint32_t k = 0;
		while (k < n && family[k] != row[i].family)
			k++;
		if (!row[i].family || k == DIFFERENT)
			continue;
		family[k] = row[i].family;
		n += k == n;
		count[k] +=
			1 + 3 * (row[i].status == TP_STATUS_ACCEPTED); /* synonyms often keep an old one */
	}
	for (uint32_t k = 0; k < n; k++)
		if (count[k] > most) {
			most = count[k];
			best = family[k];
		}
	return best;
}

static void fill_families(tp_backbone *b)
{
	for (uint32_t g = 0; g < b->genera.n; g++) {
		uint16_t family = most_common(b->row, b->genus_start[g], b->genus_start[g + 1]);
		for (uint32_t i = b->genus_start[g]; i < b->genus_start[g + 1]; i++) {
			tp_row *r = &b->row[i];
			if (!r->family)
				r->family = b->row[r->accepted].family ? b->row[r->accepted].family : family;
		}
	}
}

static tp_code shapes(tp_shape **out, const tp_pool *p, bool epithets, tp_err *err)
{
	*out = tp_calloc(p->n, sizeof **out);
	if (!*out)
		return tp_nomem(err, p->n * sizeof **out);
	for (uint32_t i = 0; i < p->n; i++)
		(*out)[i] = tp_shape_of(tp_pool_get(p, i), epithets);
	return TP_OK;
}

tp_code tp_backbone_build(tp_backbone *b, tp_backbone_stats *stats, tp_err *err)
{
	tp_code rc = drop_repeated(b, stats, err);
	if (!rc)
		rc = imply_genera(b, err);
	if (!rc)
		rc = put_in_order(b, err);
	if (!rc)
		rc = follow_synonyms(b, stats, err);
	if (rc)
		return rc;
	tp_pool_close(&b->ids);
	tp_pool_close(&b->authors);
	fill_families(b);
	rc = group(&b->species_start, &b->by_species, b, b->epithets.n, true, err);
	if (!rc)
		rc = shapes(&b->genus_shape, &b->genera, false, err);
	return rc ? rc : shapes(&b->epithet_shape, &b->epithets, true, err);
}
