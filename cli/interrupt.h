/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.h - Ctrl-C as a request: the first SIGINT or SIGTERM sets a flag, the second one ends
 * the process as usual.
 */
#ifndef CAPSTAN_CLI_INTERRUPT_H
#define CAPSTAN_CLI_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

/* Begin to catch; the flag becomes true when work is to stop. */
const atomic_bool *interrupt_catch(void);

#endif
