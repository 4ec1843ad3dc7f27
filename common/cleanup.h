/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h - the few cleanup attributes this project uses; nothing else is added lightly.
 *
 *   CLEANUP_FREE char *p = NULL;        freed when p goes out of scope
 *   CLEANUP_CLOSE int fd = -1;          closed when fd goes out of scope
 *   CLEANUP_FILE FILE *f = NULL;        fclosed
 *   CLEANUP_UNLOCK(&mutex);             locks now, unlocks at the end of the scope
 *   return steal_pointer(&p);           hands p on and disarms its cleanup
 */
#ifndef CAPSTAN_COMMON_CLEANUP_H
#define CAPSTAN_COMMON_CLEANUP_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;

        close(*fd);
        errno = saved;
    }
}

static inline void cleanup_file(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline pthread_mutex_t *cleanup_lock(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    return mutex;
}

static inline void cleanup_unlock(pthread_mutex_t **mutex)
{
    pthread_mutex_unlock(*mutex);
}

#define CLEANUP_FREE  __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FILE  __attribute__((cleanup(cleanup_file)))

#define CLEANUP_NAME_2(a, b) a##b
#define CLEANUP_NAME(a, b)   CLEANUP_NAME_2(a, b)
#define CLEANUP_UNLOCK(mutex)                                                                      \
    __attribute__((cleanup(cleanup_unlock), unused)) pthread_mutex_t *CLEANUP_NAME(                \
        unlock_at_end_, __LINE__) = cleanup_lock(mutex)

#define steal_pointer(pp)                                                                          \
    __extension__({                                                                                \
        __typeof__(*(pp)) stolen_ = *(pp);                                                         \
        *(pp) = NULL;                                                                              \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#endif
