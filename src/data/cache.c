/* Cache of shrunk photos: see cache_int.h. First come, first kept: in training every photo is asked for once an epoch,
 * so there is none that is asked for more often. */
#include "data/cache_int.h"

#include <pthread.h>

#include "base/mem.h"

typedef struct {
	tp_image *img; /* NULL: not kept */
	int photo_w, photo_h;
} kept;

struct tp_photo_cache {
	pthread_mutex_t lock;
	kept *v;
	size_t n_samples, n, bytes, max_bytes;
	int side;
};

tp_code tp_cache_new(tp_photo_cache **out, size_t n_samples, int side, size_t max_bytes, tp_err *err)
{
	tp_photo_cache *c = tp_calloc(1, sizeof *c);
	kept *v = tp_calloc(n_samples, sizeof *v);
	if (!c || !v) {
		tp_free(c);
		tp_free(v);
		return tp_nomem(err, n_samples * sizeof *v);
	}
	*c = (tp_photo_cache){ .v = v, .n_samples = n_samples, .max_bytes = max_bytes, .side = side };
	pthread_mutex_init(&c->lock, NULL);
	*out = c;
	return TP_OK;
}

void tp_cache_free(tp_photo_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_samples; i++)
		tp_image_free(c->v[i].img);
	pthread_mutex_destroy(&c->lock);
	tp_free(c->v);
	tp_free(c);
}

static kept look(tp_photo_cache *c, size_t sample)
{
	pthread_mutex_lock(&c->lock);
	kept k = c->v[sample];
	pthread_mutex_unlock(&c->lock);
	return k;
}

bool tp_cache_has(tp_photo_cache *c, size_t sample)
{
	return look(c, sample).img;
}

void tp_cache_size(tp_photo_cache *c, size_t *n, size_t *bytes)
{
	pthread_mutex_lock(&c->lock);
	*n = c->n;
	*bytes = c->bytes;
	pthread_mutex_unlock(&c->lock);
}

/* Is the photo the cache's now? Not when there is no room, or when another thread was first. */
static bool keep(tp_photo_cache *c, size_t sample, const kept *k)
{
	size_t size = (size_t)k->img->w * (size_t)k->img->h * 3 + sizeof *k->img;
	pthread_mutex_lock(&c->lock);
	bool room = !c->v[sample].img && size <= c->max_bytes - c->bytes;
	if (room) {
		c->v[sample] = *k;
		c->bytes += size;
		c->n++;
	}
	pthread_mutex_unlock(&c->lock);
	return room;
}

tp_code tp_cache_photo(float *out, tp_photo_cache *c, size_t sample, const tp_prep *p, const tp_augment *a,
	const tp_augment_key *key, const void *bytes, size_t len, tp_scratch *s, tp_err *err)
{
	kept k = look(c, sample);
	bool ours = !k.img;
	tp_augment_params d;
	tp_code rc = TP_OK;
	if (ours)
		rc = tp_augment_load(&k.img, &k.photo_w, &k.photo_h, c->side, p->filter, bytes, len, s, err);
	if (rc)
		return rc;
	tp_augment_draw(&d, a, key, k.photo_w, k.photo_h);
	rc = tp_augment_apply(out, p, &d, k.img, s, err);
	if (ours && (rc || !keep(c, sample, &k)))
		tp_image_free(k.img);
	return rc;
}
