/* An engine of three species that needs no network: handlers are tested through it, without a socket.
 * What follows the first bytes of a photo says what happens: "damaged", "huge", "weed" (no likely species). */
#ifndef TP_TESTS_FAKE_ENGINE_H
#define TP_TESTS_FAKE_ENGINE_H

#include "engine/engine.h"

tp_engine *fake_engine_new(void);
void fake_engine_free(tp_engine *e);
int fake_engine_photos(const tp_engine *e);         /* photos of the last call */
const char *fake_engine_organs(const tp_engine *e); /* their organs, "leaf,auto" */

#endif
