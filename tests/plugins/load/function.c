// SPDX-License-Identifier: MIT
/* The symbol is a function, as in hosts that register plugins by a call. */
const void *ublk_plugin_v1(void);

const void *ublk_plugin_v1(void)
{
	return 0;
}
