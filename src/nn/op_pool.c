/* Pools and their gradients, the plain truth. */
#include <math.h>
#include <string.h>

#include "nn/net_int.h"

typedef struct {
	int y0, y1, x0, x1; /* of the source, inside it */
	int area;           /* what an average is divided by */
} window;

static window window_at(const tp_geo *g, int i, int j)
{
	int y = i * g->stride - g->top, x = j * g->stride - g->left, y1 = y + g->kh, x1 = x + g->kw;
	/* padding counts only as far as it reaches: a hanging window of ceil mode is cut there */
	int ye = y1 > g->h + g->top ? g->h + g->top : y1, xe = x1 > g->w + g->left ? g->w + g->left : x1;
	window v = { y < 0 ? 0 : y, y1 > g->h ? g->h : y1, x < 0 ? 0 : x, x1 > g->w ? g->w : x1, 0 };
	v.area = g->count_pad ? (ye - y) * (xe - x) : (v.y1 - v.y0) * (v.x1 - v.x0);
	return v;
}

static size_t source_plane(const tp_geo *g)
{
	return (size_t)g->h * (size_t)g->w;
}

/* Where the largest value is: the first one wins a tie, and a NaN wins always, as in PyTorch. */
static size_t top_of(const float *x, const tp_geo *g, window v)
{
	size_t best = (size_t)v.y0 * (size_t)g->w + (size_t)v.x0;
	for (int y = v.y0; y < v.y1; y++)
		for (int k = v.x0; k < v.x1; k++) {
			size_t at = (size_t)y * (size_t)g->w + (size_t)k;
			if (x[at] > x[best] || isnan(x[at]))
				best = at;
		}
	return best;
}

void tp_max_pool_plain(float *y, const float *x, const tp_geo *g)
{
	for (int p = 0; p < g->n * g->c; p++, x += source_plane(g))
		for (int i = 0; i < g->oh; i++)
			for (int j = 0; j < g->ow; j++)
				*y++ = x[top_of(x, g, window_at(g, i, j))];
}

void tp_max_pool_plain_back(float *dx, const float *dy, const float *x, const tp_geo *g)
{
	memset(dx, 0, (size_t)(g->n * g->c) * source_plane(g) * sizeof *dx);
	for (int p = 0; p < g->n * g->c; p++, x += source_plane(g), dx += source_plane(g))
		for (int i = 0; i < g->oh; i++)
			for (int j = 0; j < g->ow; j++)
				dx[top_of(x, g, window_at(g, i, j))] += *dy++;
}

void tp_avg_pool_plain(float *y, const float *x, const tp_geo *g)
{
	for (int p = 0; p < g->n * g->c; p++, x += source_plane(g))
		for (int i = 0; i < g->oh; i++)
			for (int j = 0; j < g->ow; j++) {
				window v = window_at(g, i, j);
				float sum = 0;
				for (int a = v.y0; a < v.y1; a++)
					for (int b = v.x0; b < v.x1; b++)
						sum += x[(size_t)a * (size_t)g->w + (size_t)b];
				*y++ = sum / (float)v.area;
			}
}

void tp_avg_pool_plain_back(float *dx, const float *dy, const tp_geo *g)
{
	memset(dx, 0, (size_t)(g->n * g->c) * source_plane(g) * sizeof *dx);
	for (int p = 0; p < g->n * g->c; p++, dx += source_plane(g))
		for (int i = 0; i < g->oh; i++)
			for (int j = 0; j < g->ow; j++, dy++) {
				window v = window_at(g, i, j);
				for (int a = v.y0; a < v.y1; a++)
					for (int b = v.x0; b < v.x1; b++)
						dx[(size_t)a * (size_t)g->w + (size_t)b] +=
							*dy / (float)v.area;
			}
}

void tp_global_pool_plain(float *y, const float *x, int planes, int area)
{
	for (int p = 0; p < planes; p++) {
		double sum = 0;
		for (int i = 0; i < area; i++)
			sum += x[(size_t)p * (size_t)area + (size_t)i];
		y[p] = (float)(sum / area);
	}
}

void tp_global_pool_plain_back(float *dx, const float *dy, int planes, int area)
{
	for (int p = 0; p < planes; p++)
		for (int i = 0; i < area; i++)
			*dx++ = dy[p] / (float)area;
}
