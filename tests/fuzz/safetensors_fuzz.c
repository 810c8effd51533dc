/* Fuzz target: a .safetensors file. What is accepted lies inside the input, and is the same after another round. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/nn.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	tp_weights *w = NULL, *again = NULL;
	uint8_t *bytes = NULL;
	size_t len = 0;
	if (tp_safetensors_parse(&w, p, n, NULL))
		return 0;
	size_t count = tp_weights_count(w);
	tp_tensor *t = tp_calloc(count, sizeof *t);
	for (size_t i = 0; t && i < count; i++) {
		t[i] = *tp_weights_at(w, i);
		if ((const uint8_t *)t[i].data < p ||
			t[i].size > (size_t)(p + n - (const uint8_t *)t[i].data) ||
			tp_weights_find(w, t[i].name) != tp_weights_at(w, i))
			abort();
	}
	if (t && !tp_safetensors_render(&bytes, &len, t, count, NULL, 0, NULL) &&
		(tp_safetensors_parse(&again, bytes, len, NULL) || tp_weights_count(again) != count))
		abort();
	tp_weights_free(again);
	tp_weights_free(w);
	tp_free(bytes);
	tp_free(t);
	return 0;
}
