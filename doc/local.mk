# SPDX-License-Identifier: MIT
# Man pages are made from POD where there is pod2man; only the PODs are in the tarball.
man_pods = doc/ublk-host.pod doc/ublk-host-manifest.pod doc/ublk-plugin.pod \
	doc/ublk-host-null.pod doc/ublk-host-mem.pod doc/ublk-host-file.pod \
	doc/ublk-host-stripe.pod doc/ublk-host-security.pod
man_pages = doc/ublk-host.8 doc/ublk-host-manifest.5 doc/ublk-plugin.3 \
	doc/ublk-host-null.7 doc/ublk-host-mem.7 doc/ublk-host-file.7 \
	doc/ublk-host-stripe.7 doc/ublk-host-security.7

EXTRA_DIST += doc/benchmarks $(man_pods) doc/examples.awk
dist_doc_DATA = CHANGELOG.md CONTRIBUTING.md SECURITY.md doc/architecture.md doc/guide.md \
	doc/performance.md doc/porting.md
exampledir = $(docdir)/example-plugin
dist_example_DATA = doc/example-plugin/README.md doc/example-plugin/Makefile \
	doc/example-plugin/heap.c doc/example-plugin/ram.c doc/example-plugin/ring.c \
	doc/example-plugin/concat.c doc/example-plugin/sparse.cc doc/example-plugin/offsets.rs \
	doc/example-plugin/concat.check doc/example-plugin/ring.check
exampledevicesdir = $(exampledir)/devices
dist_exampledevices_DATA = doc/example-plugin/devices/concat.json doc/example-plugin/devices/heap.json \
	doc/example-plugin/devices/offsets.json doc/example-plugin/devices/ram.json \
	doc/example-plugin/devices/ring.json doc/example-plugin/devices/sparse.json
exampleclientdir = $(docdir)/example-client
dist_exampleclient_DATA = doc/example-client/README.md doc/example-client/Makefile \
	doc/example-client/client.c
CLEANFILES += $(man_pages)

if HAVE_POD2MAN
man_MANS += $(man_pages)
endif

# No date: the same source makes the same page.
POD_TO_MAN = $(AM_V_GEN)$(MKDIR_P) $(@D) && page=`basename $@` && \
	$(AWK) -v folder=$(srcdir)/doc/example-plugin -f $(srcdir)/doc/examples.awk $< >$@.pod && \
	$(POD2MAN) --errors=die --date=' ' --center=ublk-host --release='ublk-host $(VERSION)' \
	--name=`echo "$${page%.*}" | tr a-z A-Z` --section="$${page\#\#*.}" $@.pod >$@.tmp && \
	mv $@.tmp $@ && rm -f $@.pod

SUFFIXES += .pod .3 .5 .7 .8
.pod.3:
	$(POD_TO_MAN)
.pod.5:
	$(POD_TO_MAN)
.pod.7:
	$(POD_TO_MAN)
.pod.8:
	$(POD_TO_MAN)
doc/ublk-plugin.3: doc/examples.awk doc/example-plugin/heap.c doc/example-plugin/concat.c doc/example-plugin/ram.c \
	doc/example-plugin/ring.c

# What the pages say, against what the program does.
dist_check_SCRIPTS += tests/doc.t
TESTS += tests/doc.t
