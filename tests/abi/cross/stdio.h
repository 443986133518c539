/* SPDX-License-Identifier: MIT */
/* What ublk-plugin.h needs of <stdio.h>, for compilers of machines whose C library is not there. */
#include <stdarg.h>
#include <stddef.h>

int vsnprintf(char *buf, size_t size, const char *format, va_list ap);
