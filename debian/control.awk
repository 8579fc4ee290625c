# SPDX-License-Identifier: GPL-2.0
#
# debian/control of debian/control.in: a paragraph with @RELEASE@ comes for each of releases.
BEGIN { RS = ""; n = split(releases, list, " ") }
{
	if (!/@RELEASE@/) {
		print (NR > 1 ? "\n" : "") $0
		next
	}
	for (i = 1; i <= n; i++) {
		one = $0
		architecture = list[i]
		sub(/.*-/, "", architecture)
		gsub(/@RELEASE@/, list[i], one)
		gsub(/@ARCH@/, architecture, one)
		print "\n" one
	}
}
