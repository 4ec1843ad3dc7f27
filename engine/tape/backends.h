/* SPDX-License-Identifier: Apache-2.0 */
/* backends.h - the back ends that tape.c has in its table; known to tape.c alone. */
#ifndef CAPSTAN_ENGINE_TAPE_BACKENDS_H
#define CAPSTAN_ENGINE_TAPE_BACKENDS_H

#include "engine/tape/tape.h"

extern const struct tape_ops tape_iscsi_ops;
extern const struct tape_ops tape_cartridge_ops;
extern const struct tape_ops tape_file_ops;

#endif
