/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation_reload.c - capstan.conf read again by a running daemon: see control.h.
 *
 * Who may reach the library and what he sees takes effect at once; what the library is made of and
 * where it listens waits for the next start, and is told.
 */
#include <string.h>

#include "common/checked.h"
#include "vtl/control/operations.h"

/* Keys that a reload applies, and those that verbs of their own change in library and file. */
static const struct {
    const char *section, *key; /* NULL: all */
} live[] = {
    {"iscsi", "initiators"}, {"iscsi", "views"},
    {"iscsi", "redirect"},   {"iscsi", "initiator"},
    {"chap", NULL},          {"library", "drives"},
    {"library", "slots"},    {"library", "import_export"},
};

static bool is_live(const struct config_key *key)
{
    for (size_t i = 0; i < ARRAY_LENGTH(live); i++)
        if (strcmp(live[i].section, key->section) == 0 &&
            (!live[i].key || strcmp(live[i].key, key->key) == 0))
            return true;
    return false;
}

/* Names of what differs and is not applied. */
static json_t *pending(const struct config *running, const struct config *fresh)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    json_t *list = json_array();

    for (size_t i = 0; list && i < count; i++)
        if (!is_live(&keys[i]) && !config_same(running, fresh, &keys[i]))
            json_array_append_new(list, json_sprintf("[%s] %s", keys[i].section, keys[i].key));
    return list;
}

int operation_reload(struct control *control, const json_t *args, json_t **result,
                     struct error *err)
{
    struct iscsid_options options;
    struct config *fresh = NULL;
    int rc;

    (void)args;
    if (!control->iscsid)
        return error_set(err, ERR_STATE,
                         "no daemon serves this library; capstan.conf is read when one starts");
    rc = config_load(control->config->root, &fresh, err);
    if (!rc)
        rc = config_load_secrets(fresh, err);
    if (!rc) {
        config_iscsi_options(fresh, &options);
        rc = iscsid_reload(control->iscsid, control->number, &options, err);
    }
    if (!rc) {
        *result = json_pack("{so}", "pending", pending(control->config, fresh));
        rc = *result ? 0 : operation_no_memory(err);
    }
    config_free(fresh);
    return rc;
}
