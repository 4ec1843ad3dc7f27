/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_stream.c - any bytes as a dump stream: the promises of decoder.h hold, directories and
 * single files are read without harm.
 */
#include "engine/stream/decoder.h"
#include "engine/stream/directory.h"
#include "engine/stream/file_reader.h"
#include "tests/fuzz/stream_input.h"

#define EVENTS_PER_BLOCK 700 /* a header of 512 single holes, the attributes of a block */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static int give_blocks(void *ctx, uint64_t first, size_t count, uint8_t *buf, size_t *got,
                       struct error *err)
{
    const struct stream_input *in = ctx;

    if (first >= in->count)
        return error_set(err, ERR_END_OF_DATA, "the end");
    *got = count < in->count - first ? count : (size_t)(in->count - first);
    memcpy(buf, in->blocks + first * STREAM_BLOCK, *got * STREAM_BLOCK);
    return 0;
}

static void read_file(struct stream_input *in, const struct stream_event *ev)
{
    static const uint64_t parts[] = {0, 1, 3, 2}; /* quarters, in another order */
    struct file_reader *r;
    uint8_t buf[3000];

    if (file_reader_open(give_blocks, in, ev->address, ev->inode.ino, ev->inode.size, &r, NULL))
        return;
    for (size_t i = 0; i < 4; i++) {
        uint64_t offset = ev->inode.size / 4 * parts[i];
        size_t got = 0;

        /* A hostile chain of headers may be as long as the file says it is: bounded here. */
        if (offset > (UINT64_C(1) << 26))
            break;
        if (file_reader_read(r, offset, buf, sizeof(buf), &got, NULL) == 0)
            require(got <= sizeof(buf));
    }
    file_reader_close(r);
}

static void read_directory(const struct stream_event *ev)
{
    for (unsigned form = 0; form < 4; form++) {
        struct stream_entry_cursor c = {
            .data = ev->data, .len = ev->len, .big_endian = form & 1, .old_format = form & 2};
        struct stream_entry e;
        size_t entries = 0;

        while (stream_entry_next(&c, &e)) {
            require(e.ino != 0 && e.name >= c.data && e.name + e.name_len <= c.data + c.len);
            stream_name_check(e.name, e.name_len);
            require(++entries <= ev->len / 8);
        }
    }
}

struct state {
    struct stream_inode inode;
    bool open;
    size_t events;
    volatile uint8_t sum;
};

static void check_event(struct stream_input *in, struct state *s, const struct stream_event *ev)
{
    const uint8_t *from = ev->data;

    s->events++;
    switch (ev->type) {
    case STREAM_EVENT_INODE:
        require(!s->open);
        s->open = true;
        s->inode = ev->inode;
        require(ev->inode.size <= INT64_MAX);
        read_file(in, ev);
        break;
    case STREAM_EVENT_DATA:
        require(from >= in->blocks && from + ev->len <= in->blocks + in->count * STREAM_BLOCK);
        require(ev->len == ev->bytes);
        read_directory(ev);
        __attribute__((fallthrough));
    case STREAM_EVENT_HOLE:
        require(s->open && ev->bytes > 0 && ev->bytes <= s->inode.size &&
                ev->offset <= s->inode.size - ev->bytes);
        break;
    case STREAM_EVENT_XATTR:
        require(s->open && strlen(ev->xattr.name) <= STREAM_NAME_MAX);
        for (size_t i = 0; i < ev->xattr.len; i++) /* all of it can be read */
            s->sum = (uint8_t)(s->sum + ((const uint8_t *)ev->xattr.value)[i]);
        break;
    case STREAM_EVENT_INODE_END:
        require(s->open);
        s->open = false;
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state s = {0};
    struct stream_decoder *d;
    struct stream_event ev;
    struct stream_input in;

    stream_input_read(data, size, &in);
    require(stream_decoder_open(&d, NULL) == 0);
    for (size_t at = 0; at < in.count; at += in.chunk) {
        size_t left = in.count - at;

        stream_decoder_feed(d, in.blocks + at * STREAM_BLOCK, left < in.chunk ? left : in.chunk);
        while (stream_decoder_next(d, &ev))
            check_event(&in, &s, &ev);
        if (at % 7 == 6)
            stream_decoder_volume(d);
    }
    stream_decoder_finish(d);
    while (stream_decoder_next(d, &ev))
        check_event(&in, &s, &ev);
    require(!s.open && s.events <= (in.count + 1) * EVENTS_PER_BLOCK);
    stream_decoder_close(d);
    free(in.blocks);
    return 0;
}
