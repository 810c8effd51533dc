/* Fuzz target: a PyTorch checkpoint. What is accepted has the sizes it says. */
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	tp_weights *w = NULL;
	size_t sum = 0;
	if (tp_checkpoint_parse(&w, p, n, NULL))
		return 0;
	for (size_t i = 0; i < tp_weights_count(w); i++) {
		const tp_tensor *t = tp_weights_at(w, i);
		size_t count = 1;
		for (int d = 0; d < t->ndim; d++)
			count *= (size_t)t->dim[d];
		if (count != tp_tensor_count(t))
			abort();
		for (size_t k = 0; k < t->size; k++)
			sum += ((const uint8_t *)t->data)[k]; /* every byte can be read */
	}
	tp_weights_free(w);
	return sum == (size_t)-1; /* never */
}
