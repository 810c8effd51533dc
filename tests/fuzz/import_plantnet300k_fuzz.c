/* Fuzz target: Pl@ntNet-300K v1.1: metadata and names. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "plantnet300K_metadata.json",
		"plantnet300K_species_id_2_name.json", NULL };
	const tp_import_opts o = { .path = dir };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("plantnet300k", &o);
	return 0;
}
