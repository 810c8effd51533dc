/* The memory of a worker: see augment.h. */
#include "base/mem.h"
#include "image/image_int.h"

enum { MAX_JPEG = 16 << 20 }; /* bytes of a view as JPEG; 1024 x 1024 at quality 100 takes about 2 MB */

tp_code tp_scratch_new(tp_scratch **out, tp_err *err)
{
	tp_scratch *s = tp_calloc(1, sizeof *s);
	if (!s)
		return tp_nomem(err, sizeof *s);
	tp_buf_init(&s->jpeg, MAX_JPEG);
	*out = s;
	return TP_OK;
}

void tp_scratch_dispose(tp_scratch *s)
{
	for (int i = 0; i < TP_BLOCKS; i++)
		tp_free(s->block[i].p);
	tp_free(s->view.px);
	tp_buf_dispose(&s->jpeg);
}

void tp_scratch_free(tp_scratch *s)
{
	if (s)
		tp_scratch_dispose(s);
	tp_free(s);
}

const tp_augment_times *tp_scratch_times(const tp_scratch *s)
{
	return &s->times;
}

/* What a block held is not needed any more when it grows: free first, so that the peak is lower. */
void *tp_scratch_get(tp_scratch *s, tp_block block, size_t size)
{
	if (s->block[block].cap < size) {
		tp_free(s->block[block].p);
		s->block[block].p = tp_alloc(size);
		s->block[block].cap = s->block[block].p ? size : 0;
	}
	return s->block[block].p;
}
