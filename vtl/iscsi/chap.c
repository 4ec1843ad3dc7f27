/* SPDX-License-Identifier: Apache-2.0 */
/* chap.c - see chap.h. */
#include "vtl/iscsi/chap.h"

#include <string.h>
#include <sys/random.h>

#include "common/checked.h"
#include "vtl/iscsi/hash.h"

_Static_assert(CHAP_RESPONSE_MAX == HASH_MAX, "a response is a hash");

struct chap_algorithm {
    unsigned id; /* IANA "PPP Authentication Algorithms" */
    enum hash_kind hash;
};

static const struct chap_algorithm algorithms[] = {
    {5, HASH_MD5},
    {6, HASH_SHA1},
    {7, HASH_SHA256},
    {8, HASH_SHA3_256},
};

static const struct chap_algorithm *find_algorithm(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_LENGTH(algorithms); i++)
        if (algorithms[i].id == id)
            return &algorithms[i];
    return NULL;
}

void chap_init(struct chap *chap, const struct iscsid_chap *const *accepted, unsigned count)
{
    memset(chap, 0, sizeof(*chap));
    memcpy(chap->accepted, accepted, count * sizeof(*accepted));
    chap->count = count;
}

static int respond(const struct chap_algorithm *algorithm, uint8_t identifier, const char *secret,
                   const uint8_t *challenge, size_t challenge_len, uint8_t out[CHAP_RESPONSE_MAX],
                   size_t *len, struct error *err)
{
    const struct hash_part parts[] = {
        {&identifier, 1}, {secret, strlen(secret)}, {challenge, challenge_len}};

    if (!hash_parts(algorithm->hash, parts, ARRAY_LENGTH(parts), out, len))
        return error_set(err, ERR_AUTH, "CHAP algorithm %u is not available on this machine",
                         algorithm->id);
    return 0;
}

int chap_response(unsigned algorithm, uint8_t identifier, const char *secret,
                  const uint8_t *challenge, size_t challenge_len, uint8_t out[CHAP_RESPONSE_MAX],
                  size_t *len, struct error *err)
{
    const struct chap_algorithm *row = find_algorithm(algorithm);

    if (!row)
        return error_set(err, ERR_UNSUPPORTED, "there is no CHAP algorithm %u", algorithm);
    return respond(row, identifier, secret, challenge, challenge_len, out, len, err);
}

/* Find one key in a text; false if it is not there. */
static bool find_key(struct text text, const char *key, struct text *value)
{
    struct text_pair pair;

    while (text_next(&text, &pair, NULL) > 0)
        if (text_is(pair.key, key)) {
            *value = pair.value;
            return true;
        }
    return false;
}

/* CHAP_A=5,7: answer with the first that we have, an identifier and a fresh challenge. */
static int challenge(struct chap *chap, struct text text, struct text_builder *out,
                     struct error *err)
{
    struct text list, word;
    uint8_t random[CHAP_CHALLENGE_SIZE + 1];

    if (!find_key(text, "CHAP_A", &list))
        return error_set(err, ERR_AUTH, "CHAP_A is missing");
    while (!chap->algorithm && text_list_next(&list, &word)) {
        uint64_t id;

        if (text_number(word, &id))
            chap->algorithm = find_algorithm(id);
    }
    if (!chap->algorithm)
        return error_set(err, ERR_AUTH, "no CHAP algorithm in common; 5, 6, 7 and 8 are known");
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_set(err, ERR_AUTH, "the system gave no random bytes for a CHAP challenge");
    chap->identifier = random[0];
    memcpy(chap->challenge, random + 1, CHAP_CHALLENGE_SIZE);
    text_addf(out, "CHAP_A", "%u", chap->algorithm->id);
    text_addf(out, "CHAP_I", "%u", chap->identifier);
    text_add_binary(out, "CHAP_C", chap->challenge, CHAP_CHALLENGE_SIZE);
    chap->state = CHAP_CHALLENGED;
    return 0;
}

static bool text_equals_secretly(struct text t, const char *s)
{
    size_t len = strlen(s);

    return t.len == len && hash_equal(t.at, s, len);
}

/* What the initiator says of itself. */
struct claim {
    struct text name;
    uint8_t response[CHAP_RESPONSE_MAX];
    size_t len;
};

/* Whether it is this user, who knows this secret. */
static int check_claim(const struct chap *chap, const struct claim *claim,
                       const struct iscsid_chap *secrets, bool *right, struct error *err)
{
    uint8_t want[CHAP_RESPONSE_MAX];
    size_t want_len;
    bool name_ok, response_ok;
    int rc = respond(chap->algorithm, chap->identifier, secrets->secret, chap->challenge,
                     sizeof(chap->challenge), want, &want_len, err);

    if (rc)
        return rc;
    name_ok = text_equals_secretly(claim->name, secrets->user);
    response_ok = claim->len == want_len && hash_equal(claim->response, want, want_len);
    hash_wipe(want, sizeof(want));
    *right = name_ok & response_ok;
    return 0;
}

static int check_initiator(struct chap *chap, struct text text, struct error *err)
{
    struct claim claim;
    struct text response;

    if (!find_key(text, "CHAP_N", &claim.name) || !find_key(text, "CHAP_R", &response))
        return error_set(err, ERR_AUTH, "CHAP_N or CHAP_R is missing");
    if (!text_binary(response, claim.response, sizeof(claim.response), &claim.len))
        return error_set(err, ERR_AUTH, "CHAP_R is no hexadecimal or base64 value of its length");
    for (unsigned i = 0; i < chap->count; i++) {
        bool right;
        int rc = check_claim(chap, &claim, chap->accepted[i], &right, err);

        if (rc)
            return rc;
        if (right)
            chap->secrets = chap->accepted[i];
    }
    if (!chap->secrets)
        return error_set(err, ERR_AUTH, "the CHAP name or secret is wrong");
    return 0;
}

/* The initiator wants proof from us too: CHAP_I and CHAP_C. */
static int prove_target(const struct chap *chap, struct text id_text, struct text text,
                        struct text_builder *out, struct error *err)
{
    uint8_t theirs[CHAP_CHALLENGE_MAX], response[CHAP_RESPONSE_MAX];
    struct text challenge_text;
    size_t len, response_len;
    uint64_t id;
    int rc;

    if (!chap->secrets->mutual_secret)
        return error_set(err, ERR_AUTH, "mutual CHAP is asked for, but no mutual secret is set");
    if (!text_number(id_text, &id) || id > 255 || !find_key(text, "CHAP_C", &challenge_text) ||
        !text_binary(challenge_text, theirs, sizeof(theirs), &len))
        return error_set(err, ERR_AUTH, "CHAP_I or CHAP_C is missing or malformed");
    /* 12.1.3: a challenge that is ours come back is an attack, not an initiator. */
    if (len == sizeof(chap->challenge) && hash_equal(theirs, chap->challenge, len))
        return error_set(err, ERR_AUTH, "the initiator reflected our CHAP challenge");
    rc = respond(chap->algorithm, (uint8_t)id, chap->secrets->mutual_secret, theirs, len, response,
                 &response_len, err);
    if (rc)
        return rc;
    text_addf(out, "CHAP_N", "%s", chap->secrets->mutual_user);
    text_add_binary(out, "CHAP_R", response, response_len);
    return 0;
}

int chap_step(struct chap *chap, struct text text, struct text_builder *out, struct error *err)
{
    struct text id;
    int rc;

    if (chap->state == CHAP_PROVEN)
        return error_set(err, ERR_AUTH, "CHAP is over already");
    if (chap->state == CHAP_OFFERED)
        return challenge(chap, text, out, err);
    rc = check_initiator(chap, text, err);
    if (!rc && find_key(text, "CHAP_I", &id))
        rc = prove_target(chap, id, text, out, err);
    hash_wipe(chap->challenge, sizeof(chap->challenge));
    if (!rc)
        chap->state = CHAP_PROVEN;
    return rc;
}
