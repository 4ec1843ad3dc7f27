/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - how a person writes where a portal is: "host", "host:port", "[v6]", "[v6]:port".
 */
#ifndef CAPSTAN_VTL_ISCSI_ADDRESS_H
#define CAPSTAN_VTL_ISCSI_ADDRESS_H

#include "common/error.h"

#define ADDRESS_HOST_MAX 256
#define ADDRESS_PORT_MAX 16

/* In two pieces; the port is 3260 if there is none.  Nothing is looked up.  ERR_RANGE. */
int address_split(const char *address, char host[ADDRESS_HOST_MAX], char port[ADDRESS_PORT_MAX],
                  struct error *err);

/* Whether a host can be sent to this ADDRESS:PORT; nothing is looked up.  ERR_RANGE. */
int address_check(const char *address, struct error *err);

#endif
