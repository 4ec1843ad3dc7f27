/* SPDX-License-Identifier: Apache-2.0 */
/* hook.h - how a function of the library stands in front of libc's of the same name. */
#ifndef CAPSTAN_PRELOAD_HOOK_H
#define CAPSTAN_PRELOAD_HOOK_H

#include <dlfcn.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(name)                                                                                 \
    __extension__({                                                                                \
        static __typeof__(&name) found_;                                                           \
        __typeof__(&name) fn_ = __atomic_load_n(&found_, __ATOMIC_RELAXED);                        \
        if (!fn_) {                                                                                \
            fn_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                      \
            __atomic_store_n(&found_, fn_, __ATOMIC_RELAXED);                                      \
        }                                                                                          \
        fn_;                                                                                       \
    })

#endif
