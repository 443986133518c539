# SPDX-License-Identifier: MIT
# UBLK_HOST_PLUGIN([MIN-MINOR], [ACTION-IF-FOUND], [ACTION-IF-NOT-FOUND])
#
# For a configure.ac whose project builds plugins for ublk-host: finds the header of the contract by
# pkg-config, and checks that it is of ABI 1.MIN-MINOR (1.0) or newer. Sets, and substitutes in makefiles,
# UBLK_HOST_CFLAGS (to compile a plugin with), UBLK_HOST_LDFLAGS (to link it with, by the compiler; with
# libtool: -module -avoid-version) and UBLK_HOST_PLUGINDIR (where to install it). Without
# ACTION-IF-NOT-FOUND configure ends there. A user may set UBLK_HOST_CFLAGS and UBLK_HOST_PLUGINDIR.
AC_DEFUN([UBLK_HOST_PLUGIN],
[AC_REQUIRE([PKG_PROG_PKG_CONFIG])dnl
m4_pushdef([ublk_minor], m4_default([$1], [0]))dnl
PKG_CHECK_VAR([UBLK_HOST_PLUGINDIR], [ublk-host], [plugindir])
PKG_CHECK_MODULES([UBLK_HOST], [ublk-host], [ublk_host_found=yes], [ublk_host_found=no])
AS_IF([test "x$ublk_host_found" = xyes],
  [AC_MSG_CHECKING([for ublk-plugin.h of ABI 1.]ublk_minor)
  ublk_host_save_CPPFLAGS=$CPPFLAGS
  CPPFLAGS="$CPPFLAGS $UBLK_HOST_CFLAGS"
  AC_PREPROC_IFELSE([AC_LANG_SOURCE([[
#include <ublk-plugin.h>
#if UBLK_PLUGIN_ABI_MAJOR != 1 || UBLK_PLUGIN_ABI_MINOR < ]ublk_minor[
#error too old, or of another major version
#endif
]])], [], [ublk_host_found=no])
  CPPFLAGS=$ublk_host_save_CPPFLAGS
  AC_MSG_RESULT([$ublk_host_found])])
UBLK_HOST_CFLAGS="$UBLK_HOST_CFLAGS -fPIC -fvisibility=hidden"
AC_SUBST([UBLK_HOST_LDFLAGS], ["-shared -Wl,-z,defs"])
AS_IF([test "x$ublk_host_found" = xyes],
  [m4_default([$2], [:])],
  [m4_default([$3], [AC_MSG_ERROR([ublk-host with plugin ABI 1.]ublk_minor[ or newer is missing: install it, or set PKG_CONFIG_PATH to the folder of its ublk-host.pc])])])
m4_popdef([ublk_minor])dnl
])
