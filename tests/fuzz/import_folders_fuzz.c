/* Fuzz target: class folders. Each line of the input is the path of a file in the folder. */
#define _XOPEN_SOURCE 700
#include "import_check.h"

#include <ftw.h>
#include <sys/stat.h>

#include "base/file.h"

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	return at->level ? remove(path) : 0;
}

/* A name that leaves the folder is none; what the system does not take is left out. */
static void make(const char *name)
{
	char path[400];
	if (!*name || *name == '/' || strstr(name, ".."))
		return;
	snprintf(path, sizeof path, "%s/%.200s", dir, name);
	char *slash = strrchr(path, '/');
	*slash = 0;
	if (tp_make_dirs(path, NULL))
		return;
	*slash = '/';
	FILE *f = fopen(path, "wb");
	if (f)
		fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const none[] = { NULL };
	const tp_import_opts o = { .path = dir };
	char line[256];
	size_t len = 0;
	if (!*dir)
		enter(none);
	for (size_t i = 0; i <= n && n < 4096; i++) {
		if (i < n && p[i] != '\n' && p[i] && len < sizeof line - 1) {
			line[len++] = (char)p[i];
			continue;
		}
		line[len] = 0;
		len = 0;
		make(line);
	}
	check_import("folders", &o);
	nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
