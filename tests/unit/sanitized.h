/* SPDX-License-Identifier: Apache-2.0 */
/* sanitized.h - MEASURE: whether memory can be measured; with sanitizers it would be theirs. */
#ifndef CAPSTAN_TESTS_UNIT_SANITIZED_H
#define CAPSTAN_TESTS_UNIT_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEASURE 0
#endif
#endif
#ifndef MEASURE
#define MEASURE 1
#endif

#endif
