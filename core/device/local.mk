libcore_la_SOURCES += core/device/bring_up.c core/device/device.h core/device/internal.h \
	core/device/resolve.c core/device/serve.c core/device/state.h
