/* SPDX-License-Identifier: MIT */
/*
 * The verbs. Each is a function in its own file, core/cli/VERB.c, called once by main(): it parses
 * its argv (argv[0] is the verb), does its work, and returns the exit status of the program.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int verb_run(int argc, char **argv);
int verb_up(int argc, char **argv);
int verb_down(int argc, char **argv);
int verb_serve(int argc, char **argv);
int verb_recover(int argc, char **argv);
int verb_upgrade(int argc, char **argv);
int verb_resize(int argc, char **argv);
int verb_export(int argc, char **argv);
int verb_diff(int argc, char **argv);
int verb_apply(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_plugins(int argc, char **argv);
int verb_new_plugin(int argc, char **argv);
int verb_features(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_gc(int argc, char **argv);
int verb_udev(int argc, char **argv);
int verb_help(int argc, char **argv);
int verb_version(int argc, char **argv);

struct verb {
	const char *name;
	const char *summary; /* one line, no full stop */
	int (*run)(int argc, char **argv);
};

/* Every verb, in the order of the help; ends with name NULL. */
const struct verb *cli_verbs(void);

/* ublk-host --dump-plugin FILE.so, as builds do: print the manifest that belongs beside it. The same
 * file always gives the same bytes. Returns the exit status. */
int cli_dump_plugin(const char *path);

/* The whole program: find the verb in argv[1] and run it. */
int cli_main(int argc, char **argv);

#endif
