// SPDX-License-Identifier: MIT
/*
 * The file of a plugin (plugin/file.c), of any content: what passes is an ELF shared object all of whose
 * segments are in the file.
 */
#include <link.h>
#include <stdlib.h>

#include "fuzz.h"

#include "plugin/file.h"

static void check_whole(const uint8_t *data, size_t size)
{
	ElfW(Ehdr) eh;
	ElfW(Phdr) ph;
	bool dynamic = false;

	FUZZ_CHECK(size >= sizeof(eh));
	memcpy(&eh, data, sizeof(eh));
	FUZZ_CHECK(!memcmp(eh.e_ident, ELFMAG, SELFMAG) && eh.e_type == ET_DYN);
	for (size_t i = 0; i < eh.e_phnum; i++) {
		size_t at = eh.e_phoff + i * sizeof(ph);

		FUZZ_CHECK(eh.e_phoff <= size && at + sizeof(ph) <= size, "header %zu", i);
		memcpy(&ph, data + at, sizeof(ph));
		dynamic |= ph.p_type == PT_DYNAMIC;
		FUZZ_CHECK(ph.p_type == PT_NULL ||
				   (unsigned __int128)ph.p_offset + ph.p_filesz <= size,
			   "segment %zu", i);
	}
	FUZZ_CHECK(dynamic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct file_trust trust = { .strict = false };
	struct plugin_file file;
	char path[512], why[512] = "";
	int err;

	fuzz_write_file("plugin.so", data, size);
	snprintf(path, sizeof(path), "%s/plugin.so", fuzz_folder());
	err = file_check(path, &trust, &file, why, sizeof(why));
	if (err) {
		FUZZ_CHECK(err == -ENOEXEC, "%d: %s", err, why);
		fuzz_check_line(why);
		FUZZ_CHECK(!file.load_path && file.dir_fd < 0);
		return 0;
	}
	check_whole(data, size);
	FUZZ_CHECK(!strcmp(file.load_path + strlen(file.load_path) - 10, "/plugin.so"));
	plugin_file_release(&file);
	return 0;
}
