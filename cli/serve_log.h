/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_log.h - ROOT/run/serve.log: where a daemon without a terminal writes.
 *
 * One process has one log, that of its first library; those of the others say where it is.
 */
#ifndef CAPSTAN_CLI_SERVE_LOG_H
#define CAPSTAN_CLI_SERVE_LOG_H

#include "vtl/control/daemon.h"

/* Standard error goes to the log of the first library from now on, opened anew; the first time it
 * begins with the times, and the other logs are told. */
int serve_log_begin(const struct daemon *daemon, struct error *err);
int serve_log_reopen(const struct daemon *daemon, struct error *err);

#endif
