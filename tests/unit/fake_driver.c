// SPDX-License-Identifier: MIT
/* The ublk driver as the host sees it: see fake_driver.h. */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fake_driver.h"

struct fake_driver driver;
static char folder[200];

int __real_open(const char *path, int flags, ...);
int __real_stat(const char *path, struct stat *st);
int __real_access(const char *path, int mode);

/* Declared, too, as nobody else does. */
#define WRAPPED(type, name, params)                                                                \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params

static void die(const char *what)
{
	perror(what);
	abort();
}

void fake_driver_need(void)
{
	struct fake_config config = { .nr_queues = 1, .depth = 1, .max_io = 4096 };
	struct statfs fs;
	struct fake *f;
	int err = fake_create(&config, &f);

	if (!err)
		fake_destroy(f);
	if (err)
		printf("1..0 # SKIP no fake transport: %s\n", strerror(-err));
	else if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC)
		puts("1..0 # SKIP /dev/shm is not a tmpfs");
	else
		return;
	exit(EXIT_SUCCESS);
}

void fake_driver_begin(const char *where)
{
	char path[256];
	int fd;

	driver = (struct fake_driver){ .event = -1 };
	snprintf(folder, sizeof(folder), "%s", where);
	snprintf(path, sizeof(path), "%s/driver", folder);
	fd = __real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*driver.shared)))
		die(path);
	driver.shared =
		mmap(NULL, sizeof(*driver.shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (driver.shared == MAP_FAILED)
		die(path);
	close(fd);
	if (!driver.shared->features)
		driver.shared->features = UBLK_F_CMD_IOCTL_ENCODE | UBLK_F_USER_RECOVERY |
					  UBLK_F_USER_RECOVERY_REISSUE |
					  UBLK_F_USER_RECOVERY_FAIL_IO | UBLK_F_UPDATE_SIZE |
					  UBLK_F_QUIESCE | UBLK_F_PER_IO_DAEMON;
}

void fake_driver_end(void)
{
	if (driver.fake) {
		if (fake_violations(driver.fake)) {
			fprintf(stderr, "%s\n", fake_first_violation(driver.fake));
			abort();
		}
		fake_destroy(driver.fake);
	}
	driver.fake = NULL;
	munmap(driver.shared, sizeof(*driver.shared));
}

/* Where fake_host begins. "?": only tell whether it can run here. */
static __attribute__((constructor)) void begin_from_environment(void)
{
	const char *where = getenv("UBLK_FAKE_DRIVER");

	if (!where)
		return;
	if (!strcmp(where, "?")) {
		fake_driver_need();
		exit(EXIT_SUCCESS);
	}
	fake_driver_begin(where);
}

/* ---- nodes: files in the folder ---- */

static const char *node_at(const char *path, char buf[256])
{
	if (strncmp(path, "/dev/ublk", 9))
		return path;
	snprintf(buf, 256, "%s/%s", folder, path + 5);
	return buf;
}

static void make_node(const char *path)
{
	char buf[256];
	int fd = __real_open(node_at(path, buf), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die(path);
	close(fd);
}

static void remove_node(const char *path)
{
	char buf[256];

	unlink(node_at(path, buf));
}

WRAPPED(int, open, (const char *path, int flags, ...))
{
	char buf[256];
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (!driver.refuse_open || strncmp(path, "/dev/ublk", 9))
		return __real_open(node_at(path, buf), flags, mode);
	errno = EPERM;
	return -1;
}

WRAPPED(int, stat, (const char *path, struct stat *st))
{
	char buf[256];

	return __real_stat(node_at(path, buf), st);
}

WRAPPED(int, access, (const char *path, int mode))
{
	char buf[256];

	if (!strcmp(path, UBLK_CONTROL_PATH))
		return 0;
	return __real_access(node_at(path, buf), mode);
}

/* ---- control commands ---- */

static bool is_dead(int32_t pid)
{
	uint64_t start;

	return pid <= 0 || state_pid_start(pid, &start) == -ESRCH;
}

/* The driver sees at once that a server has died; here somebody has to look. */
static struct fake_device *find(uint32_t id)
{
	struct fake_device *d = &driver.shared->devices[(id - FAKE_ID) % FAKE_DEVICES];
	char node[NODE_PATH_SIZE];

	if (id - FAKE_ID >= FAKE_DEVICES || !d->there)
		return NULL;
	if (d->info.state == UBLK_S_DEV_LIVE && is_dead(d->info.ublksrv_pid)) {
		d->info.ublksrv_pid = -1;
		d->info.state = d->info.flags & UBLK_F_USER_RECOVERY ? UBLK_S_DEV_QUIESCED
								     : UBLK_S_DEV_DEAD;
		if (d->info.state == UBLK_S_DEV_DEAD)
			remove_node(node_block(id, node));
	}
	return d;
}

static int command(uint32_t op)
{
	size_t len = strlen(driver.said);

	snprintf(driver.said + len, sizeof(driver.said) - len, "%s ", ctrl_cmd_name(op));
	if (fake_asked_for(folder, "fail-", ctrl_cmd_name(op)))
		return -ENOMEM;
	return driver.fail_cmd == op ? driver.fail_err : 0;
}

static int about(uint32_t op, uint32_t id, struct fake_device **d)
{
	int err = command(op);

	*d = find(id);
	return err ? err : *d ? 0 : -ENODEV;
}

WRAPPED(int, ctrl_open, (struct ctrl * *out))
{
	if (!driver.opened++)
		driver.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*out = (struct ctrl *)&driver;
	return 0;
}

WRAPPED(int, ctrl_keep_rights, (struct ctrl * ctrl))
{
	return ctrl ? 0 : -EINVAL;
}

WRAPPED(void, ctrl_close, (struct ctrl * ctrl))
{
	if (ctrl && !--driver.opened)
		close(driver.event);
}

WRAPPED(void, ctrl_set_deadline, (struct ctrl * ctrl, unsigned int ms))
{
	(void)ctrl;
	(void)ms;
}

WRAPPED(bool, ctrl_is_legacy, (const struct ctrl *ctrl))
{
	(void)ctrl;
	return false;
}

WRAPPED(int, ctrl_get_features, (struct ctrl * ctrl, uint64_t *features))
{
	(void)ctrl;
	*features = driver.shared->features;
	return command(UBLK_U_CMD_GET_FEATURES);
}

WRAPPED(int, ctrl_add_dev, (struct ctrl * ctrl, struct ublksrv_ctrl_dev_info *info))
{
	int err = command(UBLK_U_CMD_ADD_DEV);
	char node[NODE_PATH_SIZE];

	(void)ctrl;
	if (err)
		return err;
	for (uint32_t i = 0; info->dev_id == UINT32_MAX && i < FAKE_DEVICES; i++)
		if (!driver.shared->devices[i].there)
			info->dev_id = FAKE_ID + i;
	if (info->dev_id - FAKE_ID >= FAKE_DEVICES)
		return -ENOSPC;
	if (find(info->dev_id))
		return -EEXIST;
	info->flags &= driver.shared->features;
	info->nr_hw_queues = min_of(info->nr_hw_queues, (uint16_t)2);
	info->state = UBLK_S_DEV_DEAD;
	info->ublksrv_pid = -1;
	driver.shared->devices[info->dev_id - FAKE_ID] = (struct fake_device){
		.there = true, .entry = ++driver.shared->entries, .info = *info
	};
	make_node(node_char(info->dev_id, node));
	return 0;
}

WRAPPED(int, ctrl_set_params, (struct ctrl * ctrl, uint32_t id, const struct ublk_params *params))
{
	struct fake_device *d;
	int err = about(UBLK_U_CMD_SET_PARAMS, id, &d);

	(void)ctrl;
	if (!err)
		d->params = *params;
	return err;
}

WRAPPED(int, ctrl_get_params, (struct ctrl * ctrl, uint32_t id, struct ublk_params *params))
{
	struct fake_device *d;
	int err = about(UBLK_U_CMD_GET_PARAMS, id, &d);

	(void)ctrl;
	if (!err)
		*params = d->params;
	return err;
}

WRAPPED(int, ctrl_get_dev_info,
	(struct ctrl * ctrl, uint32_t id, struct ublksrv_ctrl_dev_info *info))
{
	struct fake_device *d;
	int err = about(UBLK_U_CMD_GET_DEV_INFO, id, &d);

	(void)ctrl;
	if (!err)
		*info = d->info;
	return err;
}

WRAPPED(int, ctrl_get_queue_affinity,
	(struct ctrl * ctrl, uint32_t id, uint16_t qid, void *mask, uint16_t size))
{
	struct fake_device *d;

	(void)ctrl;
	(void)qid;
	sched_getaffinity(0, size, mask);
	return about(UBLK_U_CMD_GET_QUEUE_AFFINITY, id, &d);
}

static int delete (uint32_t op, uint32_t id)
{
	struct fake_device *d;
	int err = about(op, id, &d);
	char node[NODE_PATH_SIZE];

	if (err)
		return err;
	d->there = false;
	remove_node(node_block(id, node));
	remove_node(node_char(id, node));
	return 0;
}

WRAPPED(int, ctrl_del_dev, (struct ctrl * ctrl, uint32_t id))
{
	(void)ctrl;
	return delete (UBLK_U_CMD_DEL_DEV, id);
}

static void stop(uint32_t id, struct fake_device *d)
{
	char node[NODE_PATH_SIZE];

	if (driver.fake)
		fake_abort_all(driver.fake);
	d->info.state = UBLK_S_DEV_DEAD;
	remove_node(node_block(id, node));
}

WRAPPED(int, ctrl_plain, (struct ctrl * ctrl, uint32_t op, uint32_t id, uint64_t data0))
{
	struct fake_device *d;
	int err;

	(void)ctrl;
	if (op == UBLK_U_CMD_DEL_DEV_ASYNC)
		return delete (op, id);
	err = about(op, id, &d);
	if (err)
		return err;
	switch (op) {
	case UBLK_U_CMD_UPDATE_SIZE:
		d->params.basic.dev_sectors = data0;
		break;
	case UBLK_U_CMD_QUIESCE_DEV:
		d->info.state = UBLK_S_DEV_QUIESCED;
		d->info.ublksrv_pid = -1;
		break;
	case UBLK_U_CMD_START_USER_RECOVERY:
		return d->info.state == UBLK_S_DEV_QUIESCED ? 0 : -EBUSY;
	case UBLK_U_CMD_STOP_DEV:
		stop(id, d);
		break;
	default:
		return -EOPNOTSUPP;
	}
	return 0;
}

WRAPPED(int, ctrl_begin, (struct ctrl * ctrl, uint32_t op, uint32_t id, uint64_t data0))
{
	char node[NODE_PATH_SIZE];
	struct fake_device *d;
	uint64_t one = 1;

	(void)ctrl;
	driver.result = about(op, id, &d);
	driver.begun = true;
	if (!driver.result && op == UBLK_U_CMD_STOP_DEV) {
		stop(id, d);
	} else if (!driver.result) {
		d->info.state = UBLK_S_DEV_LIVE;
		d->info.ublksrv_pid = (int32_t)data0;
		make_node(node_block(id, node));
	}
	if (write(driver.event, &one, sizeof(one)) != sizeof(one))
		die("eventfd");
	return 0;
}

WRAPPED(int, ctrl_result, (struct ctrl * ctrl))
{
	uint64_t count;

	(void)ctrl;
	if (!driver.begun || read(driver.event, &count, sizeof(count)) < 0)
		return -EINVAL;
	driver.begun = false;
	return driver.result;
}

WRAPPED(void, ctrl_cancel, (struct ctrl * ctrl))
{
	(void)ctrl;
	driver.begun = false;
}

WRAPPED(int, ctrl_fd, (struct ctrl * ctrl))
{
	(void)ctrl;
	return driver.event;
}

/* ---- what else the host knows of the kernel ---- */

/* The device gets the fake transport instead; a next server a new one. */
WRAPPED(void, transport_kernel_init,
	(struct transport * t, int fd, bool legacy_ops, uint64_t flags, uint16_t nr_queues,
	 uint16_t depth))
{
	struct device *d = container_of(t, struct device, transport);
	struct fake_config config = { .nr_queues = nr_queues,
				      .depth = depth,
				      .max_io = d->info.max_io_buf_bytes };
	int err;

	(void)fd;
	(void)legacy_ops;
	(void)flags;
	if (driver.fake)
		fake_destroy(driver.fake);
	err = fake_create(&config, &driver.fake);
	if (err) {
		errno = -err;
		die("the fake transport");
	}
	d->dev.transport = fake_transport(driver.fake);
}

WRAPPED(int, sysfs_wait_node, (const char *root, uint32_t id, unsigned int ms))
{
	(void)root;
	(void)ms;
	return find(id) ? 0 : -ETIMEDOUT;
}

WRAPPED(int, sysfs_devices, (const char *root, uint32_t **ids, size_t *nr))
{
	(void)root;
	*nr = 0;
	*ids = calloc(FAKE_DEVICES, sizeof(**ids));
	for (uint32_t i = 0; *ids && i < FAKE_DEVICES; i++)
		if (find(FAKE_ID + i))
			(*ids)[(*nr)++] = FAKE_ID + i;
	return *ids ? 0 : -ENOMEM;
}

WRAPPED(uint64_t, sysfs_device_entry, (const char *root, uint32_t id))
{
	const struct fake_device *d = find(id);

	(void)root;
	return d ? d->entry : 0;
}

WRAPPED(int, sysfs_disk, (const char *root, uint32_t id, struct sysfs_disk *disk))
{
	const struct fake_device *d = find(id);

	(void)root;
	if (!d || d->info.state == UBLK_S_DEV_DEAD)
		return -ENODEV;
	*disk = (struct sysfs_disk){ .size_bytes = d->params.basic.dev_sectors << 9,
				     .logical_block = 1u << d->params.basic.logical_bs_shift,
				     .physical_block = 1u << d->params.basic.physical_bs_shift };
	return 0;
}

/* Nobody uses a disk that is a file; but who does may be hard to tell. */
WRAPPED(int, disk_users_find, (const char *root, uint32_t id, struct disk_users *users))
{
	(void)root;
	*users = (struct disk_users){ 0 };
	if (fake_asked_for(folder, "used", ""))
		return -EIO;
	return find(id) ? 0 : -ENODEV;
}

/* Whoever runs the tests. */
WRAPPED(bool, knobs_privileged, (void))
{
	return true;
}
