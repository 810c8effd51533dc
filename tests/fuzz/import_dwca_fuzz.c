/* Fuzz target: a Darwin Core Archive: meta.xml, occurrences, media. */
#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "meta.xml", "occurrence.txt", "multimedia.txt", NULL };
	const tp_import_opts o = { .path = dir, .kingdom = "Plantae" };
	if (!n_files)
		enter(names);
	put_files(p, n);
	check_import("dwca", &o);
	return 0;
}
