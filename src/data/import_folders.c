/* A folder of class folders: "Mangifera_indica/leaf_1.jpg" is a photo of Mangifera indica, of a leaf. Folders inside a
 * class folder belong to the class; links to folders are not followed, so no loop of links can trap us. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/data_int.h"
#include "data/import_int.h"

enum { MAX_DEPTH = 8 };

typedef struct {
	tp_sink *s;
	const char *root, *species;
	size_t photos, loose; /* loose: those that lie in the root itself */
} walk;

static bool is_real_dir(const char *path)
{
	struct stat st;
	return !lstat(path, &st) && S_ISDIR(st.st_mode);
}

static tp_code add(walk *w, const char *rel, const char *name, tp_err *err)
{
	const char *bar = strchr(name, '_');
	char organ[16] = "";
	tp_row row = TP_ROW_INIT;
	if (name[0] == '.' || !tp_is_photo_name(name))
		return w->s->refuse(w->s, TP_NOT_A_PHOTO, TP_EFORMAT, rel, "no photo, by its name", err);
	if (bar && tp_is_organ(name, (size_t)(bar - name)))
		snprintf(organ, sizeof organ, "%.*s", (int)(bar - name), name);
	row.path = row.where = rel;
	row.organ = organ;
	row.name = w->species;
	w->photos++;
	return w->s->row(w->s, &row, err);
}

static tp_code walk_class(walk *w, const char *rel, int depth, tp_err *err)
{
	tp_names names = { 0 };
	char *dir = tp_path_join(w->root, rel);
	tp_code rc = dir ? tp_dir_list(&names, dir, err) : tp_nomem(err, strlen(rel));
	for (size_t i = 0; i < names.len && !rc; i++) {
		char *sub = tp_path_join(rel, names.v[i]), *full = sub ? tp_path_join(w->root, sub) : NULL;
		if (!full)
			rc = tp_nomem(err, strlen(rel));
		else if (tp_is_file(full))
			rc = add(w, sub, names.v[i], err);
		else if (is_real_dir(full) && names.v[i][0] != '.')
			rc = depth == MAX_DEPTH ? tp_fail(err, TP_ELIMIT, "%s: folders more than %d deep",
							  full, MAX_DEPTH)
						: walk_class(w, sub, depth + 1, err);
		tp_free(sub);
		tp_free(full);
	}
	tp_names_free(&names);
	tp_free(dir);
	return rc;
}

static tp_code class_folder(walk *w, const char *name, tp_err *err)
{
	char *species = tp_strdup(name);
	if (!species)
		return tp_nomem(err, strlen(name));
	for (char *s = species; *s; s++)
		if (*s == '_')
			*s = ' ';
	w->species = species;
	size_t before = w->photos;
	tp_code rc = walk_class(w, name, 1, err);
	if (!rc && w->photos == before)
		tp_log(TP_LOG_WARN, "folder=\"%s\" holds no photos: it is no species", name);
	tp_free(species);
	return rc;
}

static tp_code loose_file(walk *w, const char *name, tp_err *err)
{
	bool photo = tp_is_photo_name(name);
	w->loose += photo;
	return photo ? w->s->refuse(w->s, TP_NO_SPECIES, TP_EFORMAT, name,
			       "a photo outside the species' folders", err)
		     : w->s->refuse(w->s, TP_NOT_A_PHOTO, TP_EFORMAT, name, "no photo, by its name", err);
}

tp_code tp_import_folders(tp_sink *s, const tp_import_opts *o, tp_err *err)
{
	const char *root = o->path;
	walk w = { .s = s, .root = root };
	tp_names names = { 0 };
	tp_code rc = tp_dir_list(&names, root, err);
	for (size_t i = 0; i < names.len && !rc; i++) {
		char *full = tp_path_join(root, names.v[i]);
		if (!full)
			rc = tp_nomem(err, strlen(root));
		else if (tp_is_file(full))
			rc = loose_file(&w, names.v[i], err);
		else if (is_real_dir(full) && names.v[i][0] != '.')
			rc = class_folder(&w, names.v[i], err);
		tp_free(full);
	}
	tp_names_free(&names);
	if (!rc && !w.photos && w.loose)
		rc = tp_fail(err, TP_EINVAL,
			"%s: %zu photos, but no folder for each species; put each species' photos into a "
			"folder of its name",
			root, w.loose);
	return rc ? rc : tp_import_class_names(s, root, err);
}
