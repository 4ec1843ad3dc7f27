/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - messages for the operator, on standard error.
 *
 * One line per message.  Under systemd (JOURNAL_STREAM set) each line starts with "<N>", the
 * syslog priority, which the journal takes off again; elsewhere it starts with the program's name,
 * or with the time if it goes to a file (log_set_times()).
 * Control bytes are escaped, so that no peer can forge a line.  Any thread; lines never mix.
 */
#ifndef CAPSTAN_COMMON_LOG_H
#define CAPSTAN_COMMON_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* From now on each line begins with the time (RFC 3339, UTC, ms): for a log that is a file.  Set
 * once, before there are threads. */
void log_set_times(void);

/* Messages above level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

void log_message(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
