/* Several photos of one plant become one list of scores. */
#ifndef TP_ENGINE_FUSE_H
#define TP_ENGINE_FUSE_H

/* The mean over photos, species by species: out[c] = (1/n) sum of scores[i * classes + c]. A rule of ours;
 * docs/scores.md says why. Every photo has the same weight. out must not overlap scores. */
void tp_fuse_mean(float *out, const float *scores, int n, int classes);

/* The k best of `n` values, best first (ties: the lower number first), into order. Returns min(k, n). */
int tp_top_k(int *order, int k, const float *v, int n);

#endif
