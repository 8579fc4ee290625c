# SPDX-License-Identifier: GPL-2.0
#
# Which top module of a crate imports from which: a line "FROM TO FILE:LINE" for each import, or path
# in the code.
#
# Usage: awk -v dir=DIR -v root=PATH -f imports.awk FILE...
#
# DIR is the crate's source, and PATH the module that it is the source of: "crate", or one below.

function module(path) {
	sub("^" dir "/", "", path)
	sub(/\.rs$/, "", path)
	return path
}

function note(path, line,   parts, n, up, own) {
	n = split(path, parts, "::")
	for (up = 1; up <= n && parts[up] == "super"; up++)
		;
	if (up > 1) {
		# From the file's own module, so many up, to the top.
		if (up - 1 != split(module(FILENAME), own, "/"))
			return
	} else {
		if (index(path "::", root "::") != 1)
			return
		up = split(root, own, "::") + 1
	}
	path = module(FILENAME)
	sub("/.*", "", path)
	if (parts[up] != "" && parts[up] != path)
		print path, parts[up], FILENAME ":" line
}

# The leaves of a tree of imports, that begins with `prefix`.
function expand(tree, prefix, line,   i, c, depth, start, part, brace) {
	start = 1
	for (i = 1; i <= length(tree) + 1; i++) {
		c = substr(tree, i, 1)
		depth += (c == "{") - (c == "}")
		if (i <= length(tree) && (c != "," || depth))
			continue
		part = substr(tree, start, i - start)
		start = i + 1
		brace = index(part, "{")
		if (brace)
			expand(substr(part, brace + 1, length(part) - brace - 1),
			       prefix substr(part, 1, brace - 1), line)
		else if (part != "")
			note(prefix part, line)
	}
}

FNR == 1 { use = "" }
{ sub(/\/\/.*/, "") }
use == "" && /^ *(pub(\([a-z: ]*\))? )?use / {
	first = FNR
	sub(/^ *(pub(\([a-z: ]*\))? )?use /, "")
	use = " "
}
use != "" {
	use = use $0
	if (/;/) {
		gsub(/[ \t;]/, "", use)
		expand(use, "", first)
		use = ""
	}
	next
}
{
	while (match($0, /(crate|super)(::[a-z_0-9]+)+/)) {
		note(substr($0, RSTART, RLENGTH), FNR)
		$0 = substr($0, RSTART + RLENGTH)
	}
}
