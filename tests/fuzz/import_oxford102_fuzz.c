/* Fuzz target: Oxford 102 Flowers: labels, sets, names. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "imagelabels.csv", "setid.csv", "cat_to_name.json", NULL };
	const tp_import_opts o = { .path = dir };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("oxford102", &o);
	return 0;
}
