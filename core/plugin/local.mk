libcore_la_SOURCES += core/plugin/plugin.h core/plugin/file.h core/plugin/find.c \
	core/plugin/file.c core/plugin/check.c core/plugin/inspect.c core/plugin/load.c
