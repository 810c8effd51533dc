/* Fuzz target: a model file. The checksum is made right first, or nothing behind it would ever be reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "model/model_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int fd = -1;
	static char path[32];
	tp_model *m = NULL;
	uint8_t *copy = tp_alloc(n);
	if (fd < 0) {
		char name[] = "/tmp/tepal-fuzz-XXXXXX";
		fd = mkstemp(name);
		unlink(name); /* it lives as long as the process, and goes with it */
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	if (n)
		memcpy(copy, p, n);
	if (tp_sum_set(copy, n, NULL) == TP_OK && !ftruncate(fd, 0) && pwrite(fd, copy, n, 0) == (ssize_t)n &&
		tp_model_load(&m, path, NULL) == TP_OK) {
		for (int i = 0; i < tp_model_classes(m); i++)
			if (!*tp_model_class(m, i)->name)
				abort();
		tp_model_free(m);
	}
	tp_free(copy);
	return 0;
}
