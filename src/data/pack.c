/* Packing: see pack.h. The work folder holds a plan, by which a later call knows that it goes on with the same work, and
 * the chunks; it is locked while a process works in it. */
#include "data/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/shard_int.h"

enum { ORDER = 0x7061636b, MAX_PLAN = 4096 };

typedef struct {
	const tp_pack_opts *o;
	tp_manifest m;
	tp_pack_split split[TP_SPLITS];
	tp_shard_list list;
	char *work;
	tp_sha256 plan; /* of the options, the list of photos, and what the files looked like */
	int lock;
} packer;

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static tp_code check(const tp_pack_opts *o, tp_err *err)
{
	if (o->short_side < 0 || o->short_side > 65535)
		return tp_fail(err, TP_EINVAL, "short side %d: 0..65535", o->short_side);
	if (o->quality < 1 || o->quality > 100)
		return tp_fail(err, TP_EINVAL, "quality %d: 1..100", o->quality);
	if (o->shards < 0 || o->shard_mib < 1 || o->ranks < 1)
		return tp_fail(err, TP_EINVAL, "%d shards of %d MiB for %d ranks", o->shards, o->shard_mib,
			o->ranks);
	if (o->shards % o->ranks)
		return tp_fail(
			err, TP_EINVAL, "%d shards cannot be shared evenly by %d ranks", o->shards, o->ranks);
	return TP_OK;
}

/* SHA-256 over everything that is known of the photos, in steps: with_files also what their files look like. */
static tp_code photos_sum(tp_sha256 *out, const tp_manifest *m, bool with_files, tp_err *err)
{
	tp_buf b;
	tp_code rc = TP_OK;
	tp_buf_init(&b, (size_t)1 << 30);
	*out = tp_sha256_of("", 0);
	for (size_t i = 0; i < m->n_photos && !rc; i++) {
		const tp_photo *p = &m->photos[i];
		char *stamp = with_files ? tp_photo_stamp(m, i) : NULL;
		rc = with_files && !stamp ? tp_nomem(err, 0)
					  : tp_buf_addf(&b, err, "%s\n%s\n%d %s\n%s\n%s\n%s\n%s\n", p->path,
						    m->taxa[p->species].name, (int)p->split, p->organ,
						    p->source, p->licence, p->author, stamp ? stamp : "");
		tp_free(stamp);
		if (rc || (b.len < 1 << 20 && i + 1 < m->n_photos))
			continue;
		rc = tp_buf_adds(&b, out->hex, err);
		if (!rc)
			*out = tp_sha256_of(b.ptr, b.len);
		b.len = 0;
	}
	for (size_t i = 0; i < m->n_excluded_by && !rc && !with_files;
		i++) /* so that the counts are never old ones */
		rc = tp_buf_addf(&b, err, "%s %zu\n", m->excluded_by[i].rule, m->excluded_by[i].n);
	if (!rc && !with_files && m->skipped_held_out + m->skipped_not_here)
		rc = tp_buf_addf(&b, err, "%zu %zu\n", m->skipped_held_out, m->skipped_not_here);
	if (!rc && b.len) {
		rc = tp_buf_adds(&b, out->hex, err);
		if (!rc)
			*out = tp_sha256_of(b.ptr, b.len);
	}
	tp_buf_dispose(&b);
	return rc;
}

static json_t *made_json(const tp_pack_opts *o, const tp_sha256 *photos)
{
	json_t *j = json_pack("{s:s, s:i, s:i, s:i, s:I, s:s}", "tepal", o->version, "short_side",
		o->short_side, "quality", o->quality, "ranks", o->ranks, "seed", (json_int_t)o->seed,
		"photos_sha256", photos->hex);
	json_object_set_new(
		j, o->shards ? "shards" : "shard_mib", json_integer(o->shards ? o->shards : o->shard_mib));
	return j;
}

static tp_code make_plan(packer *p, tp_err *err)
{
	tp_sha256 photos, files;
	char *text = NULL, plan[MAX_PLAN];
	tp_code rc = photos_sum(&photos, &p->m, false, err);
	if (!rc)
		rc = photos_sum(&files, &p->m, true, err);
	if (rc)
		return rc;
	p->list.made = made_json(p->o, &photos);
	p->list.classes = tp_shard_classes_json(&p->m);
	if (!p->list.made)
		return tp_nomem(err, 0);
	if (!p->list.classes)
		return tp_fail(err, TP_EFORMAT, "the names of the species are not all UTF-8");
	rc = tp_json_dump(&text, p->list.made, err);
	if (!rc) {
		snprintf(plan, sizeof plan, "%.3000s %s", text, files.hex);
		p->plan = tp_sha256_of(plan, strlen(plan));
	}
	tp_free(text);
	return rc;
}

/* ---- the folder ----------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && !strcmp(s + n - k, end);
}

/* "NAME.tmpXXXXXX": what a killed process has left half written. */
static bool is_leftover(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot && !strncmp(dot, ".tmp", 4) && strlen(dot) == 10;
}

static bool is_chunk(const char *name)
{
	return is_leftover(name) || ends_with(name, ".chunk") || !strcmp(name, "plan") ||
	       !strcmp(name, "lock");
}

static bool is_our_leftover(const char *name)
{
	bool ours = !strncmp(name, TP_SHARD_LIST, strlen(TP_SHARD_LIST)) ||
		    !strncmp(name, TP_SHARD_EXCLUDED, strlen(TP_SHARD_EXCLUDED));
	for (int s = 0; s < TP_SPLITS; s++)
		ours = ours || !strncmp(name, tp_split_names[s], strlen(tp_split_names[s]));
	return ours && is_leftover(name);
}

/* Takes away the files that may go, and only those. */
static tp_code sweep(const char *dir, bool (*may_go)(const char *name), tp_err *err)
{
	tp_names names = { 0 };
	tp_code rc = tp_dir_list(&names, dir, err);
	for (size_t i = 0; i < names.len && !rc; i++) {
		char *path = may_go(names.v[i]) ? tp_path_join(dir, names.v[i]) : NULL;
		if (path && unlink(path))
			rc = tp_fail(err, TP_EIO, "%s: %s", path, strerror(errno));
		tp_free(path);
	}
	tp_names_free(&names);
	return rc;
}

static tp_code take_lock(packer *p, tp_err *err)
{
	char *path = tp_path_join(p->work, "lock");
	if (!path)
		return tp_nomem(err, 0);
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	tp_code rc = TP_OK;
	if (p->lock < 0)
		rc = tp_fail(err, TP_EIO, "%s: %s", path, strerror(errno));
	else if (flock(p->lock, LOCK_EX | LOCK_NB))
		rc = tp_fail(err, TP_EBUSY, "%s: another process is packing into this folder", p->o->output);
	tp_free(path);
	return rc;
}

/* Is the work folder's plan ours? One that has none yet gets it. */
static tp_code check_plan(const packer *p, tp_err *err)
{
	uint8_t *text = NULL;
	size_t len = 0;
	tp_outfile *f = NULL;
	char *path = tp_path_join(p->work, "plan");
	tp_code rc = path ? TP_OK : tp_nomem(err, 0);
	if (!rc && tp_is_file(path)) {
		rc = tp_file_read(&text, &len, path, MAX_PLAN, err);
		if (!rc && strcmp((char *)text, p->plan.hex) != 0)
			rc = tp_fail(err, TP_EINVAL,
				"%s holds the unfinished work of other options or photos: name another "
				"folder, "
				"or delete it",
				p->o->output);
	} else if (!rc) {
		rc = tp_outfile_open(&f, path, err);
		if (!rc)
			rc = tp_outfile_write(f, p->plan.hex, strlen(p->plan.hex), err);
		if (!rc)
			rc = tp_outfile_commit(&f, err);
	}
	tp_outfile_abort(&f);
	tp_free(text);
	tp_free(path);
	return rc;
}

/* A folder that nothing of ours is in yet must be empty: what lies there may be somebody's. */
static tp_code check_empty(const packer *p, tp_err *err)
{
	tp_names names = { 0 };
	tp_code rc = tp_is_dir(p->work) ? TP_OK : tp_dir_list(&names, p->o->output, err);
	if (!rc && names.len)
		rc = tp_fail(err, TP_EINVAL, "%s: not empty (%s): name a folder that is new", p->o->output,
			names.v[0]);
	tp_names_free(&names);
	return rc;
}

static tp_code enter(packer *p, tp_err *err)
{
	tp_code rc = tp_make_dirs(p->o->output, err);
	if (!rc)
		rc = check_empty(p, err);
	if (!rc)
		rc = tp_make_dirs(p->work, err);
	if (!rc)
		rc = take_lock(p, err);
	if (!rc)
		rc = check_plan(p, err);
	if (!rc)
		rc = sweep(p->o->output, is_our_leftover, err);
	return rc ? rc : sweep(p->work, is_leftover, err);
}

/* The work is done, or was: the list says so. */
static tp_code leave(const packer *p, tp_err *err)
{
	if (!tp_is_dir(p->work))
		return TP_OK;
	tp_code rc = sweep(p->work, is_chunk, err);
	if (!rc && rmdir(p->work))
		rc = tp_fail(err, TP_EIO, "%s: %s", p->work, strerror(errno));
	return rc;
}

/* ---- the work ------------------------------------------------------------------------------------------------------- */

static tp_code list_split(packer *p, tp_split split, tp_err *err)
{
	tp_pack_split *s = &p->split[split];
	tp_rng r = tp_rng_stream(p->o->seed, ORDER, (uint64_t)split, 0);
	*s = (tp_pack_split){ .o = p->o, .m = &p->m, .split = split, .work = p->work };
	for (size_t i = 0; i < p->m.n_photos; i++)
		s->n += p->m.photos[i].split == split;
	s->order = tp_calloc(s->n + 1, sizeof *s->order);
	if (!s->order)
		return tp_nomem(err, s->n * sizeof *s->order);
	for (size_t i = 0, k = 0; i < p->m.n_photos; i++)
		if (p->m.photos[i].split == split)
			s->order[k++] = (uint32_t)i;
	if (s->n) /* whoever reads shards one behind the other meets the species mixed */
		tp_rng_shuffle(&r, s->order, s->n);
	return TP_OK;
}

static tp_code add_csv(tp_buf *b, const char *s, char after, tp_err *err)
{
	tp_code rc = tp_buf_adds(b, "\"", err);
	for (; *s && !rc; s++)
		rc = *s == '"' ? tp_buf_adds(b, "\"\"", err) : tp_buf_add(b, s, 1, err);
	if (!rc)
		rc = tp_buf_add(b, "\"", 1, err);
	return rc ? rc : tp_buf_add(b, &after, 1, err);
}

static tp_code list_excluded(tp_buf *b, packer *p, const tp_pack_split *s, tp_err *err)
{
	tp_code rc = TP_OK;
	for (size_t i = 0; i < s->n && !rc; i++) {
		const tp_photo *photo = &p->m.photos[s->order[i]];
		if (!s->rows[i].why[0])
			continue;
		rc = add_csv(b, photo->path, ',', err);
		if (!rc)
			rc = add_csv(b, p->m.taxa[photo->species].name, ',', err);
		if (!rc)
			rc = add_csv(b, tp_split_names[s->split], ',', err);
		if (!rc)
			rc = add_csv(b, s->rows[i].why, '\n', err);
		p->list.excluded.photos++;
	}
	return rc;
}

static tp_code write_excluded(packer *p, tp_err *err)
{
	tp_shard_file *x = &p->list.excluded;
	tp_buf b;
	tp_outfile *f = NULL;
	char *path = tp_path_join(p->o->output, TP_SHARD_EXCLUDED);
	tp_buf_init(&b, (size_t)1 << 32);
	x->file = tp_strdup(TP_SHARD_EXCLUDED);
	tp_code rc = path && x->file ? tp_buf_adds(&b, "path,species,split,reason\n", err) : tp_nomem(err, 0);
	for (int s = 0; s < TP_SPLITS && !rc; s++)
		rc = list_excluded(&b, p, &p->split[s], err);
	if (!rc)
		rc = tp_outfile_open(&f, path, err);
	if (!rc)
		rc = tp_outfile_write(f, b.ptr, b.len, err);
	if (!rc)
		rc = tp_outfile_commit(&f, err);
	tp_outfile_abort(&f);
	if (!rc) {
		x->bytes = b.len;
		x->sum = tp_sha256_of(b.ptr, b.len);
	}
	tp_buf_dispose(&b);
	tp_free(path);
	return rc;
}

static tp_code count_rules(tp_shard_list *l, const tp_manifest *m, tp_err *err)
{
	l->rules = json_object();
	for (size_t i = 0; i < m->n_excluded_by; i++)
		if (json_object_set_new(
			    l->rules, m->excluded_by[i].rule, json_integer((json_int_t)m->excluded_by[i].n)))
			return tp_fail(err, TP_EFORMAT, "the name of rule \"%.60s\" is not UTF-8",
				m->excluded_by[i].rule);
	return TP_OK;
}

static tp_code write_list(packer *p, tp_err *err)
{
	tp_shard_list *l = &p->list;
	tp_code rc = write_excluded(p, err);
	l->seen = p->m.seen;
	l->not_photo = p->m.skipped_not_photo;
	l->no_species = p->m.skipped_no_species;
	l->listed_twice = p->m.skipped_listed_twice;
	l->held_out = p->m.skipped_held_out;
	l->not_here = p->m.skipped_not_here;
	l->by_rules = p->m.skipped_excluded;
	if (p->m.shards) { /* what those left out they have listed */
		l->seen = p->m.n_photos, l->not_photo = l->no_species = l->listed_twice = 0;
		l->held_out = l->not_here = l->by_rules = 0;
	}
	if (!rc && l->by_rules)
		rc = count_rules(l, &p->m, err);
	for (int s = 0; s < TP_SPLITS; s++)
		l->packed += p->split[s].n_good;
	if (!rc && !l->packed)
		rc = tp_fail(
			err, TP_EINVAL, "%s: not one of %zu photos can be read", p->o->photos, p->m.n_photos);
	return rc ? rc : tp_shard_list_write(l, p->o->output, err);
}

static tp_code work(packer *p, tp_err *err)
{
	tp_code rc = enter(p, err);
	for (int s = 0; s < TP_SPLITS && !rc; s++) {
		rc = list_split(p, (tp_split)s, err);
		if (!rc)
			rc = tp_pack_encode(&p->split[s], err);
		if (!rc)
			rc = tp_pack_write(&p->list.set[s], &p->split[s], err);
	}
	if (!rc)
		rc = write_list(p, err);
	return rc ? rc : leave(p, err);
}

/* A folder that has its list: is it of just these photos and options? */
static tp_code look_at_finished(packer *p, tp_err *err)
{
	tp_shard_list there = { 0 };
	tp_code rc = tp_shard_list_read(&there, p->o->output, err);
	if (!rc && !json_equal(there.made, p->list.made))
		rc = tp_fail(err, TP_EINVAL,
			"%s holds shards of other photos or options: name another folder", p->o->output);
	if (rc) {
		tp_shard_list_dispose(&there);
		return rc;
	}
	tp_shard_list_dispose(&p->list);
	p->list = there;
	return leave(p, err);
}

static void count(tp_packed *out, const packer *p)
{
	const tp_shard_list *l = &p->list;
	out->seen = l->seen;
	out->packed = l->packed;
	out->excluded = l->excluded.photos;
	out->skipped = l->not_photo + l->no_species + l->listed_twice;
	out->by_rules = l->by_rules;
	out->held_out = l->held_out;
	out->not_here = l->not_here;
	const char *rule;
	json_t *n;
	size_t at = 0;
	json_object_foreach(l->rules, rule, n) if (at < sizeof out->rules) at +=
		(size_t)snprintf(out->rules + at, sizeof out->rules - at, "%s%s %lld", at ? ", " : "", rule,
			(long long)json_integer_value(n));
	for (int s = 0; s < TP_SPLITS; s++) {
		out->shards += l->set[s].n;
		for (size_t i = 0; i < l->set[s].n; i++)
			out->bytes += l->set[s].shard[i].bytes;
	}
}

static void dispose(packer *p)
{
	for (int s = 0; s < TP_SPLITS; s++) {
		tp_free(p->split[s].order);
		tp_free(p->split[s].rows);
		tp_free(p->split[s].good);
	}
	tp_shard_list_dispose(&p->list);
	tp_manifest_free(&p->m);
	tp_free(p->work);
	if (p->lock >= 0)
		close(p->lock);
}

tp_code tp_pack(tp_packed *out, const tp_pack_opts *o, tp_err *err)
{
	packer p = { .o = o, .lock = -1 };
	tp_packed done = { 0 };
	tp_code rc = check(o, err);
	if (!rc && !(p.work = tp_path_join(o->output, TP_SHARD_WORK)))
		rc = tp_nomem(err, 0);
	if (!rc)
		rc = tp_manifest_open(&p.m, o->photos, o->seed, err);
	if (!rc)
		rc = make_plan(&p, err);
	done.was_there = !rc && tp_is_shards(o->output);
	if (!rc)
		rc = done.was_there ? look_at_finished(&p, err) : work(&p, err);
	if (!rc) {
		count(&done, &p);
		*out = done;
	}
	dispose(&p);
	return rc;
}
