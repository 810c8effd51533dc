/* The lists of names that lie beside the photo set TEPAL_PHOTOS names, in taxonomy/: what tests with real names read. */
#ifndef TP_TESTS_TAXONOMY_SHARED_H
#define TP_TESTS_TAXONOMY_SHARED_H

#include <stdbool.h>

enum { SHARED_PATH = 1024 };
#define NO_SHARED "TEPAL_PHOTOS is not set, or has no taxonomy/ with this list in or beside it"

/* The path of a list; false when it is not there. */
bool shared(char path[SHARED_PATH], const char *name);

/* Every tenth species of The Plant List is taken out: `text` is the list without them, `missing` "name TAB author" a line.
 * What is said to be a synonym of one goes too. Free both with tp_free(). */
bool shared_holdout(char **text, char **missing);

#endif
