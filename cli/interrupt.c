/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.c - see interrupt.h.  A signal handler can reach nothing but a static. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static atomic_bool interrupted;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&interrupted, true);
}

const atomic_bool *interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}
