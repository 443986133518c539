// SPDX-License-Identifier: MIT
/* The checks of a plugin's file: kinds of file, ELF headers, and who could have written there. */
#include <dlfcn.h>
#include <elf.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "plugin/file.h"
#include "scratch.h"
#include "tap.h"

static const struct file_trust lax = { .strict = false };

static struct file_trust strict(void)
{
	return (struct file_trust){ .strict = true, .owner = geteuid() };
}

static void refused(const char *path, const struct file_trust *trust, int err, const char *fmt, ...)
	__printf_like(4, 5);

static void refused(const char *path, const struct file_trust *trust, int err, const char *fmt, ...)
{
	char why[512] = "", expected[1024];
	struct plugin_file file;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	ret = file_check(path, trust, &file, why, sizeof(why));
	ck_assert_str_eq(why, expected);
	ck_assert_int_eq(ret, err);
	ck_assert_ptr_null(file.load_path);
	ck_assert_int_eq(file.dir_fd, -1);
}

static void accepted(const char *path, const struct file_trust *trust, bool pinned)
{
	char why[512] = "";
	struct plugin_file file;
	int ret = file_check(path, trust, &file, why, sizeof(why));

	ck_assert_str_eq(why, "");
	ck_assert_int_eq(ret, 0);
	ck_assert_int_eq(file.pinned, pinned);
	if (pinned)
		ck_assert_msg(!strncmp(file.load_path, "/proc/self/fd/", 14), "%s", file.load_path);
	ck_assert_int_eq(access(file.load_path, R_OK), 0);
	plugin_file_release(&file);
}

START_TEST(test_kinds)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *path;

	refused(in_scratch("none.so"), &lax, -ENOENT, "No such file or directory");
	refused(in_scratch("none/none.so"), &lax, -ENOENT, "No such file or directory");
	refused(scratch_dir("dir.so", 0755), &lax, -EINVAL, "a directory, not a regular file");
	refused("/", &lax, -EINVAL, "a directory, not a regular file");
	path = in_scratch("fifo.so");
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	refused(path, &lax, -EINVAL, "a FIFO, not a regular file");
	refused("/dev/null", &lax, -EINVAL, "a character device, not a regular file");
	/* a bound address has little room: bind where we stand */
	ck_assert_int_eq(chdir(scratch), 0);
	strcpy(addr.sun_path, "socket.so");
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	refused(in_scratch("socket.so"), &lax, -EINVAL, "a socket, not a regular file");
}
END_TEST

START_TEST(test_links)
{
	const char *link = in_scratch("link.so");

	ck_assert_int_eq(symlink("nowhere.so", link), 0);
	refused(link, &lax, -ENOENT, "a symbolic link to a file that does not exist");
	unlink(link);
	ck_assert_int_eq(symlink("link.so", link), 0);
	refused(link, &lax, -ELOOP, "Too many levels of symbolic links");
	unlink(link);
	scratch_fixture("good", "good.so");
	ck_assert_int_eq(symlink("good.so", link), 0);
	accepted(link, &lax, false);
}
END_TEST

START_TEST(test_not_elf)
{
	refused(scratch_text("empty.so", ""), &lax, -ENOEXEC, "empty file");
	refused(scratch_text("text.so", "/* GNU ld script */ INPUT(file.so)"), &lax, -ENOEXEC,
		"not an ELF shared object");
	refused(scratch_text("tiny.so", "\x7f"
					"EL"),
		&lax, -ENOEXEC, "not an ELF shared object");
	refused(scratch_text("magic.so", "\x7f"
					 "ELF"),
		&lax, -ENOEXEC, "not an ELF shared object");
}
END_TEST

/* A copy of the good one, to be changed at one place. */
static char *good_bytes(size_t *size, Elf64_Ehdr **eh)
{
	char *bytes = fixture_bytes("good", size);

	*eh = (Elf64_Ehdr *)(void *)bytes;
	ck_assert_int_eq((*eh)->e_ident[EI_CLASS], ELFCLASS64);
	return bytes;
}

START_TEST(test_elf_header)
{
	Elf64_Ehdr *eh, kept;
	size_t size;
	char *bytes = good_bytes(&size, &eh);

#define CHANGED(change, ...)                                                                       \
	do {                                                                                       \
		kept = *eh;                                                                        \
		change;                                                                            \
		refused(scratch_file("x.so", bytes, size), &lax, -ENOEXEC, __VA_ARGS__);           \
		*eh = kept;                                                                        \
	} while (0)

	CHANGED(eh->e_ident[EI_CLASS] = ELFCLASS32, "a 32-bit ELF file; this host needs 64-bit");
	CHANGED(eh->e_ident[EI_DATA] ^= 3, "an ELF file of the other byte order");
	CHANGED(eh->e_ident[EI_VERSION] = 2, "an ELF file of unknown version 2");
#ifdef __x86_64__
	CHANGED(eh->e_machine = EM_AARCH64, "built for arm64; this host runs on x86-64");
	CHANGED(eh->e_machine = 999, "built for machine 999; this host runs on x86-64");
#endif
	CHANGED(eh->e_type = ET_REL, "an object file (.o), not a shared object");
	CHANGED(eh->e_type = ET_EXEC, "a program, not a shared object");
	CHANGED(eh->e_type = ET_CORE, "a core dump, not a shared object");
	CHANGED(eh->e_type = 77, "an ELF file of another type, not a shared object");
	CHANGED(eh->e_phnum = 0, "damaged: no program headers that this machine knows");
	CHANGED(eh->e_phentsize = 32, "damaged: no program headers that this machine knows");
	CHANGED(eh->e_phoff = UINT64_MAX - 8,
		"truncated: its program headers reach beyond the file's end at %zu bytes; copy it "
		"again",
		size);
	CHANGED(eh->e_shoff = UINT64_MAX,
		"truncated: its section headers reach beyond the file's end at %zu bytes; copy it "
		"again",
		size);
#undef CHANGED
	free(bytes);
}
END_TEST

START_TEST(test_segments)
{
	Elf64_Phdr *ph, kept;
	Elf64_Ehdr *eh;
	size_t size;
	char *bytes = good_bytes(&size, &eh);

	ph = (Elf64_Phdr *)(void *)(bytes + eh->e_phoff);
	kept = ph[0];
	ph[0].p_filesz = UINT64_MAX;
	refused(scratch_file("x.so", bytes, size), &lax, -ENOEXEC,
		"truncated: its segments reach beyond the file's end at %zu bytes; copy it again",
		size);
	ph[0] = kept;
	for (unsigned int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			ph[i].p_type = PT_NULL;
	refused(scratch_file("x.so", bytes, size), &lax, -ENOEXEC,
		"not a shared object: no dynamic section");
	free(bytes);
}
END_TEST

/* Cut at any length, the file must be refused, with a word of being cut or of not being ELF. */
START_TEST(test_truncated)
{
	char why[512];
	struct plugin_file file;
	size_t size;
	char *bytes = fixture_bytes("good", &size);
	const char *path = scratch_file("cut.so", bytes, size);

	accepted(path, &lax, false);
	for (size_t cut = size - 1;; cut -= cut > 256 ? 97 : 1) {
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		ck_assert_int_eq(file_check(path, &lax, &file, why, sizeof(why)), -ENOEXEC);
		if (cut >= sizeof(Elf64_Ehdr))
			ck_assert_msg(strstr(why, "truncated: ") == why, "%zu: %s", cut, why);
		if (!cut)
			break;
	}
	free(bytes);
}
END_TEST

START_TEST(test_writable)
{
	const struct file_trust trust = strict();
	const char *dir = scratch_dir("sub", 0755);
	const char *path = scratch_fixture("good", "sub/good.so");
	static const mode_t dir_modes[] = { 0777, 01777, 0775, 02775 };

	accepted(path, &trust, false);
	set_mode(path, 0666);
	refused(path, &trust, -EPERM,
		"refused with privileges: the file good.so has mode 0666: everyone could put other "
		"code there; take the right to write away, or install the plugin where only root "
		"can write");
	accepted(path, &lax, false);
	set_mode(path, 0664);
	refused(path, &trust, -EPERM,
		"refused with privileges: the file good.so has mode 0664: its group could put "
		"other code there; take the right to write away, or install the plugin where only "
		"root can write");
	set_mode(path, 0644);
	for (size_t i = 0; i < ARRAY_SIZE(dir_modes); i++) {
		set_mode(dir, dir_modes[i]);
		refused(path, &trust, -EPERM,
			"refused with privileges: folder %s has mode %04o: %s could put other code "
			"there; take the right to write away, or install the plugin where only "
			"root can write",
			dir, dir_modes[i], dir_modes[i] & 2 ? "everyone" : "its group");
		accepted(path, &lax, false);
	}
	/* the folder of a link is not what counts, but that of the file is */
	set_mode(dir, 0777);
	ck_assert_int_eq(symlink("sub/good.so", in_scratch("link.so")), 0);
	refused(in_scratch("link.so"), &trust, -EPERM,
		"refused with privileges: folder %s has mode 0777: everyone could put other code "
		"there; take the right to write away, or install the plugin where only root can "
		"write",
		dir);
	set_mode(dir, 0755);
	accepted(in_scratch("link.so"), &trust, false);
}
END_TEST

START_TEST(test_owner)
{
	struct file_trust trust = strict();
	const char *path;

	scratch_dir("sub", 0755);
	path = scratch_fixture("good", "sub/good.so");
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 12345, 0), 0);
		refused(path, &trust, -EPERM,
			"refused with privileges: the file good.so belongs to user 12345, who "
			"could put other code there; install the plugin where only root can write");
		trust.owner = 12345;
		accepted(path, &trust, false);
		trust.owner = 0;
		ck_assert_int_eq(chown(path, 0, 0), 0);
		ck_assert_int_eq(chown(in_scratch("sub"), 12345, 0), 0);
		refused(path, &trust, -EPERM,
			"refused with privileges: folder %s belongs to user 12345, who could put "
			"other code there; install the plugin where only root can write",
			in_scratch("sub"));
	} else {
		trust.owner++;
		refused(path, &trust, -EPERM,
			"refused with privileges: folder %s belongs to user %u, who could put "
			"other code there; install the plugin where only root can write",
			in_scratch("sub"), geteuid());
	}
}
END_TEST

/* Where a folder further up could be exchanged, the folder is held by its descriptor. */
START_TEST(test_pinned)
{
	const struct file_trust trust = strict();
	const char *outer = scratch_dir("outer", 0755);
	const char *path;
	struct plugin_file file;
	char why[512];
	void *handle;

	scratch_dir("outer/inner", 0755);
	path = scratch_fixture("good", "outer/inner/good.so");
	accepted(path, &trust, false);
	set_mode(outer, 0777);
	accepted(path, &trust, true);
	accepted(path, &lax, false);
	set_mode(outer, 01777); /* nobody else can rename inner */
	accepted(path, &trust, false);
	/* exchanged after the check: what is loaded still is what was checked */
	set_mode(outer, 0777);
	ck_assert_int_eq(file_check(path, &trust, &file, why, sizeof(why)), 0);
	ck_assert_int_eq(rename(in_scratch("outer/inner"), in_scratch("outer/gone")), 0);
	scratch_dir("outer/inner", 0755);
	scratch_fixture("no-symbol", "outer/inner/good.so");
	handle = dlopen(file.load_path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(handle && dlsym(handle, "ublk_plugin_v1"), "%s", dlerror());
	plugin_file_release(&file);
}
END_TEST

START_TEST(test_process)
{
	struct file_trust trust = file_trust_of_process();

	ck_assert_uint_eq(trust.owner, geteuid());
	if (geteuid() != 0)
		return;
	ck_assert(trust.strict);
	ck_assert_int_eq(setresuid(12345, 12345, 12345), 0);
	trust = file_trust_of_process();
	ck_assert(!trust.strict);
	ck_assert_uint_eq(trust.owner, 12345);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin_file");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_test(tc, test_kinds);
	tcase_add_test(tc, test_links);
	tcase_add_test(tc, test_not_elf);
	if (sizeof(void *) == 8) {
		tcase_add_test(tc, test_elf_header);
		tcase_add_test(tc, test_segments);
		tcase_add_test(tc, test_truncated);
	}
	tcase_add_test(tc, test_writable);
	tcase_add_test(tc, test_owner);
	tcase_add_test(tc, test_pinned);
	suite_add_tcase(s, tc);
	tc = tcase_create("process");
	tcase_add_test(tc, test_process);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_tap(suite());
}
