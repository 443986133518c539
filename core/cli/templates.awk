# SPDX-License-Identifier: MIT
# Makes templates.c: each file that is named becomes a string. See templates.h.
BEGIN {
	print "/* Made by templates.awk. */"
	print "#include \"cli/templates.h\""
}
FNR == 1 {
	if (NR > 1)
		print ";"
	name = FILENAME
	sub(/.*\//, "", name)
	gsub(/[^A-Za-z0-9]/, "_", name)
	printf "\nconst char template_%s[] =\n", name
}
{
	gsub(/\\/, "&&")
	gsub(/"/, "\\\\&")
	printf "\t\"%s\\n\"\n", $0
}
END {
	print ";"
}
