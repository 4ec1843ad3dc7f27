/* SPDX-License-Identifier: Apache-2.0 */
/* view_none.c - the view in a build without libfuse (configure --without-fuse). */
#include "fuse/view.h"

int view_run(const struct view_options *options, struct error *err)
{
    return error_set(err, ERR_UNSUPPORTED,
                     "Cannot mount on %s: this capstan was built without libfuse3; install it and "
                     "build again (configure --with-fuse)",
                     options->mountpoint);
}
