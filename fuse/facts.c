/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c - see facts.h.  Two rings, small enough to be looked through. */
#include "fuse/facts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "common/cleanup.h"

#define RING_SIZE 64u

struct owner {
    uint64_t volume, block, until;
    char uuid[CATALOG_UUID_TEXT];
};

struct damage {
    uint64_t volume, block;
    struct error why;
};

struct facts {
    pthread_mutex_t lock;
    struct owner owners[RING_SIZE];
    struct damage damages[RING_SIZE];
    unsigned next_owner, next_damage;
};

int view_facts_open(struct facts **out, struct error *err)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return error_set(err, ERR_NO_MEMORY, "No memory for the view");
    pthread_mutex_init(&(*out)->lock, NULL);
    return 0;
}

void view_facts_close(struct facts *facts)
{
    if (!facts)
        return;
    pthread_mutex_destroy(&facts->lock);
    free(facts);
}

static struct owner *find_owner(struct facts *facts, uint64_t volume, uint64_t block,
                                const char *uuid)
{
    for (size_t i = 0; i < RING_SIZE; i++) {
        struct owner *owner = &facts->owners[i];

        if (owner->volume == volume && owner->block == block && strcmp(owner->uuid, uuid) == 0)
            return owner;
    }
    return NULL;
}

uint64_t view_facts_until(struct facts *facts, uint64_t volume, uint64_t block, const char *uuid)
{
    CLEANUP_UNLOCK(&facts->lock);
    const struct owner *owner = find_owner(facts, volume, block, uuid);

    return owner ? owner->until : 0;
}

void view_facts_learn_until(struct facts *facts, uint64_t volume, uint64_t block, const char *uuid,
                            uint64_t until)
{
    CLEANUP_UNLOCK(&facts->lock);
    struct owner *owner = find_owner(facts, volume, block, uuid);

    if (!owner) {
        owner = &facts->owners[facts->next_owner++ % RING_SIZE];
        *owner = (struct owner){.volume = volume, .block = block};
        snprintf(owner->uuid, sizeof(owner->uuid), "%s", uuid);
    }
    if (owner->until < until)
        owner->until = until;
}

static const struct damage *find_damage(const struct facts *facts, uint64_t volume, uint64_t block)
{
    for (size_t i = 0; i < RING_SIZE; i++) {
        const struct damage *damage = &facts->damages[i];

        if (damage->volume == volume && damage->block == block && damage->why.code != 0)
            return damage;
    }
    return NULL;
}

int view_facts_damage(struct facts *facts, uint64_t volume, uint64_t block, struct error *err)
{
    CLEANUP_UNLOCK(&facts->lock);
    const struct damage *damage = find_damage(facts, volume, block);

    if (!damage)
        return 0;
    if (err)
        *err = damage->why;
    return -(int)damage->why.code;
}

void view_facts_learn_damage(struct facts *facts, uint64_t volume, uint64_t block,
                             const struct error *why)
{
    CLEANUP_UNLOCK(&facts->lock);

    if (why->code == 0 || find_damage(facts, volume, block))
        return;
    facts->damages[facts->next_damage++ % RING_SIZE] =
        (struct damage){.volume = volume, .block = block, .why = *why};
}
