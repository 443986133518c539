# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	core/cli/apply.c core/cli/apply.h core/cli/apply_device.c \
	core/cli/check.c core/cli/check_out.c core/cli/check_out.h \
	core/cli/check_under.c core/cli/check_under.h \
	core/cli/cli.c core/cli/cli.h \
	core/cli/device_options.c core/cli/device_options.h \
	core/cli/devices.c core/cli/devices.h core/cli/devices_find.c \
	core/cli/diff.c \
	core/cli/doctor.c core/cli/doctor.h core/cli/doctor_files.c core/cli/doctor_kernel.c \
	core/cli/doctor_limits.c core/cli/doctor_machine.c \
	core/cli/down.c \
	core/cli/export.c \
	core/cli/features.c \
	core/cli/folder_lock.c core/cli/folder_lock.h \
	core/cli/gc.c \
	core/cli/host.c core/cli/host.h \
	core/cli/info.c \
	core/cli/json_out.c core/cli/json_out.h \
	core/cli/list.c \
	core/cli/manifest_compare.c core/cli/manifest_compare.h \
	core/cli/manifest_folder.c core/cli/manifest_folder.h \
	core/cli/manifest_plan.c core/cli/manifest_plan.h core/cli/manifest_plan_out.c \
	core/cli/manifest_read.c core/cli/manifest_read.h \
	core/cli/new_plugin.c core/cli/templates.h \
	core/cli/notify.c core/cli/notify.h \
	core/cli/orphans.c core/cli/orphans.h \
	core/cli/plugins.c core/cli/plugin_text.c core/cli/plugin_text.h \
	core/cli/recover.c \
	core/cli/resize.c core/cli/resize.h \
	core/cli/restarts.c core/cli/restarts.h \
	core/cli/run.c \
	core/cli/serve.c \
	core/cli/server_files.c core/cli/server_files.h \
	core/cli/serving.c core/cli/serving.h core/cli/serving_background.c core/cli/serving_internal.h \
	core/cli/serving_options.c core/cli/serving_start.c \
	core/cli/standby.c core/cli/standby.h \
	core/cli/stats.c core/cli/stats_out.c core/cli/stats_out.h \
	core/cli/stop.c core/cli/stop.h \
	core/cli/supervised.c core/cli/supervised.h core/cli/supervised_end.c \
	core/cli/supervised_internal.h core/cli/supervised_job.c \
	core/cli/supervised_look.c core/cli/supervised_look.h \
	core/cli/supervisor.c core/cli/supervisor.h core/cli/supervisor_internal.h \
	core/cli/supervisor_load.c \
	core/cli/table.c core/cli/table.h \
	core/cli/udev.c \
	core/cli/upgrade.c core/cli/upgrade.h \
	core/cli/try_stop.c core/cli/try_stop.h \
	core/cli/usage.c core/cli/usage.h \
	$(NULL)

# The examples, as the texts of new-plugin.
templates = doc/example-plugin/heap.c doc/example-plugin/devices/heap.json \
	doc/example-plugin/ram.c doc/example-plugin/devices/ram.json \
	doc/example-plugin/ring.c doc/example-plugin/devices/ring.json doc/example-plugin/ring.check \
	doc/example-plugin/Makefile core/cli/new_plugin.md
EXTRA_DIST += core/cli/new_plugin.md core/cli/templates.awk
nodist_libcore_la_SOURCES = core/cli/templates.c
CLEANFILES += core/cli/templates.c
core/cli/templates.c: $(templates) core/cli/templates.awk
	$(AM_V_GEN)$(MKDIR_P) core/cli && cd $(srcdir) && \
		$(AWK) -f core/cli/templates.awk $(templates) >$(abs_builddir)/$@.tmp && \
		mv $(abs_builddir)/$@.tmp $(abs_builddir)/$@
