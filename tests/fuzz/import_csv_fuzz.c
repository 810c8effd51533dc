/* Fuzz target: a table of photos, and the names of species behind it. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "p.csv", "classes.csv", NULL };
	const tp_import_opts o = { .path = file[0] };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("csv", &o);
	return 0;
}
