/* Replays a corpus through a fuzz target, with any compiler: replay DIR|FILE... Every entry is one call. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int replay_file(const char *path)
{
	uint8_t *p = NULL;
	size_t n = 0;
	tp_err err = { 0 };
	if (tp_file_read(&p, &n, path, (size_t)1 << 30, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	LLVMFuzzerTestOneInput(p, n);
	tp_free(p);
	return 0;
}

static int replay_dir(const char *dir, size_t *count)
{
	tp_names names = { 0 };
	tp_err err = { 0 };
	int bad = 0;
	if (tp_dir_list(&names, dir, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (size_t i = 0; i < names.len; i++, ++*count) {
		char *path = tp_path_join(dir, names.v[i]);
		bad |= !path || replay_file(path);
		tp_free(path);
	}
	tp_names_free(&names);
	return bad;
}

int main(int argc, char **argv)
{
	size_t count = 0;
	int bad = 0;
	for (int i = 1; i < argc; i++) {
		if (tp_is_dir(argv[i]))
			bad |= replay_dir(argv[i], &count);
		else
			bad |= (count++, replay_file(argv[i]));
	}
	printf("%zu inputs replayed\n", count);
	return bad || !count;
}
