/* SPDX-License-Identifier: MIT */
/*
 * Memory that outlives a server that dies: files of a tmpfs of our own, DIR/memory in the runtime
 * folder, named in the device's state. Control thread only.
 */
#ifndef DEVICE_KEPT_MEMORY_H
#define DEVICE_KEPT_MEMORY_H

#include <jansson.h>
#include <stdint.h>

/* A file of size bytes of zeroes; kept, an object, gets its name under `name`. A descriptor, or
 * -errno, logged: -ENOSYS where there can be no such memory, -EINVAL, -EEXIST for a name that is none
 * or taken. */
int kept_memory_make(json_t *kept, const char *name, uint64_t size);
/* The file that kept has under `name`, made longer to be size bytes. A descriptor, or -errno, logged
 * but for -ENOENT: there is none. */
int kept_memory_find(const json_t *kept, const char *name, uint64_t size);
/* Memory of that size that ends with its last descriptor. As above. */
int kept_memory_ordinary(const char *name, uint64_t size);
/* Remove the files; NULL: none. What is not there is no error. */
void kept_memory_remove(const json_t *kept);

#endif
