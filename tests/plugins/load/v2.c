// SPDX-License-Identifier: MIT
/* A plugin of the next major, which has another symbol. */
extern const unsigned int ublk_plugin_v2[4];
const unsigned int ublk_plugin_v2[4] = { 0x4b4c4255u, 2, 16, 0 };
