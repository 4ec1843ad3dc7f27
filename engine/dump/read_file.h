/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_file.h - read one file of the tree, in whatever state it is by now.  Between reader.c, which
 * has the window, and read_file.c; nobody else's.
 */
#ifndef CAPSTAN_ENGINE_DUMP_READ_FILE_H
#define CAPSTAN_ENGINE_DUMP_READ_FILE_H

#include "engine/dump/reader.h"

struct file_chunk {
    struct file_chunk *next;
    uint64_t len; /* bytes of the file */
    size_t room;  /* bytes of memory, as the window counts them */
    bool hole;
    uint8_t data[];
};

/* A thread's means of reading: the directory it was in last stays open. */
struct file_source {
    const struct tree *tree;
    ssize_t (*read_at)(int fd, void *buf, size_t len, off_t offset);
    int directory_fd; /* -1: none */
    uint32_t directory;
};

struct reader_task;

/* Calls read_task_known() once, then read_task_chunk() for each chunk until it returns false, then
 * read_task_done() once. */
void read_file(struct file_source *source, struct reader_task *task, uint32_t node);

/* The attributes are known, or why there are none; takes over what *file points to. */
void read_task_known(struct reader_task *task, const struct reader_file *file);
/* Takes over chunk.  False: nobody wants more of this file. */
bool read_task_chunk(struct reader_task *task, struct file_chunk *chunk);
void read_task_done(struct reader_task *task, unsigned outcome, int error);

#endif
