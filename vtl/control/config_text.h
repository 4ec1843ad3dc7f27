/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_text.h - what the texts of capstan.conf may look like.
 *
 * Each of these says NULL, or in a sentence why a value is none: for the table of keys in config.c.
 * Whether there is such a thing (a model, an address of this machine) is not asked here.
 */
#ifndef CAPSTAN_VTL_CONTROL_CONFIG_TEXT_H
#define CAPSTAN_VTL_CONTROL_CONFIG_TEXT_H

const char *config_serial_refusal(const char *value);
/* RFC 7143 section 4.2.7: iqn., eui. or naa., in the form that RFC 3722 leaves of it; "": none. */
const char *config_iscsi_name_refusal(const char *value);
const char *config_initiator_refusal(const char *value); /* a name, or the beginning of one and * */
const char *config_grouped_portal_refusal(const char *value);
const char *config_redirect_refusal(const char *value);
const char *config_view_refusal(const char *value);
const char *config_model_refusal(const char *value);
const char *config_drive_model_refusal(const char *value);

/* "2=192.0.2.7:3260": the address, within value, and the tag that stands before it (1 if none does;
 * 0: none that is one). */
const char *config_portal_parts(const char *value, unsigned *tag);

#endif
