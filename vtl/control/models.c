/* SPDX-License-Identifier: Apache-2.0 */
/* models.c - see models.h. */
#include "vtl/control/models.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

static int drive_model(const struct models *m, const char *name, const struct personality **out,
                       struct error *err)
{
    return personality_find(m->set, PERSONALITY_DRIVE, name, out, err);
}

/* One item of drive_models: N=NAME or N-M=NAME; config.c has checked its form. */
static int apply_item(const struct config *config, struct models *m, const char *item,
                      struct error *err)
{
    char *end;
    unsigned long first = strtoul(item, &end, 10), last = first;
    const struct personality *p;
    int rc;

    if (*end == '-')
        last = strtoul(end + 1, &end, 10);
    if (last < first || last >= config->drives)
        return error_set(err, ERR_RANGE,
                         "[library] drive_models: %.64s: the drives are numbered 0 to %u", item,
                         config->drives - 1);
    rc = drive_model(m, end + 1, &p, err);
    if (rc)
        return error_prefix(err, "[library] drive_models");
    for (unsigned long i = first; i <= last; i++)
        m->scsi.drives[i] = p;
    return 0;
}

static int find_drives(const struct config *config, struct models *m, struct error *err)
{
    const struct personality *p;
    int rc = drive_model(m, config->drive_model, &p, err);

    if (rc)
        return error_prefix(err, "[library] drive_model");
    for (unsigned i = 0; i < LIBRARY_DRIVES_MAX; i++)
        m->scsi.drives[i] = p;
    for (unsigned i = 0; rc == 0 && i < config->drive_models.count; i++)
        rc = apply_item(config, m, config->drive_models.item[i], err);
    return rc;
}

static int find_changer(const struct config *config, struct models *m, struct error *err)
{
    int rc =
        personality_find(m->set, PERSONALITY_CHANGER, config->library_model, &m->scsi.changer, err);

    return rc ? error_prefix(err, "[library] model") : 0;
}

int models_load(const struct config *config, struct models *out, struct error *err)
{
    CLEANUP_FREE char *directory = NULL;
    int rc;

    memset(out, 0, sizeof(*out));
    if (asprintf(&directory, "%s/" MODELS_DIRECTORY, config->root) < 0) {
        directory = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for personalities");
    }
    rc = personality_set_load(directory, &out->set, err);
    if (rc == 0)
        rc = find_changer(config, out, err);
    if (rc == 0)
        rc = find_drives(config, out, err);
    if (rc)
        models_free(out);
    return rc;
}

void models_free(struct models *models)
{
    personality_set_free(models->set);
    memset(models, 0, sizeof(*models));
}

int models_open_library(const struct models *models, const struct config *config,
                        struct library **out, struct error *err)
{
    const struct personality *p = models->scsi.changer;
    struct library_layout layout = {.barcode_max = p->barcode_length};
    struct library_geometry geometry;
    int rc;

    for (unsigned t = ELEMENT_TRANSPORT; t <= ELEMENT_DRIVE; t++)
        layout.first[t] = p->elements[t].first;
    config_geometry(config, &geometry);
    rc = library_open(config->root, &geometry, out, err);
    if (rc == 0)
        library_set_layout(*out, &layout);
    return rc;
}

int models_open_library_only(const struct config *config, struct library **out, struct error *err)
{
    struct models models;
    int rc = models_load(config, &models, err);

    if (rc)
        return rc;
    rc = models_open_library(&models, config, out, err);
    models_free(&models);
    return rc;
}
