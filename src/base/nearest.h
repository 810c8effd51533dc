#ifndef TP_BASE_NEAREST_H
#define TP_BASE_NEAREST_H

#include <stddef.h>

/* The one of n names that `word` was perhaps meant to be; NULL when none is near. */
const char *tp_nearest(const char *word, const char *const *names, size_t n);

#endif
