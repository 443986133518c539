// SPDX-License-Identifier: MIT
/*
 * The header has the layout that was frozen: this compiles, or says which member is elsewhere. Compiled
 * by header.t only, for this machine and others.
 */
#include <stddef.h>
#include <stdint.h>

#include "ublk-plugin.h"

/* Which of the frozen columns is this machine's: 64-bit pointers, i386, other 32-bit pointers. */
#if UINTPTR_MAX > 0xffffffffu
#define COLUMN(lp64, i386, other32) (lp64)
#elif defined(__i386__)
#define COLUMN(lp64, i386, other32) (i386)
#else
#define COLUMN(lp64, i386, other32) (other32)
#endif

/* Structs may have grown since; those whose arrays the other side walks through never do. */
#define MAY_GROW_ublk_opt_spec 1
#define MAY_GROW_ublk_opt 0
#define MAY_GROW_ublk_open_args 1
#define MAY_GROW_ublk_limits 1
#define MAY_GROW_ublk_queue_info 1
#define MAY_GROW_ublk_io 1
#define MAY_GROW_ublk_extent 0
#define MAY_GROW_ublk_host 1
#define MAY_GROW_ublk_plugin 1

#define STRUCT(s, lp64, i386, other32)                                                             \
	_Static_assert(sizeof(struct s) == COLUMN(lp64, i386, other32) ||                          \
			       (MAY_GROW_##s && UBLK_PLUGIN_ABI_MINOR > 0 &&                       \
				sizeof(struct s) > COLUMN(lp64, i386, other32)),                   \
		       "the size of struct " #s);
#define MEMBER(s, m, lp64, lp64_size, i386, i386_size, other32, other32_size)                      \
	_Static_assert(offsetof(struct s, m) == COLUMN(lp64, i386, other32),                       \
		       "the offset of " #s "." #m);                                                \
	_Static_assert(sizeof(((struct s *)0)->m) == COLUMN(lp64_size, i386_size, other32_size),   \
		       "the size of " #s "." #m);
#define CONSTANT(name, value) _Static_assert((name) == (value), "the value of " #name);
#define SIZE(name, lp64, i386, other32)                                                            \
	_Static_assert((name) == COLUMN(lp64, i386, other32), "the value of " #name);

#include "1.0/layout.h"
