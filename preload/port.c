/* SPDX-License-Identifier: Apache-2.0 */
/* port.c - see port.h. */
#include "preload/port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>

#include "preload/preload.h"

#define PORTS_MAX 1024 /* more programs on a unit at once than descriptors for most */

static void port_path(char *path, size_t size, const char *run, unsigned lun)
{
    snprintf(path, size, "%s/initiator-%u.lock", run, lun);
}

/* Programs close descriptors that they know nothing of, and open other files in their place. */
static bool still_ours(const struct port *port, const char *path)
{
    struct stat is, should;

    return port->fd >= 0 && preload_fstat(port->fd, &is) == 0 && preload_stat(path, &should) == 0 &&
           is.st_ino == should.st_ino && is.st_dev == should.st_dev;
}

static bool lock_number(int fd, uint16_t number)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = number, .l_len = 1, .l_pid = 0};

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

void port_take(struct port *port, const char *run, unsigned lun)
{
    char path[4200];

    port_path(path, sizeof(path), run, lun);
    if (still_ours(port, path) && port->number)
        return;
    *port = (struct port){
        .fd = preload_fd_aside(open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600))};
    for (uint16_t number = 1; port->fd >= 0 && number <= PORTS_MAX; number++) {
        if (lock_number(port->fd, number)) {
            port->number = number;
            return;
        }
        if (errno != EAGAIN && errno != EACCES)
            break; /* a file system that has no locks */
    }
    if (port->fd >= 0)
        preload_close(port->fd);
    port->fd = -1;
}

void port_drop(struct port *port, const char *run, unsigned lun)
{
    char path[4200];

    port_path(path, sizeof(path), run, lun);
    if (still_ours(port, path))
        preload_close(port->fd);
    *port = (struct port){.fd = -1};
}
