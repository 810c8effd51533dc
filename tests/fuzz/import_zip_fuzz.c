/* Fuzz target: a zip archive with a Darwin Core Archive in it. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "a.zip", NULL };
	const tp_import_opts o = { .path = file[0] };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("dwca", &o);
	return 0;
}
