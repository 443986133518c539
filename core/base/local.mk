libcore_la_SOURCES += core/base/clock.h core/base/log.c core/base/log.h core/base/mix.h core/base/util.h \
	core/base/whole.h
