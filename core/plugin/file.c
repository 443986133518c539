// SPDX-License-Identifier: MIT
/*
 * A plugin's file, before anything of it runs: is it a file, whose is it, is it a whole ELF shared
 * object for this machine. Everything is read with pread(), so that a short file is an error and
 * not a SIGBUS.
 */
#include "config.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "plugin/file.h"

/* The linker puts it at the head of this program: what a plugin's own header must agree with. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct reason {
	char *text;
	size_t size;
};

static int fail(const struct reason *why, int err, const char *fmt, ...) __printf_like(3, 4);

static int fail(const struct reason *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->size, fmt, ap);
	va_end(ap);
	return err;
}

char *path_absolute(const char *path)
{
	__cleanup_free char *cwd = NULL;
	char *full;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return NULL;
	while (!strncmp(path, "./", 2))
		path += 2;
	return asprintf(&full, "%s/%s", strcmp(cwd, "/") ? cwd : "", path) < 0 ? NULL : full;
}

static bool have_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data))
		return true; /* unknown: be careful */
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		if (data[i].effective || data[i].permitted)
			return true;
	return false;
}

struct file_trust file_trust_of_process(void)
{
	struct file_trust trust = { .owner = geteuid() };

	trust.strict = geteuid() == 0 || have_capabilities();
	/* The program itself gave us rights (set-uid, file capabilities) that our caller lacks:
	 * then a file of the caller's must not get them. */
	if (getauxval(AT_SECURE))
		trust.owner = 0;
	return trust;
}

static int check_owner(const char *what, const char *path, const struct stat *st,
		       const struct file_trust *trust, const struct reason *why)
{
	if (st->st_uid != 0 && st->st_uid != trust->owner)
		return fail(why, -EPERM,
			    "refused with privileges: user %u owns %s %s, and could put other code "
			    "there; it must belong to root",
			    st->st_uid, what, path);
	return 0;
}

static int check_mode(const char *what, const char *path, const struct stat *st,
		      const struct reason *why)
{
	if (!(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return fail(
		why, -EPERM,
		"refused with privileges: %s %s can be written by %s (mode %04o), who could put "
		"other code there; chmod go-w",
		what, path, st->st_mode & S_IWOTH ? "everyone" : "its group", st->st_mode & 07777);
}

/*
 * The folders of a path, from the root down, so that each one is known to be out of others' reach
 * before a name is looked up in it. With this, nobody but root and the caller can exchange the
 * file between our checks and dlopen(), and dlopen() can be given the true path: the other way,
 * /proc/self/fd/N, hides a plugin's name from debuggers and core dumps, breaks $ORIGIN, and
 * confuses the dynamic linker, which knows libraries by name, when a number is used again.
 * The plugin's own folder must not be writable by others, not even with the sticky bit, since
 * anyone could add a plugin to it. Above it the sticky bit will do, because it keeps others from
 * renaming what we look up, and so will a group that root lets write.
 */
static int check_folders(const char *real, const struct file_trust *trust, const struct reason *why)
{
	__cleanup_free char *dir = strdup(real);
	struct stat st;
	int ret;

	if (!dir)
		return fail(why, -ENOMEM, "out of memory");
	for (char *slash = dir; slash; slash = strchr(slash + 1, '/')) {
		char *end = slash == dir ? slash + 1 : slash;
		bool last = !strchr(slash + 1, '/');
		bool shared_ok;
		char kept = *end;

		*end = '\0';
		if (lstat(dir, &st))
			return fail(why, -errno, "folder %s: %s", dir, strerror(errno));
		shared_ok = !last &&
			    (st.st_mode & S_ISVTX || (st.st_uid == 0 && !(st.st_mode & S_IWOTH)));
		ret = check_owner("folder", dir, &st, trust, why);
		if (!ret && !shared_ok)
			ret = check_mode("folder", dir, &st, why);
		if (ret)
			return ret;
		*end = kept;
	}
	return 0;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	default:
		return "something else";
	}
}

static const char *machine_name(unsigned int machine, char *number, size_t size)
{
	static const struct {
		unsigned int machine;
		const char *name;
	} names[] = {
		{ EM_386, "i386" },	 { EM_ARM, "arm" },	{ EM_X86_64, "x86-64" },
		{ EM_AARCH64, "arm64" }, { EM_PPC64, "ppc64" }, { EM_S390, "s390" },
		{ EM_RISCV, "riscv" },	 { EM_MIPS, "mips" },	{ 258 /* EM_LOONGARCH */, "loong" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	snprintf(number, size, "machine %u", machine);
	return number;
}

static const char *elf_type_name(unsigned int type)
{
	switch (type) {
	case ET_REL:
		return "an object file (.o)";
	case ET_EXEC:
		return "a program";
	case ET_CORE:
		return "a core dump";
	default:
		return "an ELF file of another type";
	}
}

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	return offset <= INT64_MAX && pread(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

static bool fits(uint64_t offset, uint64_t length, uint64_t file_size)
{
	return offset <= file_size && length <= file_size - offset;
}

static int truncated(const struct reason *why, const char *what, uint64_t size)
{
	return fail(why, -ENOEXEC,
		    "truncated: its %s reach beyond the file's end at %llu bytes; copy it again",
		    what, (unsigned long long)size);
}

/* The segments are what the dynamic linker maps: a page of one beyond the end means SIGBUS. */
static int check_segments(int fd, const ElfW(Ehdr) * eh, uint64_t size, const struct reason *why)
{
	bool dynamic = false;
	ElfW(Phdr) ph;

	if (!eh->e_phnum || eh->e_phentsize != sizeof(ph))
		return fail(why, -ENOEXEC, "damaged: no program headers that this machine knows");
	if (!fits(eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(ph), size))
		return truncated(why, "program headers", size);
	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		if (!read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)))
			return truncated(why, "program headers", size);
		if (ph.p_type != PT_NULL && !fits(ph.p_offset, ph.p_filesz, size))
			return truncated(why, "segments", size);
		dynamic |= ph.p_type == PT_DYNAMIC;
	}
	return dynamic ? 0 : fail(why, -ENOEXEC, "not a shared object: no dynamic section");
}

static int check_ident(const unsigned char *ident, const struct reason *why)
{
	const unsigned char *ours = __ehdr_start.e_ident;

	if (memcmp(ident, ELFMAG, SELFMAG))
		return fail(why, -ENOEXEC, "not an ELF shared object");
	if (ident[EI_CLASS] != ours[EI_CLASS])
		return fail(why, -ENOEXEC, "a %d-bit ELF file; this host needs %d-bit",
			    ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
			    ours[EI_CLASS] == ELFCLASS64 ? 64 : 32);
	if (ident[EI_DATA] != ours[EI_DATA])
		return fail(why, -ENOEXEC, "an ELF file of the other byte order");
	if (ident[EI_VERSION] != EV_CURRENT)
		return fail(why, -ENOEXEC, "an ELF file of unknown version %u", ident[EI_VERSION]);
	return 0;
}

static int check_elf(int fd, uint64_t size, const struct reason *why)
{
	char theirs[24], ours[24];
	ElfW(Ehdr) eh;
	int ret;

	if (!size)
		return fail(why, -ENOEXEC, "empty file");
	if (!read_at(fd, eh.e_ident, EI_NIDENT, 0))
		return fail(why, -ENOEXEC, "not an ELF shared object");
	ret = check_ident(eh.e_ident, why);
	if (ret)
		return ret;
	if (!read_at(fd, &eh, sizeof(eh), 0))
		return truncated(why, "headers", size);
	if (eh.e_machine != __ehdr_start.e_machine)
		return fail(why, -ENOEXEC, "built for %s; this host runs on %s",
			    machine_name(eh.e_machine, theirs, sizeof(theirs)),
			    machine_name(__ehdr_start.e_machine, ours, sizeof(ours)));
	if (eh.e_type != ET_DYN)
		return fail(why, -ENOEXEC, "%s, not a shared object", elf_type_name(eh.e_type));
	ret = check_segments(fd, &eh, size, why);
	if (ret)
		return ret;
	/* The section headers are not needed to run, but stand at the end: a cut shows in them. */
	if (eh.e_shoff && !fits(eh.e_shoff, (uint64_t)eh.e_shnum * eh.e_shentsize, size))
		return truncated(why, "section headers", size);
	return 0;
}

static int resolve(const char *path, char **real, const struct reason *why)
{
	struct stat st;
	int err;

	*real = realpath(path, NULL);
	if (*real)
		return 0;
	err = errno;
	if (err == ENOENT && !lstat(path, &st) && S_ISLNK(st.st_mode))
		return fail(why, -ENOENT, "a symbolic link to a file that does not exist");
	return fail(why, -err, "%s", strerror(err));
}

int file_check(const char *path, const struct file_trust *trust, char **real, struct stat *st,
	       char *why_text, size_t why_size)
{
	const struct reason why = { why_text, why_size };
	__cleanup_fd int fd = -1;
	int ret;

	*real = NULL;
	ret = resolve(path, real, &why);
	if (ret)
		return ret;
	/* The type comes first: opening a device may do things. */
	if (lstat(*real, st))
		ret = fail(&why, -errno, "%s", strerror(errno));
	else if (!S_ISREG(st->st_mode))
		ret = fail(&why, -EINVAL, "%s, not a regular file", type_name(st->st_mode));
	else if (trust->strict)
		ret = check_folders(*real, trust, &why);
	if (ret)
		goto out;
	fd = open(*real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, st)) {
		ret = fail(&why, -errno, "%s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(st->st_mode))
		ret = fail(&why, -EINVAL, "%s, not a regular file", type_name(st->st_mode));
	if (!ret && trust->strict)
		ret = check_owner("the file", *real, st, trust, &why);
	if (!ret && trust->strict)
		ret = check_mode("the file", *real, st, &why);
	if (!ret)
		ret = check_elf(fd, (uint64_t)st->st_size, &why);
out:
	if (ret) {
		free(*real);
		*real = NULL;
	}
	return ret;
}
