/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - see login.h. */
#include "vtl/iscsi/login.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define CSG(flags)               ((flags) >> 2 & 3)
#define NSG(flags)               ((flags)&3)
#define STAGE_NUMBER_SECURITY    0
#define STAGE_NUMBER_OPERATIONAL 1
#define STAGE_NUMBER_FULL        3

/* The transitions of the drawing in login.h; everything may go to FAILED. */
static bool transition_legal(enum login_state from, enum login_state to)
{
    static const unsigned allowed[] = {
        [LOGIN_START] = 1u << LOGIN_SECURITY | 1u << LOGIN_OPERATIONAL,
        [LOGIN_SECURITY] = 1u << LOGIN_OPERATIONAL | 1u << LOGIN_ADMISSION,
        [LOGIN_OPERATIONAL] = 1u << LOGIN_ADMISSION,
        [LOGIN_ADMISSION] = 1u << LOGIN_DONE,
        [LOGIN_DONE] = 0,
        [LOGIN_FAILED] = 0,
    };

    return to == LOGIN_FAILED || (allowed[from] >> to & 1);
}

static void enter(struct login *l, enum login_state to)
{
    assert(transition_legal(l->state, to));
    l->state = to;
}

void login_init(struct login *l, const struct directory *directory, unsigned portal)
{
    memset(l, 0, offsetof(struct login, text));
    l->directory = directory;
    l->portal = portal;
    l->data = NULL;
    l->data_len = 0;
    params_init(&l->params);
}

char *login_room(struct login *l, size_t len)
{
    if (len > KEYS_LOGIN_LENGTH || len > LOGIN_TEXT_MAX - l->text_len)
        return NULL;
    return l->text + l->text_len;
}

static void make_response(struct login *l, uint8_t flags, enum login_status status)
{
    pdu_init(l->bhs, OP_LOGIN_RESPONSE, flags, l->itt);
    memcpy(l->bhs + 8, l->isid, sizeof(l->isid));
    put_be16(l->bhs + 14, l->tsih);
    put_be16(l->bhs + 36, (uint16_t)status);
    l->data = NULL;
    l->data_len = 0;
}

void login_refuse(struct login *l, enum login_status status)
{
    enter(l, LOGIN_FAILED);
    l->status = status;
    make_response(l, (uint8_t)(CSG(l->asked) << 2), status);
}

static int fail(struct login *l, enum login_status status, int rc)
{
    login_refuse(l, status);
    return rc;
}

/* ---- the header -------------------------------------------------------------------------------*/

static bool same_login(const struct login *l, const uint8_t *bhs)
{
    return memcmp(bhs + 8, l->isid, sizeof(l->isid)) == 0 && get_be16(bhs + 14) == l->tsih &&
           get_be16(bhs + 20) == l->cid && bhs_itt(bhs) == l->itt;
}

static void take_identity(struct login *l, const uint8_t *bhs)
{
    memcpy(l->isid, bhs + 8, sizeof(l->isid));
    l->tsih = get_be16(bhs + 14);
    l->cid = get_be16(bhs + 20);
    l->itt = bhs_itt(bhs);
}

/* 11.12.1 to 11.12.4: C and T exclude each other, stages only go forward, none is 2. */
static bool flags_legal(uint8_t flags)
{
    bool transit = flags & LOGIN_TRANSIT;

    if (CSG(flags) > STAGE_NUMBER_OPERATIONAL)
        return false;
    if (!transit)
        return true;
    return !(flags & TEXT_CONTINUE) && NSG(flags) > CSG(flags) && NSG(flags) != 2;
}

static int check_header(struct login *l, const uint8_t *bhs, struct error *err)
{
    if (l->state == LOGIN_START)
        take_identity(l, bhs);
    l->asked = bhs[1];
    if (++l->rounds > LOGIN_ROUNDS_MAX)
        return fail(
            l, LOGIN_INITIATOR_ERROR,
            error_set(err, ERR_PROTOCOL, "the login has more than %d rounds", LOGIN_ROUNDS_MAX));
    if (bhs[3] > 0)
        return fail(
            l, LOGIN_BAD_VERSION,
            error_set(err, ERR_UNSUPPORTED, "the initiator asks for iSCSI version %u", bhs[3]));
    if (!same_login(l, bhs))
        return fail(l, LOGIN_INVALID_REQUEST,
                    error_set(err, ERR_PROTOCOL, "ISID, TSIH, CID or ITT changed in the login"));
    if (!flags_legal(bhs[1]))
        return fail(l, LOGIN_INITIATOR_ERROR,
                    error_set(err, ERR_PROTOCOL, "login stages or flags 0x%02x", bhs[1]));
    return 0;
}

/* CSG must be the stage we are in; the first request chooses it. */
static int check_stage(struct login *l, struct error *err)
{
    unsigned csg = CSG(l->asked);

    if (l->state == LOGIN_START)
        enter(l, csg == STAGE_NUMBER_SECURITY ? LOGIN_SECURITY : LOGIN_OPERATIONAL);
    if (csg != (l->state == LOGIN_SECURITY ? STAGE_NUMBER_SECURITY : STAGE_NUMBER_OPERATIONAL))
        return fail(l, LOGIN_INITIATOR_ERROR,
                    error_set(err, ERR_PROTOCOL, "login request of another stage"));
    return 0;
}

/* ---- names and access -------------------------------------------------------------------------*/

/* 11.13.5 and 13.8: where to log in instead, without a portal group tag.  It needs no proof of who
 * asks: it says no more than SendTargets would. */
static int redirect(struct login *l, struct error *err)
{
    struct text_builder out = {l->answer, sizeof(l->answer), 0, false};
    int rc = fail(l, LOGIN_MOVED_TEMPORARILY,
                  error_set(err, ERR_CANCELLED, "%s is sent on to %s", l->params.initiator,
                            l->offer->options.redirect));

    text_addf(&out, "TargetAddress", "%s", l->offer->options.redirect);
    l->data = l->answer;
    l->data_len = out.used;
    return rc;
}

static int check_names(struct login *l, struct error *err)
{
    const struct params *p = &l->params;

    if (p->initiator[0] == '\0')
        return fail(l, LOGIN_MISSING_PARAMETER,
                    error_set(err, ERR_PROTOCOL, "InitiatorName is missing"));
    if (p->discovery)
        return 0;
    if (p->target[0] == '\0')
        return fail(l, LOGIN_MISSING_PARAMETER,
                    error_set(err, ERR_PROTOCOL, "%s gave no TargetName", p->initiator));
    l->offer = directory_find(l->directory, p->target, strlen(p->target));
    /* A portal that the target does not have is told of no more than one without the target. */
    if (!l->offer || l->offer->at.tags[l->portal] == 0)
        return fail(l, LOGIN_NOT_FOUND,
                    error_set(err, ERR_NOT_FOUND, "%s asks for target %s, which is not here",
                              p->initiator, p->target));
    if (!offer_lets_in(l->offer, p->initiator))
        return fail(l, LOGIN_FORBIDDEN,
                    error_set(err, ERR_PERMISSION, "%s is not on the access list of %s",
                              p->initiator, p->target));
    if (l->offer->options.redirect)
        return redirect(l, err);
    return 0;
}

/* ---- who has to prove what --------------------------------------------------------------------*/

static const struct iscsid_chap *demand_of(const struct login *l, const struct offer *o)
{
    const struct iscsid_chap *c =
        l->params.discovery ? &o->options.discovery_chap : &o->options.chap;

    return c->secret ? c : NULL;
}

/* A target that this login is about: the one it names, or each one that discovery may tell of. */
static bool concerns(const struct login *l, const struct offer *o)
{
    if (!l->params.discovery)
        return o == l->offer;
    return o->at.tags[l->portal] != 0; /* also if it is not let in: that is not told */
}

/* What the peer may prove: *list has room for all targets.  *open: there is one that asks for
 * nothing, so that the peer may go without. */
static unsigned demands(const struct login *l, const struct iscsid_chap **list, bool *open)
{
    unsigned count = 0, about = 0;

    *open = false;
    for (unsigned i = 0; i < l->directory->count; i++) {
        const struct offer *o = &l->directory->offers[i];
        const struct iscsid_chap *c = demand_of(l, o);

        if (!concerns(l, o))
            continue;
        about++;
        *open = *open || !c;
        if (c)
            list[count++] = c;
    }
    *open = *open || about == 0; /* there is nothing to tell anyway */
    return count;
}

static bool proof_needed(const struct login *l)
{
    const struct iscsid_chap *list[ISCSI_TARGETS_MAX];
    bool open;

    demands(l, list, &open);
    return !open;
}

static bool same_secret(const struct iscsid_chap *a, const struct iscsid_chap *b)
{
    return strcmp(a->user, b->user) == 0 && strcmp(a->secret, b->secret) == 0;
}

/* Authentication is over: discovery tells of targets that ask for nothing, and of those whose user
 * the peer has proven to be. */
static void authenticated(struct login *l)
{
    const struct iscsid_chap *proven = l->auth == AUTH_CHAP ? l->chap.secrets : NULL;

    l->auth = AUTH_DONE;
    for (unsigned i = 0; l->params.discovery && i < l->directory->count; i++) {
        const struct iscsid_chap *c = demand_of(l, &l->directory->offers[i]);

        if (!c || (proven && same_secret(c, proven)))
            l->discoverable |= (uint64_t)1 << i;
    }
}

/* ---- the stages -------------------------------------------------------------------------------*/

static bool offered(struct text list, const char *method)
{
    struct text word;

    while (text_list_next(&list, &word))
        if (text_is(word, method))
            return true;
    return false;
}

/* CHAP wherever somebody wants it and the peer can: it may have none to prove, where it need not.
 */
static int choose_method(struct login *l, struct text list, struct text_builder *out,
                         struct error *err)
{
    const struct iscsid_chap *secrets[ISCSI_TARGETS_MAX];
    bool open;
    unsigned count = demands(l, secrets, &open);

    if (l->auth != AUTH_OPEN)
        return fail(l, LOGIN_INITIATOR_ERROR,
                    error_set(err, ERR_PROTOCOL, "AuthMethod is offered twice"));
    if (count > 0 && offered(list, "CHAP")) {
        text_addf(out, "AuthMethod", "CHAP");
        l->auth = AUTH_CHAP;
        chap_init(&l->chap, secrets, count);
    } else if (open && offered(list, "None")) {
        text_addf(out, "AuthMethod", "None");
        authenticated(l);
    } else {
        return fail(l, LOGIN_AUTH_FAILED,
                    error_set(err, ERR_AUTH, "%s does not offer AuthMethod %s", l->params.initiator,
                              open ? "None" : "CHAP"));
    }
    return 0;
}

/* Look through the text for AuthMethod and for any key of CHAP. */
static int security_stage(struct login *l, struct text text, struct text_builder *out,
                          struct error *err)
{
    struct text rest = text;
    struct text_pair pair;
    bool chap_keys = false;
    int rc;

    while (text_next(&rest, &pair, NULL) > 0) {
        if (text_is(pair.key, "AuthMethod")) {
            rc = choose_method(l, pair.value, out, err);
            if (rc)
                return rc;
        }
        chap_keys = chap_keys || (pair.key.len > 5 && memcmp(pair.key.at, "CHAP_", 5) == 0);
    }
    if (chap_keys && l->auth != AUTH_CHAP)
        return fail(l, LOGIN_INITIATOR_ERROR,
                    error_set(err, ERR_PROTOCOL, "CHAP keys without CHAP being agreed"));
    if (chap_keys) {
        rc = chap_step(&l->chap, text, out, err);
        if (rc) {
            error_prefix(err, "%s", l->params.initiator);
            return fail(l, LOGIN_AUTH_FAILED, rc);
        }
        if (l->chap.state == CHAP_PROVEN)
            authenticated(l);
    }
    /* An initiator that wants to go on without a word about authentication. */
    if (l->auth == AUTH_OPEN && (l->asked & LOGIN_TRANSIT)) {
        if (proof_needed(l))
            return fail(l, LOGIN_AUTH_FAILED,
                        error_set(err, ERR_AUTH, "%s offers no AuthMethod, but CHAP is required",
                                  l->params.initiator));
        authenticated(l);
    }
    return 0;
}

static int operational_stage(struct login *l, struct text_builder *out, struct error *err)
{
    if (l->auth != AUTH_DONE && proof_needed(l))
        return fail(l, LOGIN_AUTH_FAILED,
                    error_set(err, ERR_AUTH, "%s skips authentication, but CHAP is required",
                              l->params.initiator));
    if (l->auth != AUTH_DONE)
        authenticated(l);
    if (!l->length_declared) {
        text_addf(out, "MaxRecvDataSegmentLength", "%u", KEYS_RECV_LENGTH);
        l->length_declared = true;
    }
    return 0;
}

/* 13.9: the portal group tag goes with the first answer of a normal session. */
static void declare_target(const struct login *l, struct text_builder *out)
{
    if (l->params.discovery)
        return;
    text_addf(out, "TargetPortalGroupTag", "%u", login_group(l));
    if (l->offer->options.target_alias)
        text_addf(out, "TargetAlias", "%s", l->offer->options.target_alias);
}

static enum login_status status_of(int rc)
{
    return rc == -(int)ERR_UNSUPPORTED ? LOGIN_BAD_SESSION_TYPE : LOGIN_INITIATOR_ERROR;
}

/* A whole text is here: negotiate, and decide whether the stage ends. */
static int take_text(struct login *l, struct error *err)
{
    struct text_builder out = {l->answer, sizeof(l->answer), 0, false};
    struct text text = {l->text, l->text_len};
    bool security = l->state == LOGIN_SECURITY, first = !l->names_checked;
    int rc;

    l->text_len = 0;
    rc = keys_negotiate(&l->params, security ? STAGE_SECURITY : STAGE_OPERATIONAL, text, &out, err);
    if (rc)
        return fail(l, status_of(rc), rc);
    if (first) {
        rc = check_names(l, err);
        if (rc)
            return rc;
        l->names_checked = true;
        declare_target(l, &out);
    }
    rc = security ? security_stage(l, text, &out, err) : operational_stage(l, &out, err);
    if (rc)
        return rc;
    if (out.overflow)
        return fail(l, LOGIN_NO_RESOURCES,
                    error_set(err, ERR_RANGE, "the login answer is too long"));
    l->answer_len = out.used;
    l->answer_sent = 0;
    l->stage = CSG(l->asked);
    l->next = NSG(l->asked);
    l->transit = (l->asked & LOGIN_TRANSIT) && (!security || l->auth == AUTH_DONE);
    return 0;
}

/* ---- the answer -------------------------------------------------------------------------------*/

/* Send the next piece of the answer; the last one carries T. */
static void next_answer(struct login *l)
{
    size_t left = l->answer_len - l->answer_sent;
    bool more = left > KEYS_LOGIN_LENGTH;
    size_t len = more ? KEYS_LOGIN_LENGTH : left;
    uint8_t flags = (uint8_t)(l->stage << 2);

    if (more)
        flags |= TEXT_CONTINUE;
    else if (l->transit)
        flags |= (uint8_t)(LOGIN_TRANSIT | l->next);
    make_response(l, flags, LOGIN_SUCCESS);
    l->data = l->answer + l->answer_sent;
    l->data_len = len;
    l->answer_sent += len;
    if (more || !l->transit)
        return;
    enter(l, l->next == STAGE_NUMBER_FULL ? LOGIN_ADMISSION : LOGIN_OPERATIONAL);
    l->transit = false;
}

void login_admit(struct login *l, uint16_t tsih)
{
    enter(l, LOGIN_DONE);
    l->tsih = tsih;
    put_be16(l->bhs + 14, tsih);
}

int login_request(struct login *l, const uint8_t *bhs, size_t len, struct error *err)
{
    bool owing = l->answer_sent < l->answer_len;
    int rc;

    assert(l->state < LOGIN_ADMISSION);
    rc = check_header(l, bhs, err);
    if (!rc)
        rc = check_stage(l, err);
    if (rc)
        return rc;
    if (owing && len > 0)
        return fail(l, LOGIN_INITIATOR_ERROR,
                    error_set(err, ERR_PROTOCOL, "login text while an answer is still being sent"));
    l->text_len += len;
    if (bhs[1] & TEXT_CONTINUE) {
        make_response(l, (uint8_t)(CSG(bhs[1]) << 2), LOGIN_SUCCESS);
        return 0;
    }
    if (!owing) {
        rc = take_text(l, err);
        if (rc)
            return rc;
    }
    next_answer(l);
    return 0;
}
