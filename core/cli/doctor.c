// SPDX-License-Identifier: MIT
/* Verb doctor: everything on this machine that a device needs, checked, and what to do about it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/devices.h"
#include "cli/doctor.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "cli/usage.h"

static const struct cli_opt opts[] = {
	CLI_OPT_PLUGIN_DIR(CLI_KEY_PLUGIN_DIR),
	CLI_OPT_JSON('j'),
	{ 0, NULL, NULL, NULL },
};

static const struct cli_usage usage = {
	.verb = "doctor",
	.synopsis = "[OPTION]...",
	.about =
		"Checks what devices need on this machine: the kernel, its driver, limits, folders, plugins\n"
		"and what was left behind. Says of each what is so, and what to do.",
	.opts = opts,
	.notes =
		"Levels: ok; note: it works, but not as well as it could, or not for ever; bad: it does\n"
		"not work. The exit status is 1 if something is bad.\n",
};

static void (*const checks[])(struct doctor *doctor) = {
	check_kernel,	 check_driver,	   check_io_uring,	check_data_paths,
	check_devices,	 check_open_files, check_locked_memory, check_memory,
	check_nodes,	 check_users,	   check_state_folder,	check_plugins,
	check_leftovers, check_huge_pages, check_cpus,		check_mount_namespace,
};

void doctor_add(struct doctor *doctor, const char *check, const struct finding *finding)
{
	struct doctor_line *grown = reallocarray(doctor->line, doctor->nr + 1, sizeof(*grown));

	if (!grown) {
		doctor->no_memory = true;
		return;
	}
	doctor->line = grown;
	grown[doctor->nr++] = (struct doctor_line){ check, *finding };
}

void doctor_say(struct doctor *doctor, const char *check, enum finding_level level,
		const char *todo, const char *why, ...)
{
	struct finding finding = { .level = level };
	va_list ap;

	va_start(ap, why);
	vsnprintf(finding.why, sizeof(finding.why), why, ap);
	va_end(ap);
	snprintf(finding.todo, sizeof(finding.todo), "%s", todo ? todo : "");
	doctor_add(doctor, check, &finding);
}

void doctor_say_line(struct doctor *doctor, const char *check, enum finding_level level,
		     const char *line)
{
	const char *todo = strstr(line, "; ");

	doctor_say(doctor, check, level, todo ? todo + 2 : NULL, "%.*s",
		   todo ? (int)(todo - line) : (int)strlen(line), line);
}

void doctor_begin(struct doctor *doctor, const char *root)
{
	doctor->root = root;
	host_features_read(&doctor->host);
	doctor->control_err = access(UBLK_CONTROL_PATH, R_OK | W_OK) < 0 ? -errno : 0;
	/* Where there is no ring, that was said. */
	doctor->ctrl = doctor->host.ring.err ? NULL : devices_ctrl();
	knobs_read(root, &doctor->knobs);
}

void doctor_end(struct doctor *doctor)
{
	ctrl_close(doctor->ctrl);
	free(doctor->line);
}

static const char *level_word(enum finding_level level)
{
	static const char *const words[] = {
		[FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_BAD] = "bad"
	};

	return words[level];
}

/* An array of objects, in the order of the checks, some of which say several: check, level ("ok",
 * "note", "bad"), why, todo (null: nothing). */
static json_t *to_json(const struct doctor *doctor)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < doctor->nr; i++) {
		const struct finding *finding = &doctor->line[i].finding;

		if (json_array_append_new(
			    array,
			    json_pack("{s:s, s:s, s:o, s:o}", "check", doctor->line[i].check,
				      "level", level_word(finding->level), "why",
				      json_from_text(finding->why), "todo",
				      json_from_text(*finding->todo ? finding->todo : NULL))) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int print_text(const struct doctor *doctor)
{
	struct table table;
	int err;

	table_begin(&table, 3);
	for (size_t i = 0; i < doctor->nr; i++) {
		const struct finding *finding = &doctor->line[i].finding;

		table_add(&table, "%s", level_word(finding->level));
		table_add(&table, "%s", doctor->line[i].check);
		table_add(&table, "%s%s%s", finding->why, *finding->todo ? "; " : "",
			  finding->todo);
	}
	err = table_print(&table, stdout);
	table_free(&table);
	if (err)
		log_err("cannot print the findings: %s", strerror(-err));
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int examine(char **plugin_dirs, size_t nr_plugin_dirs, bool json)
{
	struct doctor doctor = { 0 };
	int status;

	if (plugin_dirs_init(&doctor.host.dirs, plugin_dirs, nr_plugin_dirs) < 0) {
		log_err("cannot check anything: out of memory");
		return EXIT_FAILED;
	}
	doctor_begin(&doctor, "");
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i](&doctor);
	status = json ? json_print(to_json(&doctor)) : print_text(&doctor);
	for (size_t i = 0; i < doctor.nr; i++)
		if (doctor.line[i].finding.level == FINDING_BAD)
			status = EXIT_FAILED;
	if (doctor.no_memory) {
		log_err("not all findings are there: out of memory");
		status = EXIT_FAILED;
	}
	doctor_end(&doctor);
	plugin_dirs_free(&doctor.host.dirs);
	return status;
}

int verb_doctor(int argc, char **argv)
{
	return cli_report(&usage, argc, argv, examine);
}
