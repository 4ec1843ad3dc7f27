/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation_status.c - the picture of a library: see control.h.
 *
 * What a drive does is known by the daemon only, so each drive says how fresh its state is
 * ("observed"), and on a stopped library a cartridge in a drive is "offline", nothing more.
 */
#include "vtl/control/operations.h"

#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "vtl/control/place.h"

#define STATUS_LEASE_NS (10 * INT64_C(1000000000)) /* what is older is not told as a fact */

int operation_ping(struct control *control, const json_t *args, json_t **result, struct error *err)
{
    (void)args;
    *result = json_pack("{sbsi}", "daemon", control->target != NULL, "pid", (int)getpid());
    return *result ? 0 : operation_no_memory(err);
}

struct picture {
    struct control *control;
    json_t *rows;
    struct error *err;
};

/* Every state says how it is known, and since when.  at_ns 0: never. */
static int state_put(json_t *row, const char *state, const char *source, int64_t at_ns,
                     struct error *err)
{
    if (json_object_set_new(row, "state", json_string(state)) ||
        json_object_set_new(row, "state_source", json_string(source)))
        return operation_no_memory(err);
    if (at_ns == 0)
        return 0;
    if (json_object_set_new(row, "age_ms", json_integer((clock_real_ns() - at_ns) / 1000000)))
        return operation_no_memory(err);
    return json_set_time(row, "observed", at_ns, err);
}

static const char *evidence_word(const struct library_element *e)
{
    static const char *const words[] = {[EVIDENCE_RECORDED] = "recorded",
                                        [EVIDENCE_INVENTORY] = "inventory",
                                        [EVIDENCE_MOVE] = "move",
                                        [EVIDENCE_OPERATOR] = "operator"};

    return words[e->evidence];
}

/* What could not be looked at is unknown; "last" tells what library.db has. */
static int element_state_put(json_t *row, const struct library_element *e, struct error *err)
{
    const char *word = e->missing ? "missing" : e->full ? "full" : "empty";
    bool unknown = e->evidence == EVIDENCE_RECORDED;

    if (unknown && json_object_set_new(row, "last", json_string(word)))
        return operation_no_memory(err);
    return state_put(row, unknown ? "unknown" : word, evidence_word(e), e->observed_ns, err);
}

static int element_more(const struct library *lib, json_t *row, const struct library_element *e,
                        struct error *err)
{
    char source[PLACE_TEXT_SIZE];
    json_t *from = e->source_valid ? json_string(place_text(lib, e->source, source)) : json_null();

    if (json_object_set_new(row, "source", from) ||
        (e->missing && json_object_set_new(row, "missing", json_true())) ||
        (*e->alternate && json_object_set_new(row, "alternate_tag", json_string(e->alternate))))
        return operation_no_memory(err);
    return e->changed_ns ? json_set_time(row, "changed", e->changed_ns, err) : 0;
}

/* What every kind of element has in common. */
static json_t *element_row(const struct library *lib, const struct library_element *e,
                           struct error *err)
{
    char place[PLACE_TEXT_SIZE];
    json_t *row =
        json_pack("{sssisbss?}", "place", place_text(lib, e->address, place), "element",
                  (int)e->address, "full", e->full, "cartridge", e->full ? e->barcode : NULL);
    int rc = row ? element_more(lib, row, e, err) : operation_no_memory(err);

    if (rc == 0)
        rc = element_state_put(row, e, err);
    if (rc == 0)
        return row;
    json_decref(row);
    return NULL;
}

static int door_put(const struct picture *p, json_t *row, const struct library_element *e)
{
    struct scsi_door_state d;
    json_t *more;
    int rc;

    if (!p->control->target)
        return 0;
    scsi_target_door_state(p->control->target, e->address, &d);
    more = json_object();
    if (!more || json_object_set_new(row, "door", more))
        return operation_no_memory(p->err);
    rc = state_put(more, d.open ? "open" : "shut", d.commanded ? "command" : "start", d.since_ns,
                   p->err);
    return rc;
}

static const char *drive_word(const struct scsi_drive_state *state)
{
    return state->busy ? "busy" : state->loaded ? "loaded" : state->present ? "unloaded" : "empty";
}

/* What was not observed within its lease is unknown, and only what it was is told. */
static int drive_word_put(json_t *row, const struct scsi_drive_state *state, struct error *err)
{
    bool stale = clock_real_ns() - state->observed_ns > STATUS_LEASE_NS;

    if (stale && json_object_set_new(row, "last", json_string(drive_word(state))))
        return operation_no_memory(err);
    return state_put(row, stale ? "unknown" : drive_word(state), "observed", state->observed_ns,
                     err);
}

static int drive_details(json_t *row, const struct scsi_drive_state *state, struct error *err)
{
    const struct cartridge_position *pos = &state->position;
    json_t *more =
        json_pack("{sbsbsIsIsI}", "loaded", state->loaded, "prevented", state->prevented,
                  "commands", (json_int_t)state->commands, "bytes_read",
                  (json_int_t)state->bytes_read, "bytes_written", (json_int_t)state->bytes_written);
    int rc;

    if (!more || json_object_update(row, more)) {
        json_decref(more);
        return operation_no_memory(err);
    }
    json_decref(more);
    rc = drive_word_put(row, state, err);
    if (rc || !state->loaded)
        return rc;
    more = json_pack("{sIsIsIsIsIsb}", "partition", (json_int_t)pos->partition, "block",
                     (json_int_t)pos->lba, "file", (json_int_t)pos->file, "unsynced",
                     (json_int_t)pos->unsynced, "used", (json_int_t)pos->used, "early_warning",
                     pos->early_warning);
    rc = !more || json_object_set_new(row, "position", more) ? operation_no_memory(err) : 0;
    return rc;
}

/* What library.db knows of a drive that nobody can ask. */
static const char *recorded_word(const struct library_element *e)
{
    return e->removed ? "removed" : e->full ? "offline" : "empty";
}

static int drive_complete(struct picture *p, json_t *row, const struct library_element *e)
{
    unsigned drive = (unsigned)(e->address - library_first(p->control->library, ELEMENT_DRIVE));
    struct scsi_drive_state state;
    int rc;

    if (json_object_set_new(row, "drive", json_integer(drive)))
        return operation_no_memory(p->err);
    if (e->removed || !p->control->target)
        return state_put(row, recorded_word(e), "recorded", e->changed_ns, p->err);
    rc = scsi_target_drive_state(p->control->target, drive, &state, p->err);
    return rc ? rc : drive_details(row, &state, p->err);
}

static int element_add(void *ctx, const struct library_element *e)
{
    struct picture *p = ctx;
    json_t *row = element_row(p->control->library, e, p->err);
    int rc = 0;

    if (!row)
        return -ERR_NO_MEMORY;
    if (e->type == ELEMENT_DRIVE)
        rc = drive_complete(p, row, e);
    else if (e->type == ELEMENT_IMPORT_EXPORT)
        rc = door_put(p, row, e);
    if (rc) {
        json_decref(row);
        return rc;
    }
    return json_array_append_new(p->rows, row) ? operation_no_memory(p->err) : 0;
}

static int elements_add(struct control *control, json_t *result, const char *key,
                        enum element_type type, struct error *err)
{
    struct picture p = {control, json_array(), err};

    if (json_object_set_new(result, key, p.rows))
        return operation_no_memory(err);
    return library_elements(control->library, type, 0, UINT16_MAX, element_add, &p, err);
}

/* The name of an initiator is what it says: bytes. */
static int session_add(void *ctx, const struct iscsid_session_info *info)
{
    struct picture *p = ctx;
    json_t *row;
    int rc;

    /* Discovery is of no one library: all of the daemon show it. */
    if (!info->discovery && info->target != p->control->number)
        return 0;
    row =
        json_pack("{sssssssisisbsIsIsI}", "peer", info->peer, "portal", info->local, "view",
                  info->view, "portal_group", (int)info->group, "tsih", (int)info->tsih,
                  "discovery", info->discovery, "commands", (json_int_t)info->commands, "bytes_in",
                  (json_int_t)info->bytes_in, "bytes_out", (json_int_t)info->bytes_out);
    rc = row ? json_set_bytes(row, "initiator", info->initiator, strlen(info->initiator), p->err)
             : operation_no_memory(p->err);

    if (!rc)
        rc = json_set_time(row, "since", info->since_ns, p->err);
    if (rc) {
        json_decref(row);
        return rc;
    }
    return json_array_append_new(p->rows, row) ? operation_no_memory(p->err) : 0;
}

static int sessions_add(struct control *control, json_t *result, struct error *err)
{
    struct picture p = {control, json_array(), err};

    if (json_object_set_new(result, "sessions", p.rows))
        return operation_no_memory(err);
    return control->iscsid ? iscsid_sessions(control->iscsid, session_add, &p) : 0;
}

static int daemon_add(struct control *control, json_t *result, struct error *err)
{
    const struct config *config = control->config;
    json_t *portals = json_array(), *groups = json_array();
    json_t *about = json_pack("{sbsssOsO}", "running", control->target != NULL, "target",
                              config->target, "portals", portals, "portal_groups", groups);
    int rc = 0;

    json_decref(portals);
    json_decref(groups);
    if (json_object_set_new(result, "daemon", about))
        return operation_no_memory(err);
    for (unsigned i = 0; i < config->portals.count; i++) {
        uint16_t group;
        const char *portal = config_portal(config, i, &group);

        if (control->iscsid)
            portal = iscsid_target_portal(control->iscsid, control->number, i, NULL);
        if (json_array_append_new(portals, json_string(portal)) ||
            json_array_append_new(groups, json_integer(group)))
            return operation_no_memory(err);
    }
    if (!control->target)
        return 0;
    if (json_object_set_new(about, "pid", json_integer(getpid())))
        rc = operation_no_memory(err);
    return rc ? rc : json_set_time(about, "since", control->since_ns, err);
}

static int library_add(struct control *control, json_t *result, struct error *err)
{
    const struct library_geometry *g = library_geometry(control->library);
    const struct config *config = control->config;
    json_t *about = json_pack("{sssisisi}", "serial", config->serial, "drives", (int)g->drives,
                              "slots", (int)g->slots, "import_export", (int)g->import_export);
    int rc;

    if (!about || json_object_set_new(result, "library", about))
        return operation_no_memory(err);
    rc = json_set_bytes(about, "name", config->name, strlen(config->name), err);
    return rc ? rc : json_set_bytes(about, "root", config->root, strlen(config->root), err);
}

static int robot_add(struct control *control, json_t *result, struct error *err)
{
    char from[PLACE_TEXT_SIZE], to[PLACE_TEXT_SIZE];
    struct scsi_robot_state r;
    json_t *row = json_object();
    int rc = 0;

    if (!row || json_object_set_new(result, "robot", row))
        return operation_no_memory(err);
    if (!control->target)
        return state_put(row, "unknown", "recorded", 0, err);
    scsi_target_robot_state(control->target, &r);
    if (json_object_set_new(row, "moves", json_integer((json_int_t)r.moves)) ||
        json_object_set_new(row, "failures", json_integer((json_int_t)r.failures)) ||
        (r.from != r.to &&
         (json_object_set_new(row, "from",
                              json_string(place_text(control->library, r.from, from))) ||
          json_object_set_new(row, "to", json_string(place_text(control->library, r.to, to))))))
        rc = operation_no_memory(err);
    return rc ? rc
              : state_put(row,
                          r.moving   ? "moving"
                          : r.failed ? "failed"
                                     : "idle",
                          r.from != r.to ? "move" : "start", r.observed_ns, err);
}

static int vault_add(struct control *control, json_t *result, struct error *err)
{
    json_t *list = NULL;
    int rc = operation_vault_list(control, NULL, &list, err);

    if (!rc && json_object_update(result, list))
        rc = operation_no_memory(err);
    json_decref(list);
    return rc;
}

int operation_status(struct control *control, const json_t *args, json_t **out, struct error *err)
{
    json_t *result = json_object();
    int rc = result ? 0 : operation_no_memory(err);

    (void)args;
    if (!rc)
        rc = library_add(control, result, err);
    if (!rc)
        rc = daemon_add(control, result, err);
    if (!rc)
        rc = robot_add(control, result, err);
    if (!rc)
        rc = elements_add(control, result, "drives", ELEMENT_DRIVE, err);
    if (!rc)
        rc = elements_add(control, result, "slots", ELEMENT_SLOT, err);
    if (!rc)
        rc = elements_add(control, result, "import_export", ELEMENT_IMPORT_EXPORT, err);
    if (!rc)
        rc = vault_add(control, result, err);
    if (!rc)
        rc = sessions_add(control, result, err);
    if (rc)
        json_decref(result);
    else
        *out = result;
    return rc;
}
