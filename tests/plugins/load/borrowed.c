// SPDX-License-Identifier: MIT
/* Has no descriptor, but is linked to a library that has one. */
extern const int nothing_here;
const int nothing_here = 1;
