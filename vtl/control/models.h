/* SPDX-License-Identifier: Apache-2.0 */
/*
 * models.h - which models a library and its drives are: capstan.conf and the personalities.
 *
 * Thread rule: read-only once loaded; then any thread.
 */
#ifndef CAPSTAN_VTL_CONTROL_MODELS_H
#define CAPSTAN_VTL_CONTROL_MODELS_H

#include "vtl/control/config.h"
#include "vtl/personality/personality.h"
#include "vtl/scsi/scsi.h"

#define MODELS_DIRECTORY "personalities" /* below the root */

struct models {
    struct personality_set *set;
    struct scsi_models scsi; /* every entry is set */
};

/* Load the personalities of the library's root and find those that the configuration names.
 * ERR_NOT_FOUND: there is no such model, with those that are near; ERR_RANGE: it is of the other
 * kind, or the library has more elements than the model has addresses for.  models_free() ends it,
 * after whatever was made with it. */
int models_load(const struct config *config, struct models *out, struct error *err);
void models_free(struct models *models);

/* library_open() with the geometry and the element addresses of the configured library. */
int models_open_library(const struct models *models, const struct config *config,
                        struct library **out, struct error *err);

/* The same for those who need the library alone. */
int models_open_library_only(const struct config *config, struct library **out, struct error *err);

#endif
