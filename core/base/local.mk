libcore_la_SOURCES += core/base/log.c core/base/log.h core/base/util.h
