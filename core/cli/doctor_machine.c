// SPDX-License-Identifier: MIT
/* doctor: what of the machine's set-up makes devices slower, or surprises. */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "config/cpulist.h"
#include "kernel/sysfs.h"

#define HUGE_PAGES "/sys/kernel/mm/transparent_hugepage/enabled"

void check_huge_pages(struct doctor *doctor)
{
	char word[64];

	if (sysfs_read_line(doctor->root, HUGE_PAGES, word, sizeof(word)))
		doctor_say(doctor, "huge-pages", FINDING_OK, NULL,
			   "this kernel has none that programs could ask for");
	else if (strstr(word, "[never]"))
		doctor_say(doctor, "huge-pages", FINDING_NOTE,
			   "`echo madvise >" HUGE_PAGES "`, for large reads and writes of files",
			   "they are switched off: buffers are made of small pages");
	else
		doctor_say(doctor, "huge-pages", FINDING_OK, NULL,
			   "buffers of large reads and writes are made of them");
}

static unsigned int count_nodes(const char *root)
{
	char path[PATH_MAX];
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/devices/system/node", root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		nr += !strncmp(entry->d_name, "node", 4) &&
		      isdigit((unsigned char)entry->d_name[4]);
	if (dir)
		closedir(dir);
	return max_of(nr, 1u);
}

/* The CPUs that this process may run on, 0: not known. */
static unsigned int count_allowed(const char *root)
{
	static const char head[] = "Cpus_allowed_list:";
	char path[PATH_MAX], *line = NULL;
	unsigned int nr = 0;
	struct cpulist list;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/status", root);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		char *at = line + strlen(head);

		if (strncmp(line, head, strlen(head)))
			continue;
		at += strspn(at, " \t");
		at[strcspn(at, "\n")] = '\0';
		if (!cpulist_parse(at, &list, NULL)) {
			nr = list.nr;
			cpulist_free(&list);
		}
	}
	free(line);
	if (f)
		fclose(f);
	return nr;
}

void check_cpus(struct doctor *doctor)
{
	unsigned int online = sysfs_cpus_online(doctor->root);
	unsigned int nodes = count_nodes(doctor->root), allowed = count_allowed(doctor->root);

	if (allowed && allowed < online)
		doctor_say(
			doctor, "cpus", FINDING_NOTE,
			"give this process all CPUs (taskset, AllowedCPUs= in a systemd unit), or use "
			"--cpus none",
			"this process may run on %u of %u CPUs; queues of the others are served "
			"from these",
			allowed, online);
	else
		doctor_say(doctor, "cpus", FINDING_OK, NULL,
			   "%u CPUs on %u NUMA node%s; queues and their memory stay together",
			   online, nodes, nodes == 1 ? "" : "s");
}

static bool namespace_of(const char *root, const char *pid, char *buf, size_t size)
{
	char path[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/proc/%s/ns/mnt", root, pid);
	len = readlink(path, buf, size - 1);
	buf[max_of(len, 0)] = '\0';
	return len > 0;
}

void check_mount_namespace(struct doctor *doctor)
{
	char ours[64], first[64];

	if (!namespace_of(doctor->root, "self", ours, sizeof(ours)) ||
	    !namespace_of(doctor->root, "1", first, sizeof(first)))
		doctor_say(doctor, "mount-namespace", FINDING_OK, NULL,
			   "not compared with that of the system: /proc/1/ns/mnt cannot be read%s",
			   geteuid() ? "; only root can" : "");
	else if (strcmp(ours, first))
		doctor_say(
			doctor, "mount-namespace", FINDING_NOTE,
			"start servers, and mount their devices, from outside it (nsenter -t 1 -m)",
			"this process is in one of its own, which a server that is started here "
			"keeps alive with all that is mounted in it");
	else
		doctor_say(doctor, "mount-namespace", FINDING_OK, NULL, "it is that of the system");
}
