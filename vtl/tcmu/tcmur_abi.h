/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcmur_abi.h - the part of tcmu-runner's binary interface that the handler uses.
 *
 * tcmu-runner installs no header and no .pc file on any distribution, so these are our own
 * declarations of what its releases 1.5.0 to 1.6.2 have in common.  The handler is loaded by
 * dlopen() into tcmu-runner, which provides the functions.
 *
 * struct tcmur_handler grew in the middle between 1.5.2 and 1.5.4, behind handle_cmd.  A handler
 * that sets nothing behind handle_cmd and leaves room, all zero, for the largest of them works with
 * every one of these releases.
 */
#ifndef CAPSTAN_VTL_TCMU_TCMUR_ABI_H
#define CAPSTAN_VTL_TCMU_TCMUR_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The kernel's header wants <linux/uio.h>, whose struct iovec collides with the C library's; the
 * two have the same layout. */
#define iovec tcmu_kernel_iovec
#include <linux/target_core_user.h>
#undef iovec

struct tcmu_device;

/* What is written to the attributes of a device that is enabled. */
enum tcmulib_cfg_type {
    TCMULIB_CFG_DEV_CFGSTR,
    TCMULIB_CFG_DEV_SIZE,
    TCMULIB_CFG_WRITE_CACHE,
};

struct tcmulib_cfg_info {
    enum tcmulib_cfg_type type;
    union {
        uint64_t dev_size;
        char *dev_cfgstring;
        bool write_cache;
    } data;
};

#define TCMUR_SENSE_SIZE 96

struct tcmulib_cmd {
    uint16_t cmd_id;
    uint8_t *cdb;
    struct iovec *iovec;
    size_t iov_cnt;
    uint8_t sense_buf[TCMUR_SENSE_SIZE];
    /* more follows that is none of the handler's */
};

struct tcmur_cmd {
    struct tcmulib_cmd *lib_cmd;
    /* more follows that is none of the handler's */
};

/* What handle_cmd returns. */
enum {
    TCMUR_STATUS_NOT_HANDLED = -1,
    TCMUR_STATUS_OK = 0,
    TCMUR_STATUS_NO_RESOURCE = 1,     /* TASK SET FULL */
    TCMUR_STATUS_PASSTHROUGH_ERR = 2, /* CHECK CONDITION with the sense in sense_buf */
    TCMUR_STATUS_BUSY = 3,
};

struct tcmur_handler {
    const char *name;
    const char *subtype; /* device configurations that begin with "subtype/" are ours */
    const char *cfg_desc;
    void *opaque;
    bool (*check_config)(const char *cfgstring, char **reason);
    int (*reconfig)(struct tcmu_device *dev, struct tcmulib_cfg_info *cfg);
    int (*open)(struct tcmu_device *dev, bool reopen);
    void (*close)(struct tcmu_device *dev);
    int nr_threads;
    int (*handle_cmd)(struct tcmu_device *dev, struct tcmur_cmd *cmd);
    void *unused[24]; /* callbacks for disks; see above */
};

int tcmur_register_handler(struct tcmur_handler *handler);
void tcmur_dev_set_private(struct tcmu_device *dev, void *private);
void *tcmur_dev_get_private(struct tcmu_device *dev);
char *tcmu_dev_get_cfgstring(struct tcmu_device *dev);

/* A line in the runner's own log. */
void tcmu_err_message(struct tcmu_device *dev, const char *function, int line, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

/* Returns the device's name, to be freed; *base is where its mailbox and ring are mapped. */
char *tcmu_dev_get_memory_info(struct tcmu_device *dev, void **base, size_t *len, off_t *offset);

#endif
