/* The running mean of the weights: see ema.h. */
#include "train/ema.h"

#include "base/par.h"

enum { PIECE = 1 << 16 }; /* floats a thread takes at a time */

typedef struct {
	float *ema;
	const float *w;
	size_t n;
	float keep, take;
} update;

double tp_ema_decay(double decay, bool warm_up, uint64_t t)
{
	double young = (1 + (double)t) / (10 + (double)t);
	return warm_up && young < decay ? young : decay;
}

static tp_code update_piece(void *ud, size_t i, int worker, tp_err *err)
{
	const update *u = ud;
	size_t at = i * PIECE, n = u->n - at < PIECE ? u->n - at : PIECE;
	float *restrict ema = u->ema + at;
	const float *restrict w = u->w + at;
	(void)worker;
	(void)err;
	for (size_t k = 0; k < n; k++)
		ema[k] = u->keep * ema[k] + u->take * w[k];
	return TP_OK;
}

tp_code tp_ema_update(float *ema, const float *w, size_t n, double decay, int threads, tp_err *err)
{
	update u = { ema, w, n, (float)decay, (float)(1 - decay) };
	return tp_par_for(n / PIECE + (n % PIECE != 0), threads, update_piece, &u, err);
}
