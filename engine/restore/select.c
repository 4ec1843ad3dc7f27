/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.c - which names of a dump are wanted: paths, whose components may be patterns.  See
 * names.h.
 */
#include <fnmatch.h>
#include <string.h>

#include "engine/restore/names.h"

#define PATTERN_SIZE 1024 /* a name has at most 255 bytes; its pattern may be longer */

bool names_is_pattern(const char *component, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr("*?[", component[i]))
            return true;
    return false;
}

bool names_match(const char *component, size_t len, const void *name, size_t name_len)
{
    char pattern[PATTERN_SIZE], text[256];

    if (len == name_len && memcmp(component, name, len) == 0)
        return true;
    if (len >= sizeof(pattern) || name_len >= sizeof(text) || !names_is_pattern(component, len))
        return false;
    memcpy(pattern, component, len);
    pattern[len] = '\0';
    memcpy(text, name, name_len);
    text[name_len] = '\0';
    return fnmatch(pattern, text, 0) == 0;
}

const char *names_component(const char *path, size_t *len)
{
    for (;; path += *len) {
        path += strspn(path, "/");
        *len = strcspn(path, "/");
        if (!(*len == 1 && path[0] == '.'))
            return path;
    }
}

/* Spread `selected` downwards and `needed` upwards. */
static void spread_selection(struct names *n)
{
    for (size_t i = 1; i < n->order_count; i++) {
        struct names_directory *d = &n->directories[n->order[i]];

        d->selected = d->selected || n->directories[d->parent].selected;
    }
    for (size_t i = 0; i < n->entry_count; i++) {
        struct names_entry *e = &n->entries[i];
        size_t d = e->ino ? names_find_directory(n, e->directory) : NAMES_NONE;

        if (d == NAMES_NONE)
            continue;
        e->selected = e->selected || n->directories[d].selected;
        n->directories[d].needed = n->directories[d].needed || e->selected;
    }
    for (size_t i = n->order_count; i-- > 0;) {
        struct names_directory *d = &n->directories[n->order[i]];

        d->needed = d->needed || d->selected;
        if (d->needed && d->parent != NAMES_NONE)
            n->directories[d->parent].needed = true;
    }
}

void names_select_all(struct names *n)
{
    n->directories[n->order[0]].selected = true;
    spread_selection(n);
}

/* Select what path names below the directory; false if there is no such thing.  As deep as the tree
 * at most (NAMES_DEPTH_MAX). */
static bool select_below(struct names *n, size_t directory, const char *path)
{
    bool found = false, last;
    size_t len, below, first, count;
    const char *rest;

    path = names_component(path, &len);
    if (len == 0) {
        n->directories[directory].selected = true;
        return true;
    }
    rest = names_component(path + len, &below);
    last = below == 0;
    count = names_find_entries(n, n->directories[directory].attributes.inode.ino, &first);
    for (size_t i = first; i < first + count; i++) {
        struct names_entry *e = &n->entries[i];

        if (!e->ino || !names_match(path, len, n->arena + e->name, e->name_len))
            continue;
        e->selected = e->selected || last;
        found = found || last;
        if (e->is_directory && select_below(n, names_find_directory(n, e->ino), rest))
            found = true;
    }
    return found;
}

void names_select(struct names *n, const char *const *paths, size_t count, size_t *missing)
{
    *missing = 0;
    for (size_t i = 0; i < count; i++) {
        if (!select_below(n, n->order[0], paths[i])) {
            n->warning(n->ctx, paths[i],
                       "there is no such name in the dump; names begin below the directory that "
                       "was dumped");
            (*missing)++;
        }
    }
    spread_selection(n);
}
