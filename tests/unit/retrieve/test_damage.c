/* Damaged index files: one is laid out by hand here, as docs/formats.md has it, then spoilt in one way a case. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "nn/nn.h"
#include "retrieve/index_int.h"
#include "t.h"

enum { ROWS = 3, SPECIES = 2, DIM = 2, TENSORS = 7, METAS = 3 };
enum { OFFSETS, NAMES, ORDER, REFS, EMBEDDINGS, IDS, TEXTS };

typedef struct {
	int64_t offsets[SPECIES + 1], names[SPECIES], order[ROWS], refs[ROWS][TP_REF_TEXTS];
	uint16_t embeddings[ROWS][DIM];
	uint8_t ids[ROWS][TP_ID_BYTES];
	char texts[64];
	tp_tensor t[TENSORS];
	tp_meta meta[METAS];
	size_t n, n_meta;
} parts;

enum { AT_EMPTY = 8, AT_PATH = 9, AT_LEAF = 15 };

static void whole(parts *p)
{
	*p = (parts){ .offsets = { 0, 2, 3 },
		.names = { 0, 4 },
		.order = { 2, 0, 1 },
		.refs = { { 9, 15, 8, 8, 8 }, { 9, 8, 8, 8, 15 }, { 9, 15, 8, 8, 8 } },
		.embeddings = { { 0x3c00, 0 }, { 0, 0x3c00 }, { 0xbc00, 0 } }, /* 1 0, 0 1, -1 0 */
		.ids = { { 2 }, { 3 }, { 1 } },
		.texts = "A a\0B b\0\0a.jpg\0leaf",
		.n = TENSORS,
		.n_meta = METAS };
	const tp_tensor t[TENSORS] = {
		{ "species.offsets", TP_I64, 1, { SPECIES + 1 }, p->offsets, sizeof p->offsets },
		{ "species.names", TP_I64, 1, { SPECIES }, p->names, sizeof p->names },
		{ "ids.order", TP_I64, 1, { ROWS }, p->order, sizeof p->order },
		{ "refs", TP_I64, 2, { ROWS, TP_REF_TEXTS }, p->refs, sizeof p->refs },
		{ "embeddings", TP_F16, 2, { ROWS, DIM }, p->embeddings, sizeof p->embeddings },
		{ "ids", TP_U8, 2, { ROWS, TP_ID_BYTES }, p->ids, sizeof p->ids },
		{ "texts", TP_U8, 1, { 20 }, p->texts, 20 },
	};
	memcpy(p->t, t, sizeof t);
	p->meta[0] = (tp_meta){ "tepal.index", "1" };
	p->meta[1] = (tp_meta){ "model_sha256", "abc" };
	p->meta[2] = (tp_meta){ "photo_root", "photos" };
}

/* Reads, finds and searches all that an open index offers; what it promises holds. */
static int keeps_its_promises(const tp_index *x)
{
	const float f[4] = { 1, 2, 3, 4 };
	tp_hit hit[ROWS + 1];
	tp_err err = { 0 };
	for (size_t i = 0; i < tp_index_count(x); i++) {
		const tp_ref *r = tp_index_ref(x, i);
		char *path = NULL;
		CHECK(strlen(r->id) == TP_ID_HEX && tp_index_find(x, r->id) >= 0, "row %zu: %s", i, r->id);
		CHECK(*r->path && *r->path != '/' && strlen(r->organ) + strlen(r->author) < 64, "row %zu", i);
		CHECK_OK(tp_index_photo_path(&path, x, i, &err), err);
		tp_free(path);
	}
	int n = tp_index_dim(x) <= 4 ? tp_index_search(hit, ROWS + 1, x, "A a", f, "leaf") : 0;
	for (int i = 0; i < n; i++)
		CHECK(hit[i].row < tp_index_count(x) && hit[i].similarity >= -1 && hit[i].similarity <= 1,
			"hit %d", i);
	return 0;
}

static int test_a_file_made_by_hand_is_read(void)
{
	parts p;
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_index *x = NULL;
	tp_err err = { 0 };
	tp_hit hit[4];
	whole(&p);
	CHECK_OK(tp_safetensors_render(&bytes, &len, p.t, p.n, p.meta, p.n_meta, &err), err);
	CHECK_OK(tp_index_parse(&x, bytes, len, "/d", &err), err);
	CHECK(!keeps_its_promises(x), "whole");
	CHECK_STR(tp_index_ref(x, 0)->organ, "leaf");
	CHECK_STR(tp_index_ref(x, 1)->source, "leaf");
	CHECK(tp_index_find(x, "0300000000000000000000000000000000000000") == 1, "an id");
	CHECK(tp_index_search(hit, 4, x, "A a", (const float[]){ 0, 9 }, NULL) == 2, "A a");
	CHECK(hit[0].row == 1 && hit[0].similarity == 1 && hit[1].similarity == 0, "order");
	CHECK(tp_index_search(hit, 4, x, "B b", (const float[]){ 2, 0 }, NULL) == 1, "B b");
	CHECK(hit[0].row == 2 && hit[0].similarity == -1, "%g", (double)hit[0].similarity);
	tp_index_close(x);
	tp_free(bytes);
	return 0;
}

/* ---- one way to spoil it a case ---------------------------------------------------------------------- */

static void drop(parts *p, int tensor)
{
	memmove(p->t + tensor, p->t + tensor + 1, (size_t)(TENSORS - tensor - 1) * sizeof *p->t);
	p->n--;
}

/* Another number of rows, of the same size a row. */
static void rows(parts *p, int tensor, int64_t n)
{
	tp_tensor *t = &p->t[tensor];
	t->size = t->size / (size_t)t->dim[0] * (size_t)n;
	t->dim[0] = n;
}

#define SPOIL(name, ...)                                                                                     \
	static void name(parts *p)                                                                           \
	{                                                                                                    \
		__VA_ARGS__;                                                                                 \
	}
SPOIL(other_version, p->meta[0].value = "2")
SPOIL(no_version, p->meta[0].key = "tepal.format")
SPOIL(no_model, p->meta[1].key = "model")
SPOIL(no_root, p->meta[2].key = "root")
SPOIL(no_offsets, drop(p, OFFSETS))
SPOIL(no_names, drop(p, NAMES))
SPOIL(no_order, drop(p, ORDER))
SPOIL(no_refs, drop(p, REFS))
SPOIL(no_embeddings, drop(p, EMBEDDINGS))
SPOIL(no_ids, drop(p, IDS))
SPOIL(no_texts, drop(p, TEXTS))
SPOIL(flat_embeddings, p->t[EMBEDDINGS].ndim = 1; p->t[EMBEDDINGS].dim[0] = ROWS * DIM)
SPOIL(no_dim, p->t[EMBEDDINGS].dim[1] = 0; p->t[EMBEDDINGS].size = 0)
SPOIL(other_type, p->t[EMBEDDINGS].dtype = TP_BF16)
SPOIL(long_ids, p->t[IDS].dim[0] = 2; p->t[IDS].dim[1] = 30)
SPOIL(four_refs, p->t[REFS].dim[1] = 4; p->t[REFS].size = ROWS * 4 * 8)
SPOIL(flat_refs, p->t[REFS].ndim = 1; p->t[REFS].dim[0] = ROWS * TP_REF_TEXTS)
SPOIL(few_ids, rows(p, IDS, 2))
SPOIL(few_embeddings, rows(p, EMBEDDINGS, 2))
SPOIL(few_in_order, rows(p, ORDER, 2))
SPOIL(few_refs, rows(p, REFS, 2))
SPOIL(few_offsets, rows(p, OFFSETS, 2))
SPOIL(few_names, rows(p, NAMES, 1))
SPOIL(no_offset_at_all, rows(p, OFFSETS, 0); rows(p, NAMES, 0))
SPOIL(no_text_at_all, rows(p, TEXTS, 0))
SPOIL(not_aligned, tp_tensor t = p->t[TEXTS]; memmove(p->t + 1, p->t, 6 * sizeof t); p->t[0] = t;
	rows(p, 0, 19))
SPOIL(open_text, rows(p, TEXTS, 19))
SPOIL(offset_flipped, p->offsets[1] ^= 0x40)
SPOIL(offset_backwards, p->offsets[1] = -1)
SPOIL(offset_huge, p->offsets[1] = INT64_MAX)
SPOIL(not_from_0, p->offsets[0] = 1)
SPOIL(not_to_the_end, p->offsets[2] = 2)
SPOIL(name_outside, p->names[1] = 20)
SPOIL(name_before, p->names[0] = -1)
SPOIL(name_empty, p->names[0] = AT_EMPTY)
SPOIL(name_twice, p->names[1] = 0)
SPOIL(names_swapped, p->names[0] = 4; p->names[1] = 0)
SPOIL(id_twice, memcpy(p->ids[1], p->ids[0], TP_ID_BYTES))
SPOIL(ids_of_a_species_swapped, p->ids[0][0] = 3; p->ids[1][0] = 2)
SPOIL(order_outside, p->order[2] = ROWS)
SPOIL(order_before, p->order[0] = -1)
SPOIL(order_wrong, p->order[0] = 0; p->order[1] = 2)
SPOIL(order_repeats, p->order[1] = 2)
SPOIL(infinite, p->embeddings[1][0] = 0x7c00)
SPOIL(minus_infinite, p->embeddings[0][1] = 0xfc00)
SPOIL(no_number, p->embeddings[2][1] = 0x7e01)
SPOIL(ref_outside, p->refs[2][4] = 20)
SPOIL(ref_before, p->refs[0][1] = INT64_MIN)
SPOIL(path_empty, p->refs[1][0] = AT_EMPTY)
SPOIL(path_absolute, p->texts[AT_PATH] = '/')
SPOIL(path_up, memcpy(p->texts + AT_PATH, "../ab", 5))
SPOIL(path_is_up, p->texts[AT_PATH] = '.'; p->texts[AT_PATH + 2] = 0)
SPOIL(path_up_inside, memcpy(p->texts + AT_PATH, "a/..", 5))

static const struct {
	void (*spoil)(parts *p);
	const char *name, *words;
} cases[] = {
#define CASE(fn, words)                                                                                      \
	{                                                                                                    \
		fn, #fn, words                                                                               \
	}
	CASE(other_version, "another version"),
	CASE(no_version, "not an index"),
	CASE(no_model, "not an index"),
	CASE(no_root, "not an index"),
	CASE(no_offsets, "\"species.offsets\""),
	CASE(no_names, "\"species.names\""),
	CASE(no_order, "\"ids.order\""),
	CASE(no_refs, "\"refs\""),
	CASE(no_embeddings, "\"embeddings\""),
	CASE(no_ids, "\"ids\""),
	CASE(no_texts, "\"texts\""),
	CASE(flat_embeddings, "\"embeddings\""),
	CASE(no_dim, "\"embeddings\""),
	CASE(other_type, "\"embeddings\""),
	CASE(long_ids, "\"ids\""),
	CASE(four_refs, "\"refs\""),
	CASE(flat_refs, "\"refs\""),
	CASE(few_ids, "2 ids"),
	CASE(few_embeddings, "2 rows"),
	CASE(few_in_order, "2 in their order"),
	CASE(few_refs, "2 refs"),
	CASE(few_offsets, "2 offsets"),
	CASE(few_names, "1 species"),
	CASE(no_offset_at_all, "0 offsets of 0 species"),
	CASE(no_text_at_all, "names of species"),
	CASE(not_aligned, "not aligned"),
	CASE(open_text, "texts do not end"),
	CASE(offset_flipped, "offsets of species 1"),
	CASE(offset_backwards, "offsets of species 1"),
	CASE(offset_huge, "offsets of species 1"),
	CASE(not_from_0, "do not cover the rows"),
	CASE(not_to_the_end, "do not cover the rows"),
	CASE(name_outside, "names of species"),
	CASE(name_before, "names of species"),
	CASE(name_empty, "names of species"),
	CASE(name_twice, "names of species"),
	CASE(names_swapped, "names of species"),
	CASE(id_twice, "row 1: ids of a species"),
	CASE(ids_of_a_species_swapped, "row 1: ids of a species"),
	CASE(order_outside, "place 2 in the order of ids is no row"),
	CASE(order_before, "place 0 in the order of ids is no row"),
	CASE(order_wrong, "place 1 in the order of ids is not sorted"),
	CASE(order_repeats, "place 1 in the order of ids is not sorted"),
	CASE(infinite, "row 1: its embedding is not finite"),
	CASE(minus_infinite, "row 0: its embedding is not finite"),
	CASE(no_number, "row 2: its embedding is not finite"),
	CASE(ref_outside, "row 2 names a text"),
	CASE(ref_before, "row 0 names a text"),
	CASE(path_empty, "row 1: path \"\" leaves"),
	CASE(path_absolute, "leaves the photo folder"),
	CASE(path_up, "path \"../ab\" leaves"),
	CASE(path_is_up, "path \"..\" leaves"),
	CASE(path_up_inside, "path \"a/..\" leaves"),
};

static int refused(size_t i, const char *file)
{
	parts p;
	tp_index *x = NULL;
	tp_err err = { 0 };
	whole(&p);
	cases[i].spoil(&p);
	CHECK_OK(tp_safetensors_save(file, p.t, p.n, p.meta, p.n_meta, &err), err);
	tp_code rc = tp_index_open(&x, file, &err);
	CHECK(rc == TP_EFORMAT && !x, "%s: %s", cases[i].name, tp_code_name(rc));
	CHECK(strstr(err.msg, cases[i].words) && strstr(err.msg, file), "%s: \"%s\"", cases[i].name, err.msg);
	return 0;
}

static int test_each_damage_is_named(void)
{
	char file[] = "/tmp/tepal-index-XXXXXX";
	int fd = mkstemp(file), bad = 0;
	CHECK(fd >= 0, "no file");
	close(fd);
	long before = tp_mem_live();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		bad |= refused(i, file);
	unlink(file);
	CHECK(tp_mem_live() == before, "%ld left", tp_mem_live() - before);
	return bad;
}

static int test_a_photo_of_two_species_needs_its_rows_in_order(void)
{
	parts p;
	uint8_t *bytes = NULL;
	size_t len = 0;
	tp_index *x = NULL;
	tp_err err = { 0 };
	for (int wrong = 0; wrong < 2; wrong++) {
		whole(&p);
		memcpy(p.ids[2], p.ids[0], TP_ID_BYTES); /* rows 0 and 2 are one photo */
		p.order[0] = wrong ? 2 : 0;
		p.order[1] = wrong ? 0 : 2;
		CHECK_OK(tp_safetensors_render(&bytes, &len, p.t, p.n, p.meta, p.n_meta, &err), err);
		tp_code rc = tp_index_parse(&x, bytes, len, ".", &err);
		CHECK(rc == (wrong ? TP_EFORMAT : TP_OK), "%d: %s", wrong, err.msg);
		if (!rc)
			tp_index_close(x);
		tp_free(bytes);
	}
	return 0;
}

/* Cut anywhere it is refused; with any bit flipped it is refused, or still safe to use. */
static int test_every_cut_and_every_flip(void)
{
	parts p;
	uint8_t *bytes = NULL;
	size_t len = 0, refusals = 0;
	tp_index *x = NULL;
	tp_err err = { 0 };
	whole(&p);
	CHECK_OK(tp_safetensors_render(&bytes, &len, p.t, p.n, p.meta, p.n_meta, &err), err);
	for (size_t n = 0; n < len; n++)
		CHECK(tp_index_parse(&x, bytes, n, ".", &err) == TP_EFORMAT, "%zu of %zu bytes", n, len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		uint8_t mask = (uint8_t)(1 << bit % 8);
		bytes[bit / 8] ^= mask;
		if (tp_index_parse(&x, bytes, len, ".", &err)) {
			CHECK(err.msg[0], "bit %zu: no message", bit);
			refusals++;
		} else {
			CHECK(!keeps_its_promises(x), "bit %zu", bit);
			tp_index_close(x);
		}
		bytes[bit / 8] ^= mask;
	}
	tp_free(bytes);
	CHECK(refusals > 3 * len, "%zu of %zu flips refused", refusals, 8 * len);
	return 0;
}

int main(void)
{
	return RUN(T(test_a_file_made_by_hand_is_read), T(test_each_damage_is_named),
		T(test_a_photo_of_two_species_needs_its_rows_in_order), T(test_every_cut_and_every_flip));
}
