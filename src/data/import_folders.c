/* A folder of class folders: "Mangifera_indica/leaf_1.jpg" is a photo of Mangifera indica, of a leaf. Folders inside a
 * class folder belong to the class; links to folders are not followed. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/data_int.h"

enum { MAX_DEPTH = 8 };

typedef struct {
	tp_builder *b;
	const char *root;
	int species;
	size_t loose; /* photos that lie in the root itself */
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
	w->b->m.seen++;
	if (name[0] == '.' || !tp_is_photo_name(name)) {
		w->b->m.skipped_not_photo++;
		return TP_OK;
	}
	if (bar && tp_is_organ(name, (size_t)(bar - name)))
		snprintf(organ, sizeof organ, "%.*s", (int)(bar - name), name);
	tp_photo_row row = { .path = rel, .organ = organ, .species = w->species };
	return tp_builder_photo(w->b, &row, err);
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
	size_t taxa = w->b->m.n_taxa, photos = w->b->m.n_photos;
	tp_code rc = tp_builder_taxon(w->b, &w->species, species, err);
	tp_free(species);
	if (!rc)
		rc = walk_class(w, name, 1, err);
	if (!rc && w->b->m.n_photos == photos && w->b->m.n_taxa > taxa) {
		tp_builder_drop_last_taxon(w->b);
		tp_log(TP_LOG_WARN, "folder=\"%s\" holds no photos: it is no species", name);
	}
	return rc;
}

tp_code tp_import_folders(tp_builder *b, const char *root, tp_err *err)
{
	walk w = { .b = b, .root = root };
	tp_names names = { 0 };
	tp_code rc = tp_dir_list(&names, root, err);
	for (size_t i = 0; i < names.len && !rc; i++) {
		char *full = tp_path_join(root, names.v[i]);
		if (!full) {
			rc = tp_nomem(err, strlen(root));
		} else if (tp_is_file(full)) {
			b->m.seen++;
			bool photo = tp_is_photo_name(names.v[i]);
			w.loose += photo;
			*(photo ? &b->m.skipped_no_species : &b->m.skipped_not_photo) += 1;
		} else if (is_real_dir(full) && names.v[i][0] != '.') {
			rc = class_folder(&w, names.v[i], err);
		}
		tp_free(full);
	}
	tp_names_free(&names);
	if (!rc && !b->m.n_photos && w.loose)
		rc = tp_fail(err, TP_EINVAL,
			"%s: %zu photos, but no folder for each species; put each species' photos into a "
			"folder of its name",
			root, w.loose);
	return rc;
}
