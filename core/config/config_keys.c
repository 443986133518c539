// SPDX-License-Identifier: MIT
/* The table of everything that can be said about a device, and the check of each value. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config/config_keys.h"
#include "config/cpulist.h"
#include "config/path.h"
#include "config/size.h"
#include "config/suggest.h"

#define MEMBER(m) .offset = offsetof(struct device_config, m)

static const char *const recovery_words[] = { "auto", "none", "queue", "reissue", "fail", NULL };
static const char *const sandbox_words[] = { "full", "off", NULL };

static const struct config_key_spec keys[CFG_NR_KEYS] = {
	[CFG_NAME] = { "/name", "name", "NAME", "name of the device (default: PLUGIN-ID)",
		       CFG_TYPE_NAME, .min = 1, .max = 64, MEMBER(name) },
	[CFG_PLUGIN] = { "/plugin", "plugin", "PLUGIN", "plugin to serve it, by name or path",
			 CFG_TYPE_PLUGIN, .min = 1, .max = PATH_MAX - 1, MEMBER(plugin) },
	[CFG_ID] = { "/device/id", "id", "N|auto",
		     "N of /dev/ublkbN (default: auto, the next free)", CFG_TYPE_AUTO, .min = 0,
		     .max = MAX_DEV_ID, MEMBER(id) },
	[CFG_QUEUES] = { "/device/queues", "queues", "N",
			 "hardware queues, one thread each (default: a CPU each, at most 4)",
			 CFG_TYPE_INT, .min = 1, .max = MAX_QUEUES, MEMBER(queues) },
	[CFG_DEPTH] = { "/device/depth", "depth", "N",
			"requests in flight per queue (default: 128)", CFG_TYPE_INT, .min = 1,
			.max = MAX_DEPTH, MEMBER(depth) },
	[CFG_MAX_IO] = { "/device/max_io", "max-io", "SIZE",
			 "largest read or write (default: 512K)", CFG_TYPE_SIZE, .min = 4096,
			 .max = MAX_IO_LIMIT, .step = 4096, MEMBER(max_io) },
	[CFG_READ_ONLY] = { "/device/read_only", "read-only", NULL, "refuse writes", CFG_TYPE_BOOL,
			    MEMBER(read_only) },
	[CFG_IO_TIMEOUT] = { "/device/io_timeout", "io-timeout", "SECONDS",
			     "longest that a plugin may hold a request; 0: for ever (default: 30)",
			     CFG_TYPE_INT, .min = 0, .max = MAX_IO_TIMEOUT, MEMBER(io_timeout) },
	[CFG_PLUGIN_TIMEOUT] = { "/device/plugin_timeout", "plugin-timeout", "SECONDS",
				 "longest that a plugin may take to start, and to stop (default: 30)",
				 CFG_TYPE_INT, .min = 1, .max = MAX_PLUGIN_TIMEOUT,
				 MEMBER(plugin_timeout) },
	[CFG_THREADS_PER_QUEUE] = { "/device/threads_per_queue", "threads-per-queue", "N",
				    "threads that share the requests of a queue (default: 1)",
				    CFG_TYPE_INT, .min = 1, .max = MAX_THREADS_PER_QUEUE,
				    MEMBER(threads_per_queue) },
	[CFG_POLL_US] = { "/device/poll_us", "poll-us", "N|auto",
			  "microseconds to look for requests before sleeping (default: 0)",
			  CFG_TYPE_AUTO, .min = 0, .max = MAX_POLL_US, MEMBER(poll_us) },
	[CFG_SHARED_MEMORY] = { "/device/shared_memory", "shared-memory", "FILE",
				"memory shared with programs, used in place; may be given several times",
				CFG_TYPE_PATHS, .min = 1, .max = PATH_MAX - 1,
				MEMBER(shared_memory) },
	[CFG_RECOVERY] = { "/device/recovery", "recovery", "WORD",
			   "requests when the server dies: none, queue, reissue, fail "
			   "(default: auto)",
			   CFG_TYPE_WORD, MEMBER(recovery), .words = recovery_words },
	[CFG_SANDBOX] = { "/device/sandbox", "sandbox", "full|off",
			  "take from the server what serving does not need (default: full)",
			  CFG_TYPE_WORD, MEMBER(sandbox), .words = sandbox_words },
	[CFG_SWAP_SAFE] = { "/device/swap_safe", "swap-safe", NULL,
			    "serve without needing memory: for swap, and under memory pressure",
			    CFG_TYPE_BOOL, MEMBER(swap_safe) },
	[CFG_USER] = { "/device/user", "user", "USER[:GROUP]",
		       "serve as this user instead of root, from the plugin's start on",
		       CFG_TYPE_USER, .min = 1, .max = 128, MEMBER(user) },
	[CFG_LOGICAL_BLOCK] = { "/limits/logical_block", "logical-block", "SIZE",
				"smallest unit of a request (default: the plugin's)", CFG_TYPE_POW2,
				.min = MIN_BLOCK, .max = MAX_LOGICAL_BLOCK, MEMBER(logical_block) },
	[CFG_PHYSICAL_BLOCK] = { "/limits/physical_block", "physical-block", "SIZE",
				 "unit that the backing writes at once (default: the plugin's)",
				 CFG_TYPE_POW2, .min = MIN_BLOCK, .max = MAX_PHYSICAL_BLOCK,
				 MEMBER(physical_block) },
	[CFG_DATA_PATH] = { "/data_path", "data-path", "WORD",
			    "how data is moved (default: auto, the fastest there is)",
			    CFG_TYPE_WORD, .min = 1, .max = 64, MEMBER(data_path) },
	[CFG_CPUS] = { "/cpus", "cpus", "auto|none|LIST",
		       "CPUs of the queue threads, as 0-3,6 (default: auto, as the kernel maps them)",
		       CFG_TYPE_CPUS, MEMBER(cpus_list) },
};

const struct config_key_spec *config_key_spec(enum config_key key)
{
	return &keys[key];
}

int config_key_of_flag(const char *flag)
{
	for (int key = 0; key < CFG_NR_KEYS; key++) {
		if (!strcmp(keys[key].flag, flag))
			return key;
	}
	return -1;
}

static void *member(struct device_config *cfg, enum config_key key)
{
	return (char *)cfg + keys[key].offset;
}

/* "expected EXPECTED, got ..." */
static int wrong(char why[CONFIG_WHY_MAX], const struct given *g, const char *expected)
{
	char shown[GIVEN_SHOW_MAX];

	snprintf(why, CONFIG_WHY_MAX, "expected %s, got %s", expected, given_show(g, shown));
	return -EINVAL;
}

static int no_memory(char why[CONFIG_WHY_MAX])
{
	snprintf(why, CONFIG_WHY_MAX, "out of memory");
	return -ENOMEM;
}

/* The old string is freed only when the new one is there. */
static int store_string(char **at, char *copy, char why[CONFIG_WHY_MAX])
{
	if (!copy)
		return no_memory(why);
	free(*at);
	*at = copy;
	return 0;
}

/* A text that only the manifest limits, which is in UTF-8. */
static int store_text(char **at, char *copy, const struct given *g, char why[CONFIG_WHY_MAX])
{
	if (copy && !given_is_utf8(copy)) {
		free(copy);
		return wrong(why, g, "text in UTF-8");
	}
	return store_string(at, copy, why);
}

static bool name_ok(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	/* digits alone are an id */
	return strspn(name, first) && strspn(name, rest) == len && len <= keys[CFG_NAME].max &&
	       strspn(name, "0123456789") < len;
}

static int store_name(char **at, const struct given *g, char why[CONFIG_WHY_MAX])
{
	const char *name = given_string(g);

	if (!name || !name_ok(name))
		return wrong(why, g,
			     "a name of 1..64 characters a-z 0-9 . _ - that begins with a letter "
			     "or digit");
	return store_string(at, strdup(name), why);
}

/* How long a name at the beginning of text is. */
static size_t user_name_len(const char *text)
{
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "._@+$-";

	return *text == '-' ? 0 : strspn(text, rest);
}

static int store_user(char **at, const struct given *g, char why[CONFIG_WHY_MAX])
{
	const char *text = given_string(g);
	size_t len = text ? user_name_len(text) : 0;
	bool ok = len;

	if (ok && text[len] == ':') {
		size_t group = user_name_len(text + len + 1);

		ok = group;
		len += 1 + group;
	}
	if (!ok || text[len] || len > keys[CFG_USER].max)
		return wrong(why, g, "USER or USER:GROUP, names or numbers");
	return store_string(at, strdup(text), why);
}

static int store_plugin(char **at, const struct given *g, const char *folder,
			char why[CONFIG_WHY_MAX])
{
	const char *name = given_string(g);

	if (!name || !*name || strlen(name) >= PATH_MAX)
		return wrong(why, g, "the name of a plugin or a path to one");
	if (!strchr(name, '/'))
		return store_text(at, strdup(name), g, why);
	if (*name != '/' && !folder)
		return wrong(why, g, "an absolute path (the current folder is not known)");
	return store_text(at, path_absolute(folder, name), g, why);
}

static int store_auto(int64_t *at, const struct given *g, const struct config_key_spec *spec,
		      char why[CONFIG_WHY_MAX])
{
	const char *word = given_string(g);
	char expected[64];
	uint64_t v;

	if (word && !strcmp(word, "auto")) {
		*at = -1;
		return 0;
	}
	if (given_u64(g, &v) || v > spec->max) {
		snprintf(expected, sizeof(expected), "\"auto\" or integer %" PRIu64 "..%" PRIu64,
			 spec->min, spec->max);
		return wrong(why, g, expected);
	}
	*at = (int64_t)v;
	return 0;
}

static int store_int(uint32_t *at, const struct given *g, const struct config_key_spec *spec,
		     char why[CONFIG_WHY_MAX])
{
	char expected[64];
	uint64_t v;

	if (given_u64(g, &v) || v < spec->min || v > spec->max) {
		snprintf(expected, sizeof(expected), "integer %" PRIu64 "..%" PRIu64, spec->min,
			 spec->max);
		return wrong(why, g, expected);
	}
	*at = (uint32_t)v;
	return 0;
}

static int store_size(uint32_t *at, const struct given *g, const struct config_key_spec *spec,
		      char why[CONFIG_WHY_MAX])
{
	char expected[128], min[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX], step[SIZE_TEXT_MAX];
	bool pow2 = spec->type == CFG_TYPE_POW2;
	uint64_t v;
	int err = given_size(g, &v);
	const char *forms = err == -EINVAL ? " (" SIZE_FORMS ")" : "";

	if (!err && v >= spec->min && v <= spec->max && (pow2 ? is_pow2(v) : !(v % spec->step))) {
		*at = (uint32_t)v;
		return 0;
	}
	size_format(spec->min, min);
	size_format(spec->max, max);
	if (pow2)
		snprintf(expected, sizeof(expected), "a power of two %s..%s%s", min, max, forms);
	else
		snprintf(expected, sizeof(expected), "size %s..%s, a multiple of %s%s", min, max,
			 size_format(spec->step, step), forms);
	return wrong(why, g, expected);
}

static int store_bool(bool *at, const struct given *g, char why[CONFIG_WHY_MAX])
{
	if (given_bool(g, at))
		return wrong(why, g, "true or false");
	return 0;
}

static int store_word(char **at, const struct given *g, const char *const *words,
		      char why[CONFIG_WHY_MAX])
{
	const char *word = given_string(g);
	char hint[SUGGEST_HINT_MAX], shown[GIVEN_SHOW_MAX];
	struct suggest s;
	size_t len;

	if (word && !words && *word && strlen(word) <= keys[CFG_DATA_PATH].max)
		return store_text(at, strdup(word), g, why);
	if (!words)
		return wrong(why, g, "the name of a data path");
	suggest_begin(&s, word ? word : "");
	len = (size_t)snprintf(why, CONFIG_WHY_MAX, "expected one of ");
	for (size_t i = 0; words[i]; i++) {
		if (word && !strcmp(word, words[i]))
			return store_string(at, strdup(word), why);
		suggest_offer(&s, words[i]);
		len += (size_t)snprintf(why + len, CONFIG_WHY_MAX - len, "%s%s", i ? ", " : "",
					words[i]);
		len = min_of(len, (size_t)CONFIG_WHY_MAX - 1);
	}
	snprintf(why + len, CONFIG_WHY_MAX - len, "; got %s%s", given_show(g, shown),
		 suggest_hint(s.best, hint));
	return -EINVAL;
}

static int store_cpus(struct device_config *cfg, const struct given *g, char why[CONFIG_WHY_MAX])
{
	static const char *const words[] = { [CPUS_AUTO] = "auto", [CPUS_NONE] = "none" };
	const char *text = given_string(g), *reason = NULL;
	char shown[GIVEN_SHOW_MAX];
	struct cpulist list;
	int err;

	for (size_t mode = 0; text && mode < ARRAY_SIZE(words); mode++) {
		if (strcmp(text, words[mode]))
			continue;
		cfg->cpus_mode = (enum cpus_mode)mode;
		free(cfg->cpus_list);
		cfg->cpus_list = NULL;
		return 0;
	}
	err = text ? cpulist_parse(text, &list, &reason) : -EINVAL;
	if (err) {
		snprintf(why, CONFIG_WHY_MAX,
			 "expected \"auto\", \"none\" or a list of CPUs as \"0-3,6\", got %s%s%s",
			 given_show(g, shown), reason ? ": " : "", reason ? reason : "");
		return err == -ENOMEM ? err : -EINVAL;
	}
	cpulist_free(&list);
	err = store_string(&cfg->cpus_list, strdup(text), why);
	if (!err)
		cfg->cpus_mode = CPUS_LIST;
	return err;
}

void path_list_free(struct path_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->path[i]);
	free(list->path);
	*list = (struct path_list){ 0 };
}

static int store_path(struct path_list *at, const struct given *g, const char *folder,
		      char why[CONFIG_WHY_MAX])
{
	const char *path = given_string(g);
	char **grown;
	int err;

	if (!path || !*path || strlen(path) >= PATH_MAX)
		return wrong(why, g, "the path of a file");
	if (*path != '/' && !folder)
		return wrong(why, g, "an absolute path (the current folder is not known)");
	if (at->nr == MAX_SHARED_MEMORY) {
		snprintf(why, CONFIG_WHY_MAX, "more than %u files", MAX_SHARED_MEMORY);
		return -EINVAL;
	}
	grown = reallocarray(at->path, at->nr + 1, sizeof(*grown));
	if (!grown)
		return no_memory(why);
	at->path = grown;
	grown[at->nr] = NULL;
	err = store_text(&grown[at->nr], path_absolute(folder, path), g, why);
	if (!err)
		at->nr++;
	return err;
}

int config_store(struct device_config *cfg, enum config_key key, const struct given *g,
		 const char *folder, char why[CONFIG_WHY_MAX])
{
	const struct config_key_spec *spec = &keys[key];
	void *at = member(cfg, key);

	switch (spec->type) {
	case CFG_TYPE_NAME:
		return store_name(at, g, why);
	case CFG_TYPE_PLUGIN:
		return store_plugin(at, g, folder, why);
	case CFG_TYPE_AUTO:
		return store_auto(at, g, spec, why);
	case CFG_TYPE_INT:
		return store_int(at, g, spec, why);
	case CFG_TYPE_SIZE:
	case CFG_TYPE_POW2:
		return store_size(at, g, spec, why);
	case CFG_TYPE_BOOL:
		return store_bool(at, g, why);
	case CFG_TYPE_WORD:
		return store_word(at, g, spec->words ? spec->words : cfg->data_path_words, why);
	case CFG_TYPE_CPUS:
		return store_cpus(cfg, g, why);
	case CFG_TYPE_USER:
		return store_user(at, g, why);
	case CFG_TYPE_PATHS:
		return store_path(at, g, folder, why);
	}
	return -EINVAL;
}

static void move_string(char **to, char **from)
{
	free(*to);
	*to = *from;
	*from = NULL;
}

void config_move(struct device_config *to, struct device_config *from, enum config_key key)
{
	void *dst = member(to, key), *src = member(from, key);

	move_string(&to->where[key], &from->where[key]);
	switch (keys[key].type) {
	case CFG_TYPE_NAME:
	case CFG_TYPE_PLUGIN:
	case CFG_TYPE_WORD:
	case CFG_TYPE_USER:
		move_string(dst, src);
		break;
	case CFG_TYPE_CPUS:
		move_string(dst, src);
		to->cpus_mode = from->cpus_mode;
		break;
	case CFG_TYPE_AUTO:
		*(int64_t *)dst = *(int64_t *)src;
		break;
	case CFG_TYPE_INT:
	case CFG_TYPE_SIZE:
	case CFG_TYPE_POW2:
		*(uint32_t *)dst = *(uint32_t *)src;
		break;
	case CFG_TYPE_BOOL:
		*(bool *)dst = *(bool *)src;
		break;
	case CFG_TYPE_PATHS:
		path_list_free(dst);
		*(struct path_list *)dst = *(struct path_list *)src;
		*(struct path_list *)src = (struct path_list){ 0 };
		break;
	}
}

int config_check_blocks(const struct device_config *cfg, struct errors *errors)
{
	char logical[SIZE_TEXT_MAX], physical[SIZE_TEXT_MAX];

	if (!cfg->logical_block || !cfg->physical_block ||
	    cfg->physical_block >= cfg->logical_block)
		return 0;
	errors_add(errors, "%s: expected at least the logical block, %s (%s), got %s",
		   cfg->where[CFG_PHYSICAL_BLOCK] ? cfg->where[CFG_PHYSICAL_BLOCK]
						  : keys[CFG_PHYSICAL_BLOCK].pointer,
		   size_format(cfg->logical_block, logical),
		   cfg->where[CFG_LOGICAL_BLOCK] ? cfg->where[CFG_LOGICAL_BLOCK]
						 : keys[CFG_LOGICAL_BLOCK].pointer,
		   size_format(cfg->physical_block, physical));
	return -EINVAL;
}
