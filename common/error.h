/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h - the one error type of the project.
 *
 * A function that can fail returns int: 0 for success, a negated enum error_code for failure, and
 * takes `struct error *err` as its last parameter.  On failure it fills *err with a sentence that
 * says what went wrong and, where the caller can do something about it, what to do.  Callers pass
 * the same err on and return the same code; they do not re-word a message they cannot improve.
 *
 * Invariants:
 *   1. On success *err is not touched.
 *   2. err may be NULL: the code is still returned.
 *   3. Unless a function says otherwise, its object is unchanged after a failure and can be used.
 */
#ifndef CAPSTAN_COMMON_ERROR_H
#define CAPSTAN_COMMON_ERROR_H

#include <stddef.h>

enum error_code {
    ERR_NONE = 0,
    ERR_USAGE,       /* The caller asked for something that makes no sense. */
    ERR_NO_MEMORY,   /* The system has no memory left for this. */
    ERR_IO,          /* The storage below reported an input/output error. */
    ERR_NO_SPACE,    /* The file system or the quota below is full. */
    ERR_NOT_FOUND,   /* The named object does not exist. */
    ERR_EXISTS,      /* An object of this name exists already. */
    ERR_BUSY,        /* Somebody else is using the object; try again later. */
    ERR_PERMISSION,  /* The operating system or an access rule refused this. */
    ERR_CORRUPT,     /* Stored data is damaged: a checksum or a length does not hold. */
    ERR_FORMAT,      /* The data is of a foreign format or of an unknown version. */
    ERR_RANGE,       /* A number lies outside of what is allowed here. */
    ERR_PROTOCOL,    /* The other side broke the protocol. */
    ERR_AUTH,        /* The other side could not prove who it is. */
    ERR_TIMEOUT,     /* The other side did not answer in time. */
    ERR_CLOSED,      /* The connection or the object was closed. */
    ERR_UNSUPPORTED, /* This build or this device cannot do that. */
    ERR_STATE,       /* The object is not in a state that allows this. */
    ERR_FILEMARK,    /* Tape: a filemark was met; the position is behind it. */
    ERR_END_OF_DATA, /* Tape: the end of the recorded data was met. */
    ERR_BEGIN,       /* Tape: the beginning of the partition was met. */
    ERR_END_OF_TAPE, /* Tape: the physical end of the partition was met; nothing was recorded. */
    ERR_PROTECTED,   /* Tape: the cartridge is write protected. */
    ERR_NO_MEDIUM,   /* Tape: there is no cartridge in the drive. */
    ERR_LENGTH,      /* Tape: the block is larger than the buffer given. */
    ERR_ENCRYPTED,   /* Tape: the block is encrypted and nobody here has the key. */
    ERR_OPERATOR,    /* An operator must act first: no cartridge is left, or the like. */
    ERR_CANCELLED,   /* The user or the daemon's shutdown stopped this. */
    ERR_PARTIAL,     /* It was done, but not for everything; the warnings say what is missing. */
    ERR_INTERNAL,    /* A rule of the program itself was broken: please report it. */
    ERR_CODE_COUNT
};

#define ERROR_MESSAGE_SIZE 512

struct error {
    enum error_code code;
    int sys_errno;                    /* errno behind the failure, 0 if there was none */
    char message[ERROR_MESSAGE_SIZE]; /* one sentence, UTF-8, no newline, control bytes escaped */
};

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        ERR_NONE, 0, ""                                                                            \
    }

/* Fill *err (may be NULL) with code and the formatted message; control bytes in the message are
 * shown as \xNN, so that a hostile name can't inject lines into a log.  Returns -code: write
 * `return error_set(err, ERR_RANGE, "...");`.  Any thread. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with the code derived from the value of errno at the call and its text appended
 * after a colon (ENOSPC and EDQUOT: ERR_NO_SPACE; ENOENT: ERR_NOT_FOUND; EACCES, EPERM, EROFS:
 * ERR_PERMISSION; EEXIST: ERR_EXISTS; ENOMEM: ERR_NO_MEMORY; else ERR_IO). */
int error_errno(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "prefix: " in front of the message already in *err and return -err->code. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The sentence that stands for the code itself ("Stored data is damaged ..."). Never NULL. */
const char *error_code_sentence(enum error_code code);

/* A short stable name for logs and JSON ("corrupt", "no_space"). Never NULL. */
const char *error_code_name(enum error_code code);

/* Copy src to dst (size > 0), control bytes and DEL shown as \xNN, always terminated; bytes of
 * 0x80 and above are kept.  For names of files and hosts on their way to a person. */
void error_escape(char *dst, size_t size, const char *src, size_t src_len);

#endif
