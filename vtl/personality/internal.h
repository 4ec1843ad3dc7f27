/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of vtl/personality share: the keys of a data file. */
#ifndef CAPSTAN_VTL_PERSONALITY_INTERNAL_H
#define CAPSTAN_VTL_PERSONALITY_INTERNAL_H

#include "vtl/personality/personality.h"

enum key_use { USE_BOTH, USE_DRIVE, USE_CHANGER };

/* A key of a data file.  set() gives why a value is not allowed in err, which is never NULL. */
struct personality_key {
    const char *section, *key;
    enum key_use use;
    bool list;     /* it may go on in further lines; set() adds to what is there */
    bool optional; /* a file without it is good: the value 0 stands for it */
    int (*set)(struct personality *p, const char *value, struct error *err);
};

/* The table; *count is its length. */
const struct personality_key *personality_keys(size_t *count);

/* A key of [vpd]: the page's code in hexadecimal. */
int personality_set_vpd(struct personality *p, const char *key, const char *value, bool again,
                        struct error *err);

/* What is derived from the keys, and whether they agree with each other. */
int personality_finish(struct personality *p, struct error *err);

#endif
