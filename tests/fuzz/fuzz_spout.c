/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_spout.c - Set Data Encryption pages from anybody, to the parser alone.  What is accepted is
 * within its ranges and has the key that its modes need; what is refused says where.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vtl/scsi/security.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void accepted(const struct security_request *r)
{
    const struct security_set *s = &r->set;
    bool needs = s->encryption == ENCRYPTION_ENCRYPT || s->decryption >= DECRYPTION_DECRYPT;

    require(r->scope <= SCOPE_ALL_NEXUS);
    require(s->encryption <= ENCRYPTION_ENCRYPT && s->decryption <= DECRYPTION_MIXED);
    require(s->raw != RAW_RESERVED && s->kad_format <= 2);
    require(s->kads.u_len <= CODEC_UKAD_MAX && s->kads.a_len <= CODEC_AKAD_MAX &&
            s->kads.m_len <= CODEC_MKAD_MAX);
    require(needs == (s->key != NULL));
    require(r->scope != SCOPE_PUBLIC || !needs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *list = malloc(size ? size : 1); /* of just that size */
    struct security_request request;
    unsigned at = 0;
    uint16_t code = 0;
    int bit = -1;

    memcpy(list, data, size);
    if (security_parse(list, size, &request, &at, &bit, &code)) {
        accepted(&request);
    } else {
        require(!request.set.key);
        require(code == ASC_LIST_LENGTH_ERROR || code == ASC_INVALID_FIELD_IN_LIST);
        require(at < size + 4 && bit >= -1 && bit <= 7);
    }
    codec_key_free(request.set.key);
    free(list);
    return 0;
}
