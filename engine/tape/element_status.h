/* SPDX-License-Identifier: Apache-2.0 */
/*
 * element_status.h - the answer to READ ELEMENT STATUS (SMC-3 section 6.11) taken apart.
 *
 * A pure function on bytes from the other side: whatever they are, it stays within them.
 */
#ifndef CAPSTAN_ENGINE_TAPE_ELEMENT_STATUS_H
#define CAPSTAN_ENGINE_TAPE_ELEMENT_STATUS_H

#include "engine/tape/changer.h"

#define ELEMENT_STATUS_HEADER 8

/* Bytes of the whole answer, from its header (ELEMENT_STATUS_HEADER bytes at data). */
size_t element_status_length(const uint8_t *data);

/* *out is an array of *count elements, the caller frees it.  ERR_PROTOCOL if data makes no sense,
 * or if it is cut short. */
int element_status_parse(const uint8_t *data, size_t len, struct changer_element **out,
                         size_t *count, struct error *err);

#endif
