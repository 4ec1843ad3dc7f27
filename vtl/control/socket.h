/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.h - the two ends of ROOT/run/control.sock: finding it, and lines with bounds.
 *
 * A socket's path has room for 107 bytes (sun_path).  For a deeper root the directory is opened
 * first and the socket named through /proc/self/fd.
 */
#ifndef CAPSTAN_VTL_CONTROL_SOCKET_H
#define CAPSTAN_VTL_CONTROL_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

/* Make ROOT/run if it is missing and listen there, replacing a dead socket. *fd is the caller's. */
int control_socket_listen(const char *root, int *fd, struct error *err);

/* Connect; ERR_NOT_FOUND: nobody listens.  *fd is the caller's. */
int control_socket_connect(const char *root, int *fd, struct error *err);

/* Remove the socket's name. */
void control_socket_remove(const char *root);

/* Process and user of the other end (SO_PEERCRED). */
int control_socket_peer(int fd, pid_t *pid, uid_t *uid, struct error *err);

/* A reader of lines; zero it to begin. */
struct line_reader {
    char *buf; /* free() it at the end */
    size_t used, size;
};

/* The next line without its newline, in *line: it belongs to r and is valid until the next call,
 * which wants *line and *len as this one left them (*line NULL at first).
 * ERR_RANGE: longer than max; ERR_TIMEOUT: not whole within timeout_ms; ERR_CLOSED: end of file
 * (without a newline before it). */
int line_read(struct line_reader *r, int fd, size_t max, int timeout_ms, char **line, size_t *len,
              struct error *err);

/* Send all of it within timeout_ms. */
int line_write(int fd, const char *text, size_t len, int timeout_ms, struct error *err);

#endif
