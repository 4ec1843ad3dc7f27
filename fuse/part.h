/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.h - the stretches of an image on cartridges: where a block of the stream is, and whether
 * what is there is still the image's.
 *
 * A cartridge may have been overwritten since, from any block on, and with a stream that looks
 * alike (the next dump of the same tree).  But on a tape what is overwritten ends there: whatever
 * was behind is gone.  So if any block is still the image's, then all before it in its part are.
 */
#ifndef CAPSTAN_FUSE_PART_H
#define CAPSTAN_FUSE_PART_H

#include "fuse/tree.h"
#include "fuse/volumes.h"

/* Where a stream block of an image is; the part's volume and the address of the record there.
 * NULL if the image has no such block. */
const struct catalog_part *view_image_locate(const struct tree_image *image, uint64_t stream_block,
                                             uint64_t *tape_block);

/* What of a part is known to be the image's, in one state of the cartridge. */
struct part_proof {
    uint64_t volume; /* record.volume; 0: nothing is known */
    uint64_t until;  /* stream blocks before it are */
};

/* Prove that stream block `block` of the part is the image's: then 0 is returned and
 * proof->until > block, for the state of the cartridge that proof->volume names: the one given, if
 * it has not changed.
 * ERR_CORRUPT: it was overwritten.  Else errors of view_volumes_read(). */
int view_part_prove(struct volumes *volumes, const struct tree_image *image,
                    const struct catalog_part *part, uint64_t block, struct part_proof *proof,
                    struct error *err);

#endif
