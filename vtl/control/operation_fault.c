/* SPDX-License-Identifier: Apache-2.0 */
/* operation_fault.c - faults set, cleared and listed: see control.h and vtl/fault/faults.h. */
#include "vtl/control/operations.h"

#include <string.h>

#include "common/json.h"

#define DELAY_DEFAULT_MS 1000
#define DELAY_MAX_MS     (3600 * 1000)

static int need_daemon(struct control *control, struct error *err)
{
    return control->faults ? 0
                           : error_set(err, ERR_STATE,
                                       "faults live in the daemon; start it with 'capstan serve'");
}

/* ---- set --------------------------------------------------------------------------------- */

static int setting_from(const json_t *args, struct fault_setting *s, struct error *err)
{
    const char *name = json_get_text(args, "name", ""),
               *cartridge = json_get_text(args, "cartridge", "");
    const struct fault_kind_row *row = faults_find(name);
    int64_t drive = json_get_integer(args, "drive", -1);
    int64_t rate = json_get_integer(args, "rate", 100);
    int64_t delay = json_get_integer(args, "delay", DELAY_DEFAULT_MS);

    if (!row)
        return error_set(err, ERR_USAGE,
                         "there is no fault '%.40s'; 'capstan fault list --vocabulary' tells them",
                         name);
    if (strlen(cartridge) > CARTRIDGE_BARCODE_MAX)
        return error_set(err, ERR_USAGE, "'%.40s' is no barcode", cartridge);
    if (json_object_get(args, "delay") && !(row->parameters & PARAMETER_DELAY))
        return error_set(err, ERR_USAGE, "%s takes no delay", name);
    if (delay < 1 || delay > DELAY_MAX_MS || rate < 1 || rate > 100 || drive > LIBRARY_DRIVES_MAX)
        return error_set(err, ERR_USAGE,
                         "a delay is from 1 to %d ms, a rate from 1 to 100 percent, a drive from 0 "
                         "to %d",
                         DELAY_MAX_MS, LIBRARY_DRIVES_MAX - 1);
    *s = (struct fault_setting){
        .name = (enum fault_name)(row - faults_kinds()),
        .drive = (int)drive,
        .block = json_get_integer(args, "block", -1),
        .rate = (unsigned)rate,
        .count = (uint64_t)json_get_integer(args, "count", 0),
        .delay_ms = (unsigned)delay,
    };
    snprintf(s->cartridge, sizeof(s->cartridge), "%s", cartridge);
    return 0;
}

int operation_fault_set(struct control *control, const json_t *args, json_t **result,
                        struct error *err)
{
    struct fault_setting s;
    unsigned id = 0;
    int rc = need_daemon(control, err);

    if (!rc)
        rc = setting_from(args, &s, err);
    if (!rc)
        rc = faults_set(control->faults, &s, &id, err);
    if (rc)
        return rc;
    *result = json_pack("{siss}", "fault", (int)id, "name", faults_kinds()[s.name].name);
    return *result ? 0 : operation_no_memory(err);
}

int operation_fault_clear(struct control *control, const json_t *args, json_t **result,
                          struct error *err)
{
    unsigned cleared = 0;
    int rc = need_daemon(control, err);

    if (!rc)
        rc = faults_clear(control->faults, json_get_text(args, "fault", NULL), &cleared, err);
    if (rc)
        return rc;
    *result = json_pack("{si}", "cleared", (int)cleared);
    return *result ? 0 : operation_no_memory(err);
}

/* ---- list -------------------------------------------------------------------------------- */

static json_t *optional(int64_t value)
{
    return value < 0 ? NULL : json_integer(value);
}

static int add_setting(void *ctx, const struct fault_setting *s)
{
    const struct fault_kind_row *row = &faults_kinds()[s->name];
    json_t *out =
        json_pack("{sissssss*so*so*sisIsI}", "fault", (int)s->id, "name", row->name, "layer",
                  faults_layer_name(row->layer), "cartridge", s->cartridge[0] ? s->cartridge : NULL,
                  "drive", optional(s->drive), "block", optional(s->block), "rate", (int)s->rate,
                  "count", (json_int_t)s->count, "strikes", (json_int_t)s->strikes);

    if (out && (row->parameters & PARAMETER_DELAY))
        json_object_set_new(out, "delay_ms", json_integer(s->delay_ms));
    return out && json_array_append_new(ctx, out) == 0 ? 0 : -ERR_NO_MEMORY;
}

int operation_fault_list(struct control *control, const json_t *args, json_t **result,
                         struct error *err)
{
    json_t *rows = json_array();
    int rc = need_daemon(control, err);

    (void)args;
    if (!rc && faults_list(control->faults, add_setting, rows) != 0)
        rc = operation_no_memory(err);
    *result = rc ? NULL : json_pack("{sO}", "faults", rows);
    json_decref(rows);
    return rc || *result ? rc : operation_no_memory(err);
}

int operation_fault_vocabulary(struct control *control, const json_t *args, json_t **result,
                               struct error *err)
{
    json_t *rows = json_array();

    (void)control;
    (void)args;
    for (unsigned i = 0; i < FAULT_NAMES; i++) {
        const struct fault_kind_row *row = &faults_kinds()[i];
        char options[FAULT_OPTIONS_SIZE];

        faults_options(row, "", options);
        json_array_append_new(rows, json_pack("{ssssssss}", "name", row->name, "layer",
                                              faults_layer_name(row->layer), "options", options,
                                              "summary", row->summary));
    }
    *result = json_pack("{so}", "faults", rows);
    return *result ? 0 : operation_no_memory(err);
}
