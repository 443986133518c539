// SPDX-License-Identifier: MIT
/*
 * A plugin's file, before anything of it runs: is it a file, whose is it, is it a whole ELF shared
 * object for this machine. Everything is read with pread(), so that a short file is an error and
 * not a SIGBUS.
 */
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

static bool have_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

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
	if (st->st_uid == 0 || st->st_uid == trust->owner)
		return 0;
	return fail(why, -EPERM,
		    "refused with privileges: %s %s belongs to user %u, who could put other code "
		    "there; install the plugin where only root can write",
		    what, path, st->st_uid);
}

static int check_mode(const char *what, const char *path, const struct stat *st,
		      const struct reason *why)
{
	if (!(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return fail(why, -EPERM,
		    "refused with privileges: %s %s has mode %04o: %s could put other code there; "
		    "take the right to write away, or install the plugin where only root can write",
		    what, path, st->st_mode & 07777,
		    st->st_mode & S_IWOTH ? "everyone" : "its group");
}

static int check_trust(const char *what, const char *path, const struct stat *st,
		       const struct file_trust *trust, const struct reason *why)
{
	int ret = 0;

	if (trust->strict)
		ret = check_owner(what, path, st, trust, why);
	if (trust->strict && !ret)
		ret = check_mode(what, path, st, why);
	return ret;
}

/*
 * Can nobody but root and the caller change what the name dir leads to? From the root down, so that
 * each folder is known to be out of others' reach before a name is looked up in it. The sticky bit
 * will do, since it keeps others from renaming what we look up; so will a group that root lets
 * write.
 */
static bool is_out_of_reach(char *dir, const struct file_trust *trust)
{
	struct stat st;
	bool safe = true;

	for (char *slash = strchr(dir, '/'); slash && safe; slash = strchr(slash + 1, '/')) {
		char *end = slash == dir ? slash + 1 : slash;
		char kept = *end;

		*end = '\0';
		safe = !lstat(dir, &st) && (st.st_uid == 0 || st.st_uid == trust->owner) &&
		       (st.st_mode & S_ISVTX || !(st.st_mode & S_IWOTH)) &&
		       (st.st_mode & S_ISVTX || !(st.st_mode & S_IWGRP) || st.st_uid == 0);
		*end = kept;
	}
	return safe;
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

/* A file without symbolic links: its folder, open, and its name in it. */
struct place {
	char *dir; /* "" is the root */
	const char *base;
	int fd;
};

static int open_folder(const char *path, struct place *place, const struct reason *why)
{
	struct stat st;
	char *slash;
	int err;

	place->dir = realpath(path, NULL);
	if (!place->dir) {
		err = errno;
		if (err == ENOENT && !lstat(path, &st) && S_ISLNK(st.st_mode))
			return fail(why, -ENOENT, "a symbolic link to a file that does not exist");
		return fail(why, -err, "%s", strerror(err));
	}
	slash = strrchr(place->dir, '/');
	*slash = '\0';
	place->base = slash + 1;
	place->fd = open(slash == place->dir ? "/" : place->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->fd < 0)
		return fail(why, -errno, "folder %s: %s", place->dir, strerror(errno));
	return 0;
}

static int check_folder(const struct place *place, const struct file_trust *trust,
			const struct reason *why)
{
	const char *dir = *place->dir ? place->dir : "/";
	struct stat st;

	if (fstat(place->fd, &st))
		return fail(why, -errno, "folder %s: %s", dir, strerror(errno));
	/* Not even the sticky bit helps here: anyone could add a plugin. */
	return check_trust("folder", dir, &st, trust, why);
}

static int check_file(const struct place *place, const struct file_trust *trust, struct stat *st,
		      const struct reason *why)
{
	__cleanup_fd int fd = -1;
	int ret = 0;

	/* The type comes first: opening a device may do things. */
	if (fstatat(place->fd, place->base, st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return fail(why, -errno, "%s", strerror(errno));
	if (S_ISREG(st->st_mode)) {
		fd = openat(place->fd, place->base,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 || fstat(fd, st))
			return fail(why, -errno, "%s", strerror(errno));
	}
	if (!S_ISREG(st->st_mode))
		return fail(why, -EINVAL, "%s, not a regular file", type_name(st->st_mode));
	ret = check_trust("the file", place->base, st, trust, why);
	return ret ? ret : check_elf(fd, (uint64_t)st->st_size, why);
}

/*
 * Under which name dlopen() gets the very file that was checked. Only root and the caller can write
 * in its folder, so it is enough that the folder cannot be exchanged. Where all folders above are
 * safe, too, that is the true name, which debuggers, core dumps and $ORIGIN need. Where they are
 * not (a build in somebody's home, served by root), the folder is pinned by its descriptor, which
 * then has to stay open: the dynamic linker knows libraries by name, and would take the next one
 * under the same number for this one.
 */
static int choose_name(const struct place *place, const struct file_trust *trust,
		       struct plugin_file *file, const struct reason *why)
{
	int n;

	file->pinned = trust->strict && !is_out_of_reach(place->dir, trust);
	if (file->pinned)
		n = asprintf(&file->load_path, "/proc/self/fd/%d/%s", place->fd, place->base);
	else
		n = asprintf(&file->load_path, "%s/%s", place->dir, place->base);
	if (n < 0) {
		file->load_path = NULL;
		return fail(why, -ENOMEM, "out of memory");
	}
	return 0;
}

int file_check(const char *path, const struct file_trust *trust, struct plugin_file *file,
	       char *why_text, size_t why_size)
{
	const struct reason why = { why_text, why_size };
	struct place place = { .fd = -1 };
	int ret;

	*file = (struct plugin_file){ .dir_fd = -1 };
	ret = open_folder(path, &place, &why);
	if (!ret)
		ret = check_folder(&place, trust, &why);
	if (!ret)
		ret = check_file(&place, trust, &file->st, &why);
	if (!ret)
		ret = choose_name(&place, trust, file, &why);
	if (!ret) {
		file->dir_fd = place.fd;
		place.fd = -1;
	}
	free(place.dir);
	cleanup_close_fd(&place.fd);
	return ret;
}

void plugin_file_release(struct plugin_file *file)
{
	free(file->load_path);
	file->load_path = NULL;
	if (file->dir_fd >= 0)
		close(file->dir_fd);
	file->dir_fd = -1;
}
