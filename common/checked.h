/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checked.h - arithmetic that says when it overflows.
 *
 * Lengths that come from outside are only ever added and multiplied with these.  Each returns true
 * if the exact result fits into *out; *out is undefined otherwise.
 */
#ifndef CAPSTAN_COMMON_CHECKED_H
#define CAPSTAN_COMMON_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define checked_add(a, b, out) (!__builtin_add_overflow((a), (b), (out)))
#define checked_sub(a, b, out) (!__builtin_sub_overflow((a), (b), (out)))
#define checked_mul(a, b, out) (!__builtin_mul_overflow((a), (b), (out)))

/* True if [offset, offset + length) lies inside [0, size): no sum is formed that could wrap. */
static inline bool range_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

/* v rounded up to a multiple of unit (> 0); v must be <= UINT64_MAX - unit + 1. */
static inline uint64_t round_up(uint64_t v, uint64_t unit)
{
    return (v + unit - 1) / unit * unit;
}

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#endif
