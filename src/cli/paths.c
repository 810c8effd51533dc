/* Where files lie when nobody says so: see cli.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"

char *tp_cli_index_path(const char *model_path)
{
	static const char ext[] = ".safetensors", add[] = ".index.safetensors";
	size_t n = strlen(model_path), e = sizeof ext - 1;
	if (n > e && !strcmp(model_path + n - e, ext))
		n -= e;
	char *p = tp_alloc(n + sizeof add);
	if (p) {
		memcpy(p, model_path, n);
		memcpy(p + n, add, sizeof add);
	}
	return p;
}

char *tp_cli_cache_path(const char *name)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	bool own = xdg && *xdg == '/';
	const char *base = own ? xdg : home;
	if (!base || *base != '/')
		return NULL;
	char *dir = tp_path_join(base, own ? "tepal" : ".cache/tepal");
	char *path = dir ? tp_path_join(dir, name) : NULL;
	tp_free(dir);
	return path;
}
