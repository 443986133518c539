# SPDX-License-Identifier: MIT
CONFIG_TESTS = tests/unit/config_basics \
	tests/unit/config_json \
	tests/unit/config_options \
	tests/unit/config_options_table \
	tests/unit/config_secrets \
	tests/unit/config_device \
	tests/unit/config_device_manifest \
	tests/unit/config_plugin_manifest \
	tests/unit/config_samples \
	tests/unit/config_schema
check_PROGRAMS += $(CONFIG_TESTS)
TESTS += $(CONFIG_TESTS)

tests_unit_config_basics_SOURCES = tests/unit/config_basics.c \
	tests/unit/config_help.h
tests_unit_config_basics_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_basics_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_basics_LDADD = $(UNIT_LIBS)

tests_unit_config_json_SOURCES = tests/unit/config_json.c \
	tests/unit/config_help.h
tests_unit_config_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_json_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_json_LDADD = $(UNIT_LIBS)

tests_unit_config_options_SOURCES = tests/unit/config_options.c \
	tests/unit/config_help.h tests/unit/config_options_help.h
tests_unit_config_options_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_options_LDADD = $(UNIT_LIBS)

tests_unit_config_options_table_SOURCES = tests/unit/config_options_table.c \
	tests/unit/config_help.h
tests_unit_config_options_table_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_options_table_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_options_table_LDADD = $(UNIT_LIBS)

tests_unit_config_secrets_SOURCES = tests/unit/config_secrets.c \
	tests/unit/config_help.h tests/unit/config_options_help.h
tests_unit_config_secrets_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_secrets_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_secrets_LDADD = $(UNIT_LIBS)

tests_unit_config_device_SOURCES = tests/unit/config_device.c \
	tests/unit/config_help.h tests/unit/config_device_help.h
tests_unit_config_device_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_device_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_device_LDADD = $(UNIT_LIBS)

tests_unit_config_device_manifest_SOURCES = tests/unit/config_device_manifest.c \
	tests/unit/config_help.h tests/unit/config_device_help.h
tests_unit_config_device_manifest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_device_manifest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_device_manifest_LDADD = $(UNIT_LIBS)

tests_unit_config_plugin_manifest_SOURCES = tests/unit/config_plugin_manifest.c \
	tests/unit/config_help.h
tests_unit_config_plugin_manifest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_plugin_manifest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_plugin_manifest_LDADD = $(UNIT_LIBS)

tests_unit_config_samples_SOURCES = tests/unit/config_samples.c \
	tests/unit/config_help.h
tests_unit_config_samples_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_samples_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_samples_LDADD = $(UNIT_LIBS)

tests_unit_config_schema_SOURCES = tests/unit/config_schema.c \
	tests/unit/config_help.h
tests_unit_config_schema_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_config_schema_CFLAGS = $(UNIT_CFLAGS)
tests_unit_config_schema_LDADD = $(UNIT_LIBS)
