/* The build without oneDNN: no fast twin, the plain one runs. */
#include <assert.h>
#include <stddef.h>

#include "nn/plan_int.h"

tp_code tp_fast_new(tp_fast **out, tp_plan *p, tp_err *err)
{
	(void)out;
	(void)p;
	return tp_fail(err, TP_EBACKEND, "built without oneDNN");
}

void tp_fast_free(tp_fast *f)
{
	assert(!f);
	(void)f;
}

tp_code tp_fast_exec_new(tp_fast_exec **out, const tp_plan *p, uint8_t *arena, tp_err *err)
{
	(void)out;
	(void)p;
	(void)arena;
	return tp_fail(err, TP_EBACKEND, "built without oneDNN");
}

void tp_fast_exec_free(tp_fast_exec *x)
{
	assert(!x);
	(void)x;
}

tp_code tp_fast_run(tp_fast_exec *x, const tp_plan *p, uint8_t *arena, const float *in, tp_err *err)
{
	(void)x;
	(void)p;
	(void)arena;
	(void)in;
	return tp_fail(err, TP_EBACKEND, "built without oneDNN");
}

tp_code tp_gemm(float *c, const float *a, const float *b, int m, int n, int k, bool ta, bool tb, float alpha,
	float beta, int threads, tp_err *err)
{
	(void)threads;
	(void)err;
	tp_gemm_plain(c, a, b, m, n, k, ta, tb, alpha, beta);
	return TP_OK;
}

const char *tp_nn_backend(void)
{
	return "plain C";
}
