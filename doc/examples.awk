# SPDX-License-Identifier: MIT
# For a page on its way to pod2man: after "=for example FILE" comes the FILE itself, which is in folder. Tabs are
# four columns there, for terminals of eighty.
{
	print
}
/^=for example / {
	file = folder "/" $3
	print ""
	while ((status = (getline line <file)) > 0) {
		while ((at = index(line, "\t")))
			line = substr(line, 1, at - 1) sprintf("%*s", 4 - (at - 1) % 4, "") substr(line, at + 1)
		print " " line
	}
	if (status < 0) {
		print FILENAME ": there is no " file >"/dev/stderr"
		exit 1
	}
	close(file)
}
