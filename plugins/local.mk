# SPDX-License-Identifier: MIT
# The backends that come with the host: each a module that exports ublk_plugin_v1 and links nothing.
PLUGIN_CPPFLAGS = -I$(top_srcdir)/include -I$(top_srcdir)/plugins
# For those whose bytes are in files or on block devices.
BACKING = plugins/backing/backing.h plugins/backing/geometry.c plugins/backing/limits.c \
	plugins/backing/lock.c plugins/backing/open.c

plugin_LTLIBRARIES += plugins/null.la plugins/mem.la plugins/file.la plugins/stripe.la

plugins_null_la_SOURCES = plugins/null.c
plugins_null_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_null_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
plugins_null_la_LDFLAGS = -module $(PLUGIN_LDFLAGS)

plugins_mem_la_SOURCES = plugins/mem/mem.c plugins/mem/store.c plugins/mem/store.h
plugins_mem_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_mem_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
plugins_mem_la_LDFLAGS = -module $(PLUGIN_LDFLAGS)

plugins_file_la_SOURCES = plugins/file/file.c $(BACKING)
plugins_file_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_file_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
plugins_file_la_LDFLAGS = -module $(PLUGIN_LDFLAGS)

plugins_stripe_la_SOURCES = plugins/stripe.c $(BACKING)
plugins_stripe_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_stripe_la_CFLAGS = $(AM_CFLAGS) $(PLUGIN_CFLAGS)
plugins_stripe_la_LDFLAGS = -module $(PLUGIN_LDFLAGS)

# The manifest beside each module, from its own table.
plugin_manifests = plugins/null.json plugins/mem.json plugins/file.json plugins/stripe.json
plugin_DATA += $(plugin_manifests)
CLEANFILES += $(plugin_manifests)

.la.json:
	$(AM_V_GEN)./ublk-host$(EXEEXT) --dump-plugin plugins/.libs/`basename $*`.so > $@.tmp && mv $@.tmp $@ && \
		cp $@ plugins/.libs/
SUFFIXES = .la .json
$(plugin_manifests): ublk-host$(EXEEXT)

# libtool archives are of no use for modules that are dlopen()ed, and without its archive libtool
# does not find a module again to uninstall it.
install-data-hook:
	rm -f $(DESTDIR)$(plugindir)/null.la $(DESTDIR)$(plugindir)/mem.la \
		$(DESTDIR)$(plugindir)/file.la $(DESTDIR)$(plugindir)/stripe.la

uninstall-hook:
	rm -f $(DESTDIR)$(plugindir)/null.so $(DESTDIR)$(plugindir)/mem.so \
		$(DESTDIR)$(plugindir)/file.so $(DESTDIR)$(plugindir)/stripe.so
