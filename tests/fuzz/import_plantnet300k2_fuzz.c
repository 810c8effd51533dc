/* Fuzz target: Pl@ntNet-300K v2.0: metadata and species. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "plantnet300K_metadata.csv", "species_metadata.csv", NULL };
	const tp_import_opts o = { .path = dir };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("plantnet300k", &o);
	return 0;
}
