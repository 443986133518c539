// SPDX-License-Identifier: MIT
/* Batch commands: what the driver is told, and every answer of its: all, a part, nothing, refusals, and
 * the ends of the multishot FETCH. */
#include <errno.h>
#include <string.h>

#include "transport_rig.h"

#define ELEM (sizeof(struct ublk_elem_header) + sizeof(uint64_t)) /* with a buffer's address */
#define MULTISHOT (1u << 1)

/* The numbers of a batch command that is queued; its elements' tags, from its memory. */
static uint64_t expect_batch(uint32_t op, unsigned int n, const uint16_t *tags)
{
	const struct io_uring_sqe *sqe = rig_take();
	const char *elem = (const char *)(uintptr_t)sqe->addr;
	struct ublk_batch_io batch;

	memcpy(&batch, sqe->cmd, sizeof(batch));
	ck_assert_uint_eq(sqe->opcode, IORING_OP_URING_CMD);
	ck_assert_uint_eq(sqe->off, op);
	ck_assert_uint_eq(batch.q_id, 3);
	ck_assert_uint_eq(batch.nr_elem, n);
	ck_assert_uint_eq(batch.elem_bytes, ELEM);
	ck_assert_uint_eq(batch.flags, UBLK_BATCH_F_HAS_BUF_ADDR);
	ck_assert_uint_eq(sqe->len, n * ELEM);
	for (unsigned int i = 0; i < n; i++, elem += ELEM) {
		const struct ublk_elem_header *header = (const void *)elem;
		uint64_t buf;

		memcpy(&buf, header + 1, sizeof(buf));
		ck_assert_uint_eq(header->tag, tags[i]);
		ck_assert_int_eq(header->result, op == UBLK_U_IO_PREP_IO_CMDS ? 0 : 100 + tags[i]);
		ck_assert_uint_eq(buf, rig_addr(tags[i]).buf);
	}
	return sqe->user_data;
}

static void expect_fetch(void)
{
	const struct io_uring_sqe *sqe = rig_take();

	ck_assert_uint_eq(sqe->off, UBLK_U_IO_FETCH_IO_CMDS);
	ck_assert_uint_eq(sqe->uring_cmd_flags, MULTISHOT);
	ck_assert_uint_eq(sqe->flags & IOSQE_BUFFER_SELECT, IOSQE_BUFFER_SELECT);
	ck_assert_uint_eq(sqe->buf_group, RING_BUF_GROUP);
	ck_assert_uint_eq(ud_kind(sqe->user_data), UD_TAGS);
}

/* The driver's answer. What batch_done() says; *tag is what it names. */
static int answer(uint64_t ud, int32_t res, uint16_t *tag)
{
	const struct io_uring_cqe cqe = { .user_data = ud, .res = res };

	*tag = 0xffff;
	return rig.t.ops->batch_done(&rig.tq, &cqe, tag);
}

static const uint16_t all[RIG_DEPTH] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static void start_batch(void)
{
	uint16_t tag;

	rig_start(UBLK_F_BATCH_IO, false);
	ck_assert_uint_eq(rig.nr_bufs, RIG_DEPTH);
	ck_assert_uint_eq(rig.bufs->tail, RIG_DEPTH);
	for (uint16_t i = 0; i < RIG_DEPTH; i++) {
		const struct tag_addr addr = rig_addr(i);

		ck_assert_uint_eq(rig_queued(), 0); /* all or nothing, so not before the last */
		ck_assert_int_eq(rig.t.ops->fetch(&rig.tq, i, &addr), 0);
	}
	ck_assert_int_eq(answer(expect_batch(UBLK_U_IO_PREP_IO_CMDS, RIG_DEPTH, all), 0, &tag), 0);
	expect_fetch();
	ck_assert_uint_eq(rig_queued(), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
}

static bool commit(uint16_t tag)
{
	const struct tag_addr addr = rig_addr(tag);

	return transport_commit(&rig.tq, tag, 100 + tag, &addr);
}

/* Commits of the tags from first on, n of them, sent: the command's user_data. */
static uint64_t commit_all(uint16_t first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		ck_assert(commit(first + i));
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 1);
	return expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, n, all + first);
}

START_TEST(all_of_a_batch)
{
	uint64_t ud;
	uint16_t tag;

	start_batch();
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0); /* nothing to say */
	ud = commit_all(2, 3);
	ck_assert_uint_eq(rig.tq.uncommitted, 3);
	ck_assert_int_eq(answer(ud, 3 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	ck_assert_uint_eq(rig_queued(), 0);
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	rig_stop();
}
END_TEST

/* Fewer than were sent: the rest is sent again, in order, until there is none. */
START_TEST(a_part_of_a_batch)
{
	uint64_t ud;
	uint16_t tag;

	start_batch();
	ud = commit_all(1, 6);
	ck_assert_int_eq(answer(ud, 2 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 4);
	ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 4, all + 3);
	ck_assert_int_eq(answer(ud, 3 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 1);
	ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 1, all + 6);
	ck_assert_int_eq(answer(ud, 1 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	ck_assert_uint_eq(rig_queued(), 0);
	rig_stop();
}
END_TEST

/* The driver stops at the tag that it does not want: first a part, then its errno. */
START_TEST(a_tag_is_refused)
{
	static const int errors[] = { -EBUSY, -EINVAL, -EFAULT, -ENODEV };
	uint64_t ud;
	uint16_t tag;

	start_batch();
	ud = commit_all(0, 4);
	ck_assert_int_eq(answer(ud, 1 * ELEM, &tag), 0);
	ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 3, all + 1);
	ck_assert_int_eq(answer(ud, errors[_i], &tag), errors[_i]);
	ck_assert_uint_eq(tag, 1);
	ck_assert_uint_eq(rig.tq.uncommitted, 2);
	ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 2, all + 2);
	ck_assert_int_eq(answer(ud, 2 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	/* the last one of its batch */
	ud = commit_all(5, 1);
	ck_assert_int_eq(answer(ud, errors[_i], &tag), errors[_i]);
	ck_assert_uint_eq(tag, 5);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	ck_assert_uint_eq(rig_queued(), 0);
	rig_stop();
}
END_TEST

static const int passing[] = { -EAGAIN, -ENOMEM, -EINTR };

/* The kernel has not looked at any of them: no tag is lost. */
START_TEST(a_batch_is_not_begun)
{
	uint64_t ud;
	uint16_t tag;

	start_batch();
	ud = commit_all(0, 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(answer(ud, passing[_i], &tag), 0);
		ck_assert_uint_eq(rig.tq.uncommitted, 3);
		ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 3, all);
	}
	ck_assert_int_eq(answer(ud, 3 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	rig_stop();
}
END_TEST

/* While one batch is on its way the next is collected; a third has no place before an answer. */
START_TEST(both_in_flight)
{
	uint64_t first, second;
	uint16_t tag;

	start_batch();
	first = commit_all(0, 2);
	second = commit_all(2, 2);
	ck_assert(!commit(4));
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	ck_assert_int_eq(answer(first, 1 * ELEM, &tag), 0); /* a part: it stays busy */
	ck_assert(!commit(4));
	first = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 1, all + 1);
	ck_assert_int_eq(answer(second, 2 * ELEM, &tag), 0);
	second = commit_all(4, 1);
	ck_assert(!commit(5));
	ck_assert_int_eq(answer(first, 1 * ELEM, &tag), 0);
	first = commit_all(5, 3);
	ck_assert_int_eq(answer(second, 1 * ELEM, &tag), 0);
	ck_assert_int_eq(answer(first, 3 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	ck_assert_uint_eq(rig_queued(), 0);
	rig_stop();
}
END_TEST

/* No room for the rest of a batch, nor for the next one: both go when there is. */
START_TEST(a_full_ring_delays)
{
	uint64_t ud;
	uint16_t tag;

	start_batch();
	ud = commit_all(0, 4);
	ck_assert(commit(4));
	rig_fill();
	ck_assert_int_eq(answer(ud, 3 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 2);
	ck_assert(commit(5)); /* it still collects */
	rig_drain();
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 2);
	ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 1, all + 3);
	ck_assert_int_eq(answer(ud, 1 * ELEM, &tag), 0);
	ud = expect_batch(UBLK_U_IO_COMMIT_IO_CMDS, 2, all + 4);
	ck_assert_int_eq(answer(ud, 2 * ELEM, &tag), 0);
	ck_assert_uint_eq(rig.tq.uncommitted, 0);
	rig_stop();
}
END_TEST

/* The same, when neither has a place to collect in meanwhile. */
START_TEST(a_full_ring_delays_both)
{
	uint64_t first, second;
	uint16_t tag;

	start_batch();
	first = commit_all(0, 2);
	second = commit_all(2, 2);
	rig_fill();
	ck_assert_int_eq(answer(first, 1 * ELEM, &tag), 0);
	ck_assert_int_eq(answer(second, 1 * ELEM, &tag), 0);
	rig_drain();
	while (rig.tq.uncommitted) {
		const struct ublk_batch_io *batch;
		const struct io_uring_sqe *sqe;

		rig.t.ops->flush(&rig.tq);
		sqe = rig_take(); /* or nothing would ever send them */
		batch = (const void *)sqe->cmd;
		ck_assert_uint_eq(batch->nr_elem, 1);
		ck_assert_int_eq(answer(sqe->user_data, 1 * ELEM, &tag), 0);
	}
	ck_assert_uint_eq(rig_queued(), 0);
	first = commit_all(6, 2);
	ck_assert_int_eq(answer(first, 2 * ELEM, &tag), 0);
	rig_stop();
}
END_TEST

START_TEST(prep_is_refused)
{
	const struct tag_addr addr = rig_addr(0);
	uint16_t tag;

	rig_start(UBLK_F_BATCH_IO, false);
	for (uint16_t i = 0; i + 1 < RIG_DEPTH; i++)
		ck_assert_int_eq(rig.t.ops->fetch(&rig.tq, i, &addr), 0);
	rig_fill();
	ck_assert_int_eq(rig.t.ops->fetch(&rig.tq, RIG_DEPTH - 1, &addr), -EBUSY);
	rig_drain();
	ck_assert_int_eq(rig.t.ops->fetch(&rig.tq, RIG_DEPTH - 1, &addr), 0);
	ck_assert_int_eq(answer(rig_take()->user_data, -EINVAL, &tag), -EINVAL);
	ck_assert_uint_eq(tag, 0);
	expect_fetch();
	rig_stop();
}
END_TEST

/* ---- What FETCH tells ---- */

/* A completion of the multishot FETCH with n tags in buffer buf, which is given back after. */
static int tags_told(unsigned int buf, const uint16_t *tags, unsigned int n, int32_t res, bool more)
{
	const struct io_uring_cqe cqe = {
		.user_data = ud_make(UD_TAGS, 0, 0),
		.res = n ? (int32_t)(n * sizeof(*tags)) : res,
		.flags = (n ? IORING_CQE_F_BUFFER | buf << IORING_CQE_BUFFER_SHIFT : 0) |
			 (more ? IORING_CQE_F_MORE : 0),
	};
	unsigned int given = rig.bufs->tail;
	const uint16_t *told;
	int got;

	if (n)
		memcpy((void *)(uintptr_t)rig.bufs->bufs[buf].addr, tags, n * sizeof(*tags));
	got = rig.t.ops->tags(&rig.tq, &cqe, &told);
	if (got > 0) {
		ck_assert_int_eq(got, (int)n);
		ck_assert_int_eq(memcmp(told, tags, n * sizeof(*tags)), 0);
	}
	rig.t.ops->tags_done(&rig.tq, &cqe);
	ck_assert_uint_eq(rig.bufs->tail, (uint16_t)(given + !!n));
	if (n)
		ck_assert_uint_eq(rig.bufs->bufs[given & (RIG_DEPTH - 1)].bid, buf);
	return got;
}

START_TEST(tags_in_buffers)
{
	start_batch();
	ck_assert_int_eq(tags_told(0, all + 3, 2, 0, true), 2);
	ck_assert_int_eq(tags_told(1, all, RIG_DEPTH, 0, true), RIG_DEPTH);
	ck_assert_int_eq(tags_told(RIG_DEPTH - 1, all + 7, 1, 0, true), 1);
	ck_assert_uint_eq(rig_queued(), 0);
	rig_stop();
}
END_TEST

START_TEST(fetch_ends_and_is_sent_again)
{
	static const int ends[] = { 0, -ENOBUFS, -EAGAIN, -ENOMEM, -EINTR };

	start_batch();
	ck_assert_int_eq(tags_told(2, all, 4, 0, false), 4); /* with tags */
	expect_fetch();
	for (unsigned int i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		ck_assert_int_eq(tags_told(0, NULL, 0, ends[i], false), 0);
		expect_fetch();
	}
	/* no room: by the next flush */
	rig_fill();
	ck_assert_int_eq(tags_told(0, NULL, 0, -ENOBUFS, false), 0);
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	rig_drain();
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	expect_fetch();
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	ck_assert_uint_eq(rig_queued(), 0); /* once */
	rig_stop();
}
END_TEST

START_TEST(fetch_ends_for_good)
{
	start_batch();
	ck_assert_int_eq(tags_told(0, NULL, 0, -ENODEV, false), UBLK_IO_RES_ABORT);
	ck_assert_int_eq(tags_told(0, NULL, 0, -ECANCELED, false), UBLK_IO_RES_ABORT);
	ck_assert_int_eq(tags_told(0, NULL, 0, -EINVAL, false), -EINVAL);
	ck_assert_uint_eq(rig.t.ops->flush(&rig.tq), 0);
	ck_assert_uint_eq(rig_queued(), 0);
	rig_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch transport");
	TCase *tc = tcase_create("batch");

	tcase_add_test(tc, all_of_a_batch);
	tcase_add_test(tc, a_part_of_a_batch);
	tcase_add_loop_test(tc, a_tag_is_refused, 0, 4);
	tcase_add_loop_test(tc, a_batch_is_not_begun, 0, 3);
	tcase_add_test(tc, both_in_flight);
	tcase_add_test(tc, a_full_ring_delays);
	tcase_add_test(tc, a_full_ring_delays_both);
	tcase_add_test(tc, prep_is_refused);
	suite_add_tcase(suite, tc);
	tc = tcase_create("tags");
	tcase_add_test(tc, tags_in_buffers);
	tcase_add_test(tc, fetch_ends_and_is_sent_again);
	tcase_add_test(tc, fetch_ends_for_good);
	suite_add_tcase(suite, tc);
	return run_tap(suite);
}
