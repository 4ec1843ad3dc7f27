/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c - the vocabulary, and the faults that are set: see faults.h. */
#include "vtl/fault/faults.h"

#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "vtl/fault/internal.h"

/* ---- vocabulary ------------------------------------------------------------------------------ */

static const struct fault_kind_row kinds[FAULT_NAMES] = {
    [FAULT_MEDIUM_ERROR] = {"medium-error", PARAMETER_CARTRIDGE | PARAMETER_BLOCK, LAYER_STORE,
                            "a block, or any, can't be read: MEDIUM ERROR 11h/00h"},
    [FAULT_WRITE_ERROR] = {"write-error", PARAMETER_CARTRIDGE, LAYER_STORE,
                           "nothing can be written: MEDIUM ERROR 0Ch/00h, at once or deferred"},
    [FAULT_DISK_FULL] = {"disk-full", PARAMETER_CARTRIDGE, LAYER_STORE,
                         "there is no room below: the end of the tape, VOLUME OVERFLOW 00h/02h"},
    [FAULT_LOAD_FAILURE] = {"load-failure", PARAMETER_CARTRIDGE, LAYER_STORE,
                            "a drive can't load the cartridge: 53h/00h"},
    [FAULT_ROBOT_JAM] = {"robot-jam", 0, LAYER_DEVICE,
                         "the robot can't move: HARDWARE ERROR 15h/01h"},
    [FAULT_DRIVE_STUCK] = {"drive-stuck", PARAMETER_DRIVE, LAYER_DEVICE,
                           "a drive does not give its cartridge back: HARDWARE ERROR 53h/01h"},
    [FAULT_LABEL_UNREADABLE] = {"label-unreadable", PARAMETER_CARTRIDGE, LAYER_DEVICE,
                                "the reader can't read a label: EXCEPT, 83h/00h, no volume tag"},
    [FAULT_ATTENTION_STORM] = {"attention-storm", PARAMETER_DRIVE, LAYER_DEVICE,
                               "commands end with UNIT ATTENTION 29h/04h"},
    [FAULT_SLOW_DRIVE] =
        {"slow-drive", PARAMETER_DRIVE | PARAMETER_DELAY, LAYER_DEVICE,
         "every command of a drive takes that much longer, with IMMED behind its status"},
    [FAULT_SLOW_ROBOT] = {"slow-robot", PARAMETER_DELAY, LAYER_DEVICE,
                          "every move takes that much longer"},
    [FAULT_CONNECTION_DROP] = {"connection-drop", PARAMETER_DELAY, LAYER_CONNECTION,
                               "all connections are cut, again and again after the delay"},
    [FAULT_CORRUPT_DIGEST] =
        {"corrupt-digest", 0, LAYER_CONNECTION,
         "a digest is wrong on the way to the target; sessions come back first"},
};

const struct fault_kind_row *faults_kinds(void)
{
    return kinds;
}

const char *faults_layer_name(enum fault_layer layer)
{
    static const char *const names[] = {"store", "device", "connection"};

    return names[layer];
}

const char *faults_options(const struct fault_kind_row *row, const char *prefix,
                           char buf[FAULT_OPTIONS_SIZE])
{
    static const char *const names[] = {"cartridge", "drive", "block", "delay"}; /* by bit */
    size_t used = 0;

    buf[0] = '\0';
    for (unsigned bit = 0; bit < ARRAY_LENGTH(names); bit++) {
        if (row->parameters & (1u << bit))
            used += (size_t)snprintf(buf + used, FAULT_OPTIONS_SIZE - used, "%s%s%s",
                                     used ? " " : "", prefix, names[bit]);
    }
    return buf;
}

const struct fault_kind_row *faults_find(const char *name)
{
    for (size_t i = 0; i < FAULT_NAMES; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* ---- striking -------------------------------------------------------------------------------- */

static bool spent(const struct fault_setting *s)
{
    return s->count && s->strikes >= s->count;
}

static bool place_matches(const struct fault_setting *s, const struct fault_place *p)
{
    if (s->cartridge[0] && (!p->cartridge || strcmp(s->cartridge, p->cartridge) != 0))
        return false;
    return (s->drive < 0 || s->drive == p->drive) && (s->block < 0 || s->block == p->block);
}

static bool chance(struct faults *f, unsigned percent)
{
    f->rng = f->rng * 6364136223846793005u + 1442695040888963407u;
    return (f->rng >> 33) % 100 < percent;
}

bool faults_strike(struct faults *f, enum fault_name name, const struct fault_place *place,
                   struct fault_setting *with)
{
    CLEANUP_UNLOCK(&f->lock);

    for (unsigned i = 0; i < f->count; i++) {
        struct fault_setting *s = &f->set[i];

        if (s->name != name || spent(s) || !place_matches(s, place) || !chance(f, s->rate))
            continue;
        s->strikes++;
        if (with)
            *with = *s;
        return true;
    }
    return false;
}

bool faults_active(struct faults *f, enum fault_name name)
{
    CLEANUP_UNLOCK(&f->lock);

    for (unsigned i = 0; i < f->count; i++) {
        if (f->set[i].name == name && !spent(&f->set[i]))
            return true;
    }
    return false;
}

/* ---- setting --------------------------------------------------------------------------------- */

static int check_setting(const struct fault_setting *s, struct error *err)
{
    const struct fault_kind_row *row = &kinds[s->name];

    if (s->cartridge[0] && !(row->parameters & PARAMETER_CARTRIDGE))
        return error_set(err, ERR_USAGE, "%s does not depend on a cartridge", row->name);
    if (s->drive >= 0 && !(row->parameters & PARAMETER_DRIVE))
        return error_set(err, ERR_USAGE, "%s does not depend on a drive", row->name);
    if (s->block >= 0 && !(row->parameters & PARAMETER_BLOCK))
        return error_set(err, ERR_USAGE, "%s does not depend on a block", row->name);
    if (s->block >= 0 && !s->cartridge[0])
        return error_set(err, ERR_USAGE, "a block is one of a cartridge: say which");
    if (s->rate < 1 || s->rate > 100)
        return error_set(err, ERR_RANGE, "a rate is from 1 to 100 percent");
    if (s->drive >= LIBRARY_DRIVES_MAX)
        return error_set(err, ERR_RANGE, "there is no drive %d", s->drive);
    return 0;
}

/* The devices work without a layer while no fault needs one: it costs them a thread's turn. */
static void place_layers(struct faults *f)
{
    bool devices = faults_active(f, FAULT_MEDIUM_ERROR), cut = false;

    for (unsigned i = 0; i < FAULT_NAMES; i++) {
        devices = devices || (kinds[i].layer == LAYER_DEVICE && faults_active(f, i));
        cut = cut || (kinds[i].layer == LAYER_CONNECTION && faults_active(f, i));
    }
    if (f->target)
        scsi_target_set_layer(f->target, devices ? &f->layer : NULL);
    if (cut)
        faults_cutter_start(f);
}

int faults_set(struct faults *f, const struct fault_setting *setting, unsigned *id,
               struct error *err)
{
    int rc = check_setting(setting, err);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&f->lock);
    if (f->count < FAULTS_MAX) {
        f->set[f->count] = *setting;
        f->set[f->count].strikes = 0;
        *id = f->set[f->count++].id = ++f->next_id;
        pthread_cond_broadcast(&f->changed);
    } else {
        rc = error_set(err, ERR_STATE, "there are %d faults already; clear some", FAULTS_MAX);
    }
    pthread_mutex_unlock(&f->lock);
    if (rc == 0)
        place_layers(f);
    if (rc == 0 && setting->name == FAULT_CORRUPT_DIGEST)
        faults_cut_connections(f);
    return rc;
}

static bool is_named(const struct fault_setting *s, const char *text)
{
    char id[16];

    snprintf(id, sizeof(id), "%u", s->id);
    return !text || strcmp(text, id) == 0 || strcmp(text, kinds[s->name].name) == 0;
}

int faults_clear(struct faults *f, const char *text, unsigned *cleared, struct error *err)
{
    unsigned kept = 0;

    pthread_mutex_lock(&f->lock);
    *cleared = 0;
    for (unsigned i = 0; i < f->count; i++) {
        if (is_named(&f->set[i], text))
            (*cleared)++;
        else
            f->set[kept++] = f->set[i];
    }
    f->count = kept;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    place_layers(f);
    if (text && *cleared == 0)
        return error_set(err, ERR_NOT_FOUND, "no fault '%.40s' is set", text);
    return 0;
}

int faults_list(struct faults *f, int (*fn)(void *ctx, const struct fault_setting *s), void *ctx)
{
    struct fault_setting copy[FAULTS_MAX];
    unsigned count;
    int rc = 0;

    pthread_mutex_lock(&f->lock);
    count = f->count;
    memcpy(copy, f->set, count * sizeof(*copy));
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = fn(ctx, &copy[i]);
    return rc;
}

/* ---- the layers ------------------------------------------------------------------------------ */

int faults_create(uint64_t seed, struct faults **out, struct error *err)
{
    struct faults *f = calloc(1, sizeof(*f));

    if (!f)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for the fault layers");
    f->rng = seed;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    faults_scsi_init(f);
    *out = f;
    return 0;
}

void faults_attach(struct faults *f, struct library *library, struct scsi_target *target)
{
    f->library = library;
    f->target = target;
    library_set_store_layer(library, faults_store_layer, f);
}

void faults_portal(struct faults *f, const char *address)
{
    CLEANUP_UNLOCK(&f->lock);

    if (f->portal_count < PORTALS_MAX)
        snprintf(f->portals[f->portal_count++], sizeof(f->portals[0]), "%s", address);
}

void faults_destroy(struct faults *f)
{
    if (!f)
        return;
    faults_socket_stop(f);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
