// SPDX-License-Identifier: MIT
/* Hands argv to a verb. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
