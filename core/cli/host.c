// SPDX-License-Identifier: MIT
/* Asks the driver and io_uring what they can do. */
#include "cli/host.h"
#include "kernel/ctrl.h"
#include "kernel/features.h"
#include "kernel/knobs.h"
#include "kernel/sysfs.h"

/* What open(2) would say, without the message that ctrl_open() logs. */
static int try_control(void)
{
	return access(UBLK_CONTROL_PATH, R_OK | W_OK) < 0 ? -errno : 0;
}

static void ask_driver(struct host_features *host)
{
	struct ctrl *ctrl = NULL;
	int err = try_control();

	host->driver = err != -ENOENT && err != -ENXIO && err != -ENODEV;
	if (err) {
		ctrl_explain_open(host->kernel, "", false, err, host->reason, sizeof(host->reason));
		return;
	}
	/* Without a ring there is nothing to ask by. */
	err = host->ring.err;
	if (err) {
		ctrl_explain_open(host->kernel, "", true, err, host->reason, sizeof(host->reason));
		return;
	}
	err = ctrl_open(&ctrl);
	if (!err)
		err = ctrl_get_features(ctrl, &host->features);
	if (ctrl && (err == -EOPNOTSUPP || err == -EINVAL)) { /* before 6.5 */
		host->features = features_assumed(ctrl_is_legacy(ctrl));
		err = 0;
	}
	if (err)
		ctrl_explain(UBLK_U_CMD_GET_FEATURES, UINT32_MAX, err, host->reason,
			     sizeof(host->reason));
	ctrl_close(ctrl);
}

void host_features_read(struct host_features *host)
{
	kernel_release(host->kernel, sizeof(host->kernel));
	ring_probe(&host->ring);
	ask_driver(host);
}

struct path_kernel host_path_kernel(const struct host_features *host)
{
	return (struct path_kernel){ .features = host->features,
				     .unprivileged = !knobs_privileged(),
				     .buf_table = host->ring.sparse_buffers,
				     .buf_ring = host->ring.provided_buffers };
}
