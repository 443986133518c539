// SPDX-License-Identifier: MIT
/* Nothing is wrong with it, and it tells when it is loaded. */
#include <unistd.h>

#include "fixture.h"

static void __attribute__((constructor)) loaded(void)
{
	static const char text[] = "it was loaded\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
}

static int never_open(struct ublk_dev *dev, const struct ublk_open_args *args, void **priv)
{
	(void)dev, (void)args, (void)priv;
	_exit(1);
}

const struct ublk_plugin ublk_plugin_v1 = {
	UBLK_PLUGIN_INIT(0),
	.name = "constructor",
	.version = "1.0",
	.description = "Fixture constructor",
	.thread_model = UBLK_THREADS_PARALLEL,
	.map_ops = UBLK_OPS_READ | UBLK_OPS_WRITE,
	.map_kinds = UBLK_EXT_ZERO,
	.open = never_open,
	.get_limits = fixture_get_limits,
	.map = fixture_map,
};
