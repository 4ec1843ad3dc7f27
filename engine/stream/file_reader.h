/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_reader.h - read one file out of a dump stream at any offset, given where its header is.
 *
 * The reader asks for stream blocks (1,024 bytes each, numbered through the whole dump) and keeps
 * an index of the headers of the file that it has seen, so that a read far into a file does not
 * start from its beginning each time.
 */
#ifndef CAPSTAN_ENGINE_STREAM_FILE_READER_H
#define CAPSTAN_ENGINE_STREAM_FILE_READER_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* Give `count` stream blocks from number `first` on; *got may be fewer (> 0), for instance to the
 * end of a tape record. */
typedef int stream_source_fn(void *ctx, uint64_t first, size_t count, uint8_t *buf, size_t *got,
                             struct error *err);

struct file_reader;

/* The file whose TS_INODE header is stream block `address`; checks that it is ino and of this size:
 * ERR_CORRUPT otherwise.  One thread at a time. */
int file_reader_open(stream_source_fn *source, void *ctx, uint64_t address, uint32_t ino,
                     uint64_t size, struct file_reader **out, struct error *err);

/* Up to len bytes at offset; holes read as zeros; *got < len only at the end of the file. */
int file_reader_read(struct file_reader *r, uint64_t offset, void *buf, size_t len, size_t *got,
                     struct error *err);

enum file_reader_part { FILE_READER_DATA, FILE_READER_HOLE };

/* The first byte at or behind offset that is data, or in a hole; behind the last data there is a
 * hole, even if it is empty (lseek(2)).  *found: UINT64_MAX if there is none before the end of the
 * file.  Only headers are read, and of a hole or of data without holes only a few, however long. */
int file_reader_seek(struct file_reader *r, uint64_t offset, enum file_reader_part part,
                     uint64_t *found, struct error *err);

void file_reader_close(struct file_reader *r); /* NULL is allowed */

#endif
