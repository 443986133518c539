// SPDX-License-Identifier: MIT
/* The verb doctor: each check on a made-up machine, sound and not. */
#include <jansson.h>
#include <sys/stat.h>

#include "base/log.h"
#include "capture.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "kernel/uapi.h"
#include "made_up.h"
#include "tap.h"

#define ALL_FEATURES ((1ull << 21) - 1)

static struct doctor doctor;
static char run_dir[128];

/* A machine that has everything. */
static void setup(void)
{
	made_up_setup();
	snprintf(run_dir, sizeof(run_dir), "%s/run", root);
	setenv("UBLK_HOST_RUN_DIR", run_dir, 1);
	log_set_level(LOG_LVL_ERR);
	doctor = (struct doctor){ .root = root,
				  .host = { .kernel = "7.3.4",
					    .driver = true,
					    .features = ALL_FEATURES,
					    .ring = { .setup = IORING_SETUP_SQE128,
						      .sparse_buffers = true,
						      .provided_buffers = true } },
				  .knobs = { .io_uring_group = -1,
					     .ublks_max = 64,
					     .files = 1024,
					     .files_max = 4096,
					     .locked = KNOB_UNLIMITED,
					     .memory = { .max = KNOB_UNLIMITED } } };
}

static void teardown(void)
{
	free(doctor.line);
	plugin_dirs_free(&doctor.host.dirs);
	made_up_teardown();
}

/* The check says one line: of this level, with these words in it. */
static void says(void (*check)(struct doctor *doctor), enum finding_level level, const char *why,
		 const char *todo)
{
	const struct finding *finding;
	size_t before = doctor.nr;

	check(&doctor);
	ck_assert_uint_eq(doctor.nr, before + 1);
	finding = &doctor.line[before].finding;
	ck_assert_msg(finding->level == level, "level %d: %s", finding->level, finding->why);
	ck_assert_msg(strstr(finding->why, why) != NULL, "no \"%s\" in: %s", why, finding->why);
	ck_assert_ptr_null(strchr(finding->why, '\n'));
	if (todo)
		ck_assert_msg(strstr(finding->todo, todo) != NULL, "no \"%s\" in: %s", todo,
			      finding->todo);
	else
		ck_assert_str_eq(finding->todo, "");
}

START_TEST(kernel)
{
	says(check_kernel, FINDING_OK, "7.3.4", NULL);
	strcpy(doctor.host.kernel, "6.18.5-arch1-1");
	says(check_kernel, FINDING_BAD, "https://", "6.18.6");
	strcpy(doctor.host.kernel, "6.12.95+deb12-amd64");
	says(check_kernel, FINDING_NOTE, "6.12.95+deb12-amd64, with which a server that is killed",
	     "6.14.6");
}
END_TEST

START_TEST(driver)
{
	says(check_driver, FINDING_OK, "21 of 21 features", NULL);
	doctor.control_err = -EACCES;
	says(check_driver, FINDING_BAD, "no permission to open /dev/ublk-control", "run as root");
	doctor.control_err = -ENOENT;
	says(check_driver, FINDING_BAD, "has no ublk driver loaded", "CONFIG_BLK_DEV_UBLK");
	put("/lib/modules/7.3.4/modules.dep", "kernel/drivers/block/ublk_drv.ko.xz:\n");
	says(check_driver, FINDING_BAD, "is not loaded", "modprobe ublk_drv");
	put("/sys/class/misc/ublk-control/dev", "10:256\n");
	says(check_driver, FINDING_BAD, "is missing, though", NULL);
	doctor.control_err = 0;
	strcpy(doctor.host.reason, "GET_FEATURES failed");
	says(check_driver, FINDING_BAD, "GET_FEATURES failed", NULL);
	doctor.host.ring.err = -EPERM; /* io_uring's matter then */
	says(check_driver, FINDING_NOTE, "cannot be asked", NULL);
}
END_TEST

START_TEST(io_uring)
{
	says(check_io_uring, FINDING_OK, "", NULL);
	doctor.host.ring.setup = 0;
	says(check_io_uring, FINDING_BAD, "128-byte entries", "boot 6.0");
	doctor.host.ring.err = -EPERM;
	says(check_io_uring, FINDING_BAD, "seccomp", NULL);
	doctor.knobs.io_uring_disabled = 2;
	says(check_io_uring, FINDING_BAD, "io_uring_disabled is 2", "sysctl");
}
END_TEST

static void says_two(enum finding_level first, const char *first_why, enum finding_level second,
		     const char *second_why)
{
	size_t at = doctor.nr;

	check_data_paths(&doctor);
	ck_assert_uint_eq(doctor.nr, at + 2);
	ck_assert_int_eq(doctor.line[at].finding.level, first);
	ck_assert_ptr_nonnull(strstr(doctor.line[at].finding.why, first_why));
	ck_assert_int_eq(doctor.line[at + 1].finding.level, second);
	ck_assert_ptr_nonnull(strstr(doctor.line[at + 1].finding.why, second_why));
}

START_TEST(best_paths)
{
	says_two(FINDING_OK, "auto-buf-reg, the best", FINDING_OK, "user-copy, the best");
	doctor.host.features = UBLK_F_USER_COPY;
	says_two(FINDING_NOTE, "by copy, not by auto-buf-reg: ", FINDING_OK, "user-copy, the best");
	doctor.host.features = 0;
	says_two(FINDING_NOTE, "by copy", FINDING_NOTE, "by copy, not by user-copy: ");
	strcpy(doctor.host.reason, "no driver");
	says(check_data_paths, FINDING_NOTE, "could not be asked", "driver");
}
END_TEST

START_TEST(limits)
{
	put("/sys/devices/system/cpu/online", "0-1\n");
	says(check_devices, FINDING_OK, "limit is 64", NULL);
	doctor.host.features = UBLK_F_USER_COPY;
	doctor.knobs.devices = 64;
	says(check_devices, FINDING_BAD, "64 devices", "ublks_max");
	says(check_open_files, FINDING_OK, "2 queues", NULL);
	doctor.knobs.files_max = 10;
	says(check_open_files, FINDING_BAD, "may have 10", "LimitNOFILE=");
	says(check_memory, FINDING_OK, "", NULL);
	doctor.knobs.memory = (struct memory_limit){ .max = 8 << 20, .file = "/c/memory.max" };
	says(check_memory, FINDING_NOTE, "/c/memory.max allows 8 MiB", "MemoryMax=");
	doctor.knobs.cap_ipc_lock = true;
	says(check_locked_memory, FINDING_OK, "not limited", NULL);
	doctor.host.ring.err = -EPERM;
	says(check_locked_memory, FINDING_NOTE, "cannot be told", "io_uring");
}
END_TEST

START_TEST(nodes)
{
	put("/proc/self/mountinfo", "30 1 0:5 / /dev rw shared:2 - tmpfs tmpfs rw\n");
	says(check_nodes, FINDING_BAD, "no node", "devtmpfs");
	put("/run/udev/control", "");
	says(check_nodes, FINDING_OK, "udev makes", NULL);
	put("/proc/self/mountinfo", "29 1 0:4 / /dev rw - tmpfs tmpfs rw\n"
				    "30 1 0:5 / /dev rw shared:2 - devtmpfs udev rw\n"
				    "31 1 0:6 / /dev/shm rw - tmpfs tmpfs rw\n");
	says(check_nodes, FINDING_OK, "devtmpfs", NULL);
}
END_TEST

START_TEST(users)
{
	char path[128];

	says(check_users, FINDING_OK, "no udev rule", NULL);
	put("/dev/ublk-control", "");
	snprintf(path, sizeof(path), "%s/dev/ublk-control", root);
	ck_assert_int_eq(chmod(path, 0666), 0);
	says(check_users, FINDING_NOTE, "every user may open", "rules for udev");
	put("/usr/lib/udev/rules.d/60-ublk-host.rules", "");
	says(check_users, FINDING_OK, "is open to every user", NULL);
	ck_assert_int_eq(chmod(path, 0600), 0);
	says(check_users, FINDING_OK, "not open to every user", NULL);
	doctor.host.features = 0;
	says(check_users, FINDING_OK, "no unprivileged ones", NULL);
}
END_TEST

START_TEST(state_folder)
{
	says(check_state_folder, FINDING_OK, "made with the first device", NULL);
	mkdir(run_dir, 0755);
	ck_assert_int_eq(chmod(run_dir, 0777), 0);
	says(check_state_folder, FINDING_BAD, "mode 0777", "0755");
	ck_assert_int_eq(chmod(run_dir, 01777), 0);
	says(check_state_folder, FINDING_NOTE, "mode 1777", "0755");
	rmdir(run_dir);
	put("/run", "");
	says(check_state_folder, FINDING_BAD, "is not a folder", "remove");
	setenv("UBLK_HOST_RUN_DIR", "relative", 1);
	says(check_state_folder, FINDING_BAD, "\"relative\"", "absolute");
	setenv("UBLK_HOST_RUN_DIR", "/dev/shm/ublk-host-doctor", 1);
	mkdir("/dev/shm/ublk-host-doctor", 0755);
	says(check_state_folder, FINDING_OK, "in memory", NULL);
	rmdir("/dev/shm/ublk-host-doctor");
	if (!geteuid())
		return; /* who can make any folder */
	setenv("UBLK_HOST_RUN_DIR", "/proc/none", 1);
	says(check_state_folder, FINDING_NOTE, "cannot be made", "run as root");
}
END_TEST

START_TEST(plugins)
{
	char folder[128];

	snprintf(folder, sizeof(folder), "%s/plugins", root);
	doctor.host.dirs.dir = calloc(1, sizeof(char *));
	doctor.host.dirs.dir[0] = strdup(folder);
	doctor.host.dirs.nr = 1;
	says(check_plugins, FINDING_BAD, "there are none in", "--plugin-dir");
	put("/plugins/text.so", "hello");
	says(check_plugins, FINDING_BAD, "text.so: not an ELF shared object", "put it right");
	snprintf(folder, sizeof(folder), "%s/plugins/text.so", root);
	unlink(folder);
	put("/plugins/lone.json", "{}");
	says(check_plugins, FINDING_NOTE, "lone.json: there is no lone.so", "remove it");
}
END_TEST

START_TEST(leftovers)
{
	char link[160];

	if (!access("/dev/ublk-control", F_OK))
		return; /* whose devices may be anything */
	doctor.control_err = -ENOENT;
	says(check_leftovers, FINDING_OK, "none", NULL);
	doctor.control_err = -EACCES;
	says(check_leftovers, FINDING_OK, "only root sees", NULL);
	put("/run/900003.json", "{ damaged");
	put("/run/by-name/x", "");
	snprintf(link, sizeof(link), "%s/run/by-name/astray", root);
	ck_assert_int_eq(symlink("/dev/ublkb900003", link), 0);
	says(check_leftovers, FINDING_NOTE, "gone: 2", "ublk-host gc --yes");
}
END_TEST

START_TEST(huge_pages)
{
	says(check_huge_pages, FINDING_OK, "has none", NULL);
	put("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
	says(check_huge_pages, FINDING_NOTE, "switched off", "madvise");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	says(check_huge_pages, FINDING_OK, "", NULL);
}
END_TEST

START_TEST(cpus)
{
	put("/sys/devices/system/cpu/online", "0-7\n");
	put("/sys/devices/system/node/node0/cpulist", "0-3\n");
	put("/sys/devices/system/node/node1/cpulist", "4-7\n");
	put("/sys/devices/system/node/online", "0-1\n");
	put("/proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n");
	says(check_cpus, FINDING_OK, "8 CPUs on 2 NUMA nodes", NULL);
	put("/proc/self/status", "Cpus_allowed_list:\t0-1,4\n");
	says(check_cpus, FINDING_NOTE, "3 of 8 CPUs", "--cpus none");
}
END_TEST

START_TEST(mount_namespace)
{
	char path[128];

	says(check_mount_namespace, FINDING_OK, "cannot be read", NULL);
	put_link("/proc/self/ns/mnt", "mnt:[1]");
	put_link("/proc/1/ns/mnt", "mnt:[1]");
	says(check_mount_namespace, FINDING_OK, "that of the system", NULL);
	snprintf(path, sizeof(path), "%s/proc/1/ns/mnt", root);
	unlink(path);
	put_link("/proc/1/ns/mnt", "mnt:[2]");
	says(check_mount_namespace, FINDING_NOTE, "one of its own", "nsenter");
}
END_TEST

static struct capture out;

static int run(char *word)
{
	char *argv[] = { "doctor", word, NULL };
	int status;

	capture_begin(&out, STDOUT_FILENO);
	status = verb_doctor(word ? 2 : 1, argv);
	capture_end(&out);
	return status;
}

/* On this machine, whatever it is: the text and the JSON say the same, and the status follows. */
START_TEST(the_verb)
{
	size_t lines = 0, i;
	bool bad = false;
	json_t *json, *one;
	int status = run("--json");

	json = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(json);
	json_array_foreach(json, i, one)
	{
		const char *level = json_string_value(json_object_get(one, "level"));

		ck_assert_ptr_nonnull(json_string_value(json_object_get(one, "check")));
		ck_assert_ptr_nonnull(json_string_value(json_object_get(one, "why")));
		ck_assert_ptr_nonnull(json_object_get(one, "todo"));
		ck_assert(!strcmp(level, "ok") || !strcmp(level, "note") || !strcmp(level, "bad"));
		bad |= !strcmp(level, "bad");
	}
	ck_assert_uint_ge(i, 16);
	ck_assert_int_eq(status, bad ? EXIT_FAILED : EXIT_DONE);
	ck_assert_int_eq(run(NULL), status);
	for (const char *at = out.text; (at = strchr(at, '\n')); at++)
		lines++;
	ck_assert_uint_eq(lines, json_array_size(json));
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verb_doctor");
	TCase *tc = tcase_create("checks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, kernel);
	tcase_add_test(tc, driver);
	tcase_add_test(tc, io_uring);
	tcase_add_test(tc, best_paths);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, nodes);
	tcase_add_test(tc, users);
	tcase_add_test(tc, state_folder);
	tcase_add_test(tc, plugins);
	tcase_add_test(tc, leftovers);
	tcase_add_test(tc, huge_pages);
	tcase_add_test(tc, cpus);
	tcase_add_test(tc, mount_namespace);
	tcase_add_test(tc, the_verb);
	suite_add_tcase(s, tc);
	return run_tap(s);
}
