/* Rows kept aside, in a temporary SQLite file: see join.h. */
#include "data/join.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/idset.h"

enum { MAX_VALUES = 32 };

struct tp_join {
	sqlite3 *db;
	sqlite3_stmt *put, *get;
	int n_values;
	tp_idset keys;
	uint8_t *used; /* a bit a row */
	size_t used_cap, n_used;
	int64_t n;
	const char *value[MAX_VALUES];
};

static tp_code failed(tp_join *j, int code, tp_err *err)
{
	return tp_fail(err, code == SQLITE_NOMEM ? TP_ENOMEM : TP_EIO, "temporary file of a join: %s",
		j->db ? sqlite3_errmsg(j->db) : sqlite3_errstr(code));
}

static tp_code prepare(tp_join *j, tp_err *err)
{
	char create[512] =
		"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN;"
		"CREATE TABLE kept(id INTEGER PRIMARY KEY, key TEXT",
	     put[256] = "INSERT INTO kept VALUES(?, ?";
	for (int i = 0; i < j->n_values; i++) {
		size_t at = strlen(create);
		snprintf(create + at, sizeof create - at, ", v%d TEXT", i);
		at = strlen(put);
		snprintf(put + at, sizeof put - at, ", ?");
	}
	snprintf(create + strlen(create), sizeof create - strlen(create), ")");
	snprintf(put + strlen(put), sizeof put - strlen(put), ")");
	int r = sqlite3_exec(j->db, create, NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_prepare_v2(j->db, put, -1, &j->put, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_prepare_v2(j->db, "SELECT * FROM kept WHERE id = ?", -1, &j->get, NULL);
	return r == SQLITE_OK ? TP_OK : failed(j, r, err);
}

tp_code tp_join_open(tp_join **out, int n_values, tp_err *err)
{
	if (n_values < 1 || n_values > MAX_VALUES)
		return tp_fail(err, TP_EINVAL, "%d values a row; 1 to %d can be", n_values, MAX_VALUES);
	tp_join *j = tp_calloc(1, sizeof *j);
	if (!j)
		return tp_nomem(err, sizeof *j);
	j->n_values = n_values;
	int r = sqlite3_open_v2("", &j->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	tp_code rc = r == SQLITE_OK ? prepare(j, err) : failed(j, r, err);
	if (rc)
		tp_join_close(j);
	else
		*out = j;
	return rc;
}

void tp_join_close(tp_join *j)
{
	if (!j)
		return;
	sqlite3_finalize(j->put);
	sqlite3_finalize(j->get);
	sqlite3_close(j->db);
	tp_idset_dispose(&j->keys);
	tp_free(j->used);
	tp_free(j);
}

static tp_code same_key(void *ud, uint32_t id, const char *text, size_t len, int *same, tp_err *err)
{
	tp_join *j = ud;
	(void)len;
	sqlite3_reset(j->get);
	sqlite3_bind_int64(j->get, 1, id);
	int r = sqlite3_step(j->get);
	if (r != SQLITE_ROW)
		return failed(j, r, err);
	const char *key = (const char *)sqlite3_column_text(j->get, 1);
	*same = key && !strcmp(key, text);
	return TP_OK;
}

static tp_code mark_room(tp_join *j, tp_err *err)
{
	size_t need = (size_t)j->n / 8 + 1, cap = j->used_cap ? 2 * j->used_cap : 4096;
	if (need <= j->used_cap)
		return TP_OK;
	uint8_t *p = tp_realloc(j->used, cap);
	if (!p)
		return tp_nomem(err, cap);
	memset(p + j->used_cap, 0, cap - j->used_cap);
	j->used = p;
	j->used_cap = cap;
	return TP_OK;
}

tp_code tp_join_put(tp_join *j, const char *key, const char *const *value, bool *is_new, tp_err *err)
{
	uint32_t id = 0;
	tp_code rc = tp_idset_find(&id, &j->keys, key, strlen(key), same_key, j, err);
	*is_new = !id;
	if (rc || id)
		return rc;
	sqlite3_bind_int64(j->put, 1, ++j->n);
	sqlite3_bind_text(j->put, 2, key, -1, SQLITE_STATIC);
	for (int i = 0; i < j->n_values; i++)
		sqlite3_bind_text(j->put, 3 + i, value[i] ? value[i] : "", -1, SQLITE_STATIC);
	int r = sqlite3_step(j->put);
	sqlite3_reset(j->put);
	if (r != SQLITE_DONE)
		return failed(j, r, err);
	rc = mark_room(j, err);
	return rc ? rc : tp_idset_add(&j->keys, key, strlen(key), j->n, err);
}

tp_code tp_join_get(tp_join *j, const char *key, const char *const **value, tp_err *err)
{
	uint32_t id = 0;
	*value = NULL;
	tp_code rc = tp_idset_find(&id, &j->keys, key, strlen(key), same_key, j, err);
	if (rc || !id)
		return rc;
	if (!(j->used[id / 8] & 1u << id % 8)) {
		j->used[id / 8] |= (uint8_t)(1u << id % 8);
		j->n_used++;
	}
	for (int i = 0; i < j->n_values; i++) { /* the row that same_key() stands on */
		const char *s = (const char *)sqlite3_column_text(j->get, 2 + i);
		j->value[i] = s ? s : "";
	}
	*value = j->value;
	return TP_OK;
}

size_t tp_join_unused(const tp_join *j)
{
	return (size_t)j->n - j->n_used;
}
