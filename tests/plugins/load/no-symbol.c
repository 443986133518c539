// SPDX-License-Identifier: MIT
/* A shared object, but not a plugin. */
extern const int something_else;
const int something_else = 1;
