// SPDX-License-Identifier: MIT
/* Hands argv to a verb. */
int main(void)
{
	return 0;
}
