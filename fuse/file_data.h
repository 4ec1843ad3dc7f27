/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_data.h - the data of one open file of an image, wherever its blocks are.
 *
 * Stream blocks become blocks of cartridges by the image's parts; what follows a sequential read is
 * read ahead.  Any thread: reads of one file are one at a time.
 */
#ifndef CAPSTAN_FUSE_FILE_DATA_H
#define CAPSTAN_FUSE_FILE_DATA_H

#include "catalog/catalog.h"
#include "engine/stream/file_reader.h"
#include "fuse/part.h"
#include "fuse/tree.h"
#include "fuse/volumes.h"

struct file_data;

/* The image is copied as far as needed.  The header is looked for at the first read: opening a
 * file touches no cartridge. */
int view_file_data_open(struct volumes *volumes, const struct tree_image *image,
                        const struct catalog_inode *inode, struct file_data **out,
                        struct error *err);
void view_file_data_close(struct file_data *file); /* NULL is allowed */

/* All bytes of [offset, offset + len) that the file has, or an error: never fewer. */
int view_file_data_read(struct file_data *file, uint64_t offset, void *buf, size_t len, size_t *got,
                        struct error *err);

/* The first byte at or behind offset that is data, or in a hole, as lseek(2) says; UINT64_MAX:
 * there is none before the end of the file.  Reads a few headers, no data. */
int view_file_data_seek(struct file_data *file, uint64_t offset, enum file_reader_part part,
                        uint64_t *found, struct error *err);

#endif
