libcore_la_SOURCES += core/plugin/plugin.h
