/* A run's folder, but for the checkpoints in it: whose it is, its settings and its report. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/html_report.h"
#include "train/tune_int.h"

tp_code tp_tune_check_dir(const tp_tune_job *job, tp_err *err)
{
	if (!job->resume && tp_tune_has_checkpoint(job->dir))
		return tp_fail(err, TP_EINVAL,
			"%s holds a run: --resume goes on with it; for a new one name another folder with "
			"--run",
			job->dir);
	if (job->resume && !tp_tune_has_checkpoint(job->dir))
		return tp_fail(err, TP_ENOTFOUND,
			"%s holds no run to go on with; without --resume one is begun", job->dir);
	return TP_OK;
}

/* What a killed process left half written. */
static void sweep(const char *dir)
{
	tp_names names = { 0 };
	if (!tp_dir_list(&names, dir, NULL))
		for (size_t i = 0; i < names.len; i++) {
			char *path = strstr(names.v[i], ".tmp") ? tp_path_join(dir, names.v[i]) : NULL;
			if (path && tp_is_file(path))
				unlink(path);
			tp_free(path);
		}
	tp_names_free(&names);
}

/* The folder is one process's at a time. A file system without locks is taken as it is. */
tp_code tp_tune_take_dir(tp_tuner *t, tp_err *err)
{
	const char *dir = t->job->dir;
	tp_code rc = tp_make_dirs(dir, err);
	if (rc)
		return rc;
	t->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->lock >= 0 && flock(t->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return tp_fail(err, TP_EBUSY, "%s: another process trains in it", dir);
	sweep(dir);
	return TP_OK;
}

/* DIR/recipe.json: what the run was told, every default included. */
tp_code tp_tune_write_recipe(const tp_tuner *t, tp_err *err)
{
	char *path = tp_path_join(t->job->dir, "recipe.json");
	json_t *j = tp_cfg_to_json(t->r, tp_recipe_items);
	tp_code rc = path && j ? tp_json_write(path, j, err) : tp_nomem(err, 0);
	json_decref(j);
	tp_free(path);
	return rc;
}

/* DIR/report.html, to look at while the run goes on. What cannot be written costs a warning. */
void tp_tune_write_report(const tp_tuner *t)
{
	char *log = tp_path_join(t->job->dir, "metrics.jsonl"),
	     *recipe = tp_path_join(t->job->dir, "recipe.json"),
	     *out = tp_path_join(t->job->dir, "report.html");
	tp_err err = { 0 };
	tp_code rc = log && recipe && out ? tp_html_report(log, recipe, out, &err) : tp_nomem(&err, 0);
	if (rc)
		tp_log(TP_LOG_WARN, "the report was not written: %s", err.msg);
	tp_free(log);
	tp_free(recipe);
	tp_free(out);
}
