/* SPDX-License-Identifier: Apache-2.0 */
/* error.c - see error.h.  The table below is the only place where a code gets its words. */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *sentence;
} error_table[ERR_CODE_COUNT] = {
    [ERR_NONE] = {"none", "There was no error."},
    [ERR_USAGE] = {"usage", "The request makes no sense as it was put."},
    [ERR_NO_MEMORY] = {"no_memory", "The system has no memory left for this."},
    [ERR_IO] = {"io", "The storage below reported an input/output error."},
    [ERR_NO_SPACE] = {"no_space", "The file system or the quota below is full."},
    [ERR_NOT_FOUND] = {"not_found", "The named object does not exist."},
    [ERR_EXISTS] = {"exists", "An object of this name exists already."},
    [ERR_BUSY] = {"busy", "Somebody else is using the object; try again later."},
    [ERR_PERMISSION] = {"permission", "The operating system or an access rule refused this."},
    [ERR_CORRUPT] = {"corrupt", "Stored data is damaged: a checksum or a length does not hold."},
    [ERR_FORMAT] = {"format", "The data is of a foreign format or of an unknown version."},
    [ERR_RANGE] = {"range", "A number lies outside of what is allowed here."},
    [ERR_PROTOCOL] = {"protocol", "The other side broke the protocol."},
    [ERR_AUTH] = {"auth", "The other side could not prove who it is."},
    [ERR_TIMEOUT] = {"timeout", "The other side did not answer in time."},
    [ERR_CLOSED] = {"closed", "The connection or the object was closed."},
    [ERR_UNSUPPORTED] = {"unsupported", "This build or this device cannot do that."},
    [ERR_STATE] = {"state", "The object is not in a state that allows this."},
    [ERR_FILEMARK] = {"filemark", "A filemark was met."},
    [ERR_END_OF_DATA] = {"end_of_data", "The end of the recorded data was met."},
    [ERR_BEGIN] = {"begin", "The beginning of the partition was met."},
    [ERR_END_OF_TAPE] = {"end_of_tape", "The physical end of the partition was met."},
    [ERR_PROTECTED] = {"protected", "The cartridge is write protected."},
    [ERR_NO_MEDIUM] = {"no_medium", "There is no cartridge in the drive."},
    [ERR_LENGTH] = {"length", "The block is larger than the buffer given."},
    [ERR_ENCRYPTED] = {"encrypted", "The block is encrypted and its key is not here."},
    [ERR_OPERATOR] = {"operator", "An operator must act before this can go on."},
    [ERR_CANCELLED] = {"cancelled", "The work was stopped on request."},
    [ERR_PARTIAL] = {"partial", "The work was done, but not for everything."},
    [ERR_INTERNAL] = {"internal", "A rule of the program itself was broken; please report it."},
};

const char *error_code_sentence(enum error_code code)
{
    return error_table[(unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL].sentence;
}

const char *error_code_name(enum error_code code)
{
    return error_table[(unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL].name;
}

void error_escape(char *dst, size_t size, const char *src, size_t src_len)
{
    static const char hex[] = "0123456789abcdef";
    size_t out = 0;

    for (size_t i = 0; i < src_len; i++) {
        unsigned char c = (unsigned char)src[i];
        size_t need = c < 0x20 || c == 0x7f ? 4 : 1;

        if (out + need >= size)
            break;
        if (need == 1) {
            dst[out++] = (char)c;
        } else {
            dst[out++] = '\\';
            dst[out++] = 'x';
            dst[out++] = hex[c >> 4];
            dst[out++] = hex[c & 15];
        }
    }
    dst[out] = '\0';
}

static void error_fill(struct error *err, enum error_code code, int sys_errno, const char *fmt,
                       va_list ap) __attribute__((format(printf, 4, 0)));

static void error_fill(struct error *err, enum error_code code, int sys_errno, const char *fmt,
                       va_list ap)
{
    char raw[ERROR_MESSAGE_SIZE];
    size_t used;

    vsnprintf(raw, sizeof(raw), fmt, ap);
    error_escape(err->message, sizeof(err->message), raw, strlen(raw));
    if (sys_errno) {
        used = strlen(err->message);
        snprintf(err->message + used, sizeof(err->message) - used, ": %s", strerror(sys_errno));
    }
    err->code = code;
    err->sys_errno = sys_errno;
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;

        va_start(ap, fmt);
        error_fill(err, code, 0, fmt, ap);
        va_end(ap);
    }
    return -(int)code;
}

static enum error_code code_of_errno(int value)
{
    switch (value) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_IO;
    }
}

int error_errno(struct error *err, const char *fmt, ...)
{
    int saved = errno;
    enum error_code code = code_of_errno(saved);

    if (err) {
        va_list ap;

        va_start(ap, fmt);
        error_fill(err, code, saved, fmt, ap);
        va_end(ap);
    }
    return -(int)code;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
    char prefix[ERROR_MESSAGE_SIZE / 2];
    char old[ERROR_MESSAGE_SIZE];
    char whole[ERROR_MESSAGE_SIZE * 2];
    va_list ap;

    if (!err)
        return -(int)ERR_INTERNAL;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof(prefix), fmt, ap);
    va_end(ap);
    memcpy(old, err->message, sizeof(old));
    snprintf(whole, sizeof(whole), "%s: %s", prefix, old);
    error_escape(err->message, sizeof(err->message), whole, strlen(whole));
    return -(int)err->code;
}
