/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h - how a person names a place in the library.
 *
 *   slot:3      the third storage slot (from 1, as mtx counts)
 *   ie:1        the first import/export element (from 1)
 *   drive:0     the first drive (from 0, as mtx counts)
 *   ABC001L8    wherever the cartridge with this barcode is
 *   1026, 0x402 an element address of SMC-3, where a bare number is not one of the above
 */
#ifndef CAPSTAN_VTL_CONTROL_PLACE_H
#define CAPSTAN_VTL_CONTROL_PLACE_H

#include "common/error.h"
#include "vtl/library/library.h"

#define PLACE_TEXT_SIZE 16

/* Fill *out with the element that text names.  bare says what a number without a prefix is:
 * ELEMENT_SLOT, ELEMENT_DRIVE, or 0 for an element address.  ERR_USAGE: text names no place at all;
 * ERR_NOT_FOUND: this library has no such place or cartridge. */
int place_resolve(struct library *lib, const char *text, unsigned bare, struct library_element *out,
                  struct error *err);

/* "slot:3" for an element address; "element:N" if it is none of ours.  Returns buf. */
char *place_text(const struct library *lib, uint16_t address, char buf[PLACE_TEXT_SIZE]);

#endif
