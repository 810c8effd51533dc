/* From logits to scores: see tp_calibration in model.h. */
#include <math.h>

#include "model/model_int.h"

/* The largest cosine between the centred features and a class mean; the means are unit rows. */
static double nearest(const tp_model *m, const float *f)
{
	int n = m->arch->n_features;
	double norm = 0, best = -1;
	for (int i = 0; i < n; i++) {
		double d = (double)f[i] - (double)m->centre[i];
		norm += d * d;
	}
	norm = sqrt(norm);
	if (!(norm > 0))
		return 0; /* the centre itself: no direction */
	for (int c = 0; c < m->n_classes; c++) {
		const float *row = m->means + (size_t)c * (size_t)n;
		float dot = 0;
		for (int i = 0; i < n; i++)
			dot += (f[i] - m->centre[i]) * row[i];
		if ((double)dot / norm > best)
			best = (double)dot / norm;
	}
	return best;
}

/* The share of belief that the plant is one the model knows. */
static double familiar(const tp_model *m, const float *features)
{
	if (!m->means || m->calibration.novelty_b == 0)
		return 1;
	return 1 / (1 + exp(-(m->calibration.novelty_a + m->calibration.novelty_b * nearest(m, features))));
}

void tp_model_scores(float *scores, const tp_model *m, const float *logits, const float *features)
{
	double sum = 0, share = familiar(m, features);
	float top = logits[0];
	for (int i = 1; i < m->n_classes; i++)
		top = logits[i] > top ? logits[i] : top;
	for (int i = 0; i < m->n_classes; i++) {
		/* the largest exponent is 0: nothing overflows, and the sum is at least 1 */
		double e = exp(((double)logits[i] - (double)top) / m->calibration.temperature);
		scores[i] = (float)e;
		sum += e;
	}
	for (int i = 0; i < m->n_classes; i++)
		scores[i] = (float)((double)scores[i] / sum * share);
}
