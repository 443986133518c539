# SPDX-License-Identifier: MIT
# For authors of plugins, besides the header and ublk-host.pc: a macro for autoconf, a package for CMake.
aclocaldir = $(datadir)/aclocal
dist_aclocal_DATA = m4/ublk-host.m4
cmakedir = $(libdir)/cmake/ublk-host
cmake_files = etc/sdk/ublk-host-config.cmake etc/sdk/ublk-host-config-version.cmake
nodist_cmake_DATA = $(cmake_files)
CLEANFILES += $(cmake_files)
EXTRA_DIST += etc/sdk/ublk-host-config.cmake.in etc/sdk/ublk-host-config-version.cmake.in
$(cmake_files): Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/sdk && $(SED) -e 's|@includedir[@]|$(includedir)|g' -e 's|@plugindir[@]|$(plugindir)|g' \
		-e 's|@bindir[@]|$(bindir)|g' -e 's|@cmakedir[@]|$(cmakedir)|g' -e 's|@ABI_MAJOR[@]|$(ABI_MAJOR)|g' -e 's|@ABI_MINOR[@]|$(ABI_MINOR)|g' \
		$(srcdir)/$@.in >$@
etc/sdk/ublk-host-config.cmake: etc/sdk/ublk-host-config.cmake.in
etc/sdk/ublk-host-config-version.cmake: etc/sdk/ublk-host-config-version.cmake.in
