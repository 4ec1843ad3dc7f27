/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cdb.c - hostile commands to a changer and two drives.
 *
 * An input is a sequence of commands:
 *   byte 0      bits 1..0 LUN (3: one that does not exist), bit 2 second nexus, bits 7..3 room for
 *               data-in in units of 33 bytes
 *   byte 1      length of the CDB, modulo 20
 *   bytes 2..3  length of data-out, little-endian, modulo 4096
 *   then the CDB and the data-out, as much of them as is left.
 *
 * Whatever comes: each task is done once with a legal status, sense data is well formed, data-in
 * keeps to its room, and at the end all cartridges are still in the library, in one place each.
 */
#include "tests/fuzz/target_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_rig_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct library_element e;
    size_t commands = 0;

    target_rig_reset();
    while (size >= 4 && commands++ < 64) {
        unsigned lun = data[0] & 3 /* 3: the disk */, which = data[0] >> 2 & 1;
        size_t in_size = (size_t)(data[0] >> 3) * 33, cdb_len = data[1] % 20;
        size_t out_len = get_le16(data + 2) % 4096;
        bool absent = lun == 3 && (data[3] & 0x80);

        data += 4;
        size -= 4;
        cdb_len = cdb_len < size ? cdb_len : size;
        out_len = out_len < size - cdb_len ? out_len : size - cdb_len;
        target_run(which, absent ? 77 : lun, data, cdb_len, data + cdb_len, out_len, in_size);
        data += cdb_len + out_len;
        size -= cdb_len + out_len;
    }
    for (unsigned t = 0; t < TARGET_TAPES; t++)
        REQUIRE(library_find(target_library(), target_barcode(t), &e, NULL) == 0);
    return 0;
}
