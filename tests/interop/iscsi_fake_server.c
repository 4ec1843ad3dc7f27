/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iscsi_fake_server.c - the iSCSI server over disks in memory, as a program for stock tools:
 *
 *      iscsi_fake_server [-u USER -s SECRET [-U USER -S SECRET]] [-r PORTAL] [PORTAL]
 *
 * Prints the address of its portal on a line and serves until its standard input ends.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/iscsi_fake.h"
#include "vtl/iscsi/iscsid.h"

int main(int argc, char **argv)
{
    struct iscsid_options options = {
        .target_name = "iqn.2026-01.test:fake",
        .portals = {"127.0.0.1:0"},
        .portal_count = 1,
    };
    struct error err = ERROR_INIT;
    struct scsi_target *target;
    struct iscsid *server;
    char drop[64];
    int opt;

    while ((opt = getopt(argc, argv, "r:u:s:U:S:")) != -1) {
        if (opt == 'r')
            options.redirect = optarg;
        else if (opt == 'u')
            options.chap.user = optarg;
        else if (opt == 's')
            options.chap.secret = optarg;
        else if (opt == 'U')
            options.chap.mutual_user = optarg;
        else if (opt == 'S')
            options.chap.mutual_secret = optarg;
        else
            return 2;
    }
    if (optind < argc)
        options.portals[0] = argv[optind];
    target = fake_target_create();
    if (iscsid_create(target, &options, &server, &err) || iscsid_start(server, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s\n", iscsid_portal(server, 0));
    fflush(stdout);
    while (read(STDIN_FILENO, drop, sizeof(drop)) > 0)
        ;
    iscsid_stop(server, 1000);
    iscsid_destroy(server);
    fake_target_destroy(target);
    return 0;
}
