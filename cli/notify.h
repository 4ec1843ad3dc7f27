/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - tell systemd how the daemon is (sd_notify(3)), without its library.
 */
#ifndef CAPSTAN_CLI_NOTIFY_H
#define CAPSTAN_CLI_NOTIFY_H

/* Send "READY=1", "STOPPING=1" or "STATUS=..." to $NOTIFY_SOCKET; nothing happens without one. */
void notify_systemd(const char *state);

#endif
