/* Fuzz target: iNaturalist 2021, one JSON file. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "train.json", NULL };
	const tp_import_opts o = { .path = file[0], .kingdom = "Plantae" };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("inat2021", &o);
	return 0;
}
