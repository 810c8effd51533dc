/* What a recipe's augmentation makes of photos, as a picture to look at. */
#ifndef TP_TRAIN_SHOW_AUGMENT_H
#define TP_TRAIN_SHOW_AUGMENT_H

#include "data/data.h"
#include "train/recipe.h"

/* Writes a JPEG: a row for each of up to 8 training photos of different species, the photo as evaluation sees it first,
 * then its views of the first 7 epochs, exactly as a run of this recipe draws them. Photos that cannot be read are passed
 * over. TP_EINVAL when no photo could be shown. */
TP_CHECKED tp_code tp_show_augment(
	const char *path, const tp_manifest *m, const tp_prep *prep, const tp_recipe *r, tp_err *err);

#endif
