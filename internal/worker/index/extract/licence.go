package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// licenceText recognises a file that is a licence as a whole, by its name and
// words: an SPDX id, "other", or "" when it is not one. The GNU licences get
// the id of their text, without saying "only" or "or later", which the text
// alone does not.
func licenceText(name string, d *doc.Document) string {
	source := d.Source
	base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".txt"), ".md")
	if base == "copyright" {
		return debianCopyright(source)
	}
	if f := d.Format; f == doc.Source || f == doc.Data {
		return ""
	}
	named := false
	for _, p := range []string{"license", "licence", "copying", "unlicense", "lgpl", "gpl", "fdl", "mpl-", "apache-2", "artistic"} {
		if rest, ok := strings.CutPrefix(base, p); ok && (rest == "" || !letter(rest[0])) {
			named = true
		}
	}
	if !named && len(source) > limits.LicenceFile {
		return ""
	}
	if !named && !licenceHead(normal(source, 500)) {
		return ""
	}
	words := normal(source, limits.LicenceWords)
	id, at := licenceWords(words)
	switch {
	case named && id != "":
		return id
	case named && licencePhrase(source):
		return "other"
	case named:
		return ""
	}
	// Without the name, the licence must be what the file begins with, and the
	// file no longer than one.
	if id == "" || at > 300 || strings.Contains(source[:min(len(source), 1000)], "#include") {
		return ""
	}
	if short := strings.HasPrefix(id, "MIT") || strings.HasPrefix(id, "BSD") || id == "ISC" || id == "Zlib"; short && len(source) > limits.LicenceShort {
		return ""
	}
	if !strings.Contains(words, "distribut") && !strings.Contains(words, "without warrant") {
		return ""
	}
	return id
}

// licenceHead reports whether normal text may be the head of a licence: most
// files are not one, and trying all would take longer than reading them.
func licenceHead(s string) bool {
	for _, p := range []string{"licen", "permission", "redistribution", "public domain", "cc0", "attribution"} {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// normal lowers s and makes one space of what is not a letter or digit, up to
// a size.
func normal(s string, size int) string {
	var b strings.Builder
	space := false
	for i := 0; i < len(s) && b.Len() < size; i++ {
		c := s[i]
		if upper(c) {
			c |= 0x20
		}
		if !word(c) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteByte(c)
	}
	return b.String()
}

// licenceWords finds the licence whose words stand first in normal text.
func licenceWords(s string) (id string, at int) {
	for _, l := range []struct{ id, words string }{
		{"AGPL-3.0", "gnu affero general public license version 3"},
		{"LGPL-3.0", "gnu lesser general public license version 3"},
		{"LGPL-2.1", "gnu lesser general public license version 2 1"},
		{"LGPL-2.0", "gnu library general public license version 2"},
		{"GPL-3.0", "gnu general public license version 3"},
		{"GPL-2.0", "gnu general public license version 2"},
		{"GPL-1.0", "gnu general public license version 1"},
		{"GFDL-1.3", "gnu free documentation license version 1 3"},
		{"GFDL-1.2", "gnu free documentation license version 1 2"},
		{"Apache-2.0", "apache license version 2 0"},
		{"MPL-2.0", "mozilla public license version 2 0"},
		{"MPL-1.1", "mozilla public license version 1 1"},
		{"EPL-2.0", "eclipse public license v 2 0"},
		{"EPL-1.0", "eclipse public license v 1 0"},
		{"BSL-1.0", "boost software license version 1 0"},
		{"CC0-1.0", "cc0 1 0 universal"},
		{"CC-BY-SA-4.0", "attribution sharealike 4 0 international"},
		{"CC-BY-4.0", "attribution 4 0 international"},
		{"OFL-1.1", "sil open font license version 1 1"},
		{"Artistic-2.0", "the artistic license 2 0"},
		{"Artistic-1.0", "the artistic license preamble"},
		{"WTFPL", "do what the fuck you want to public license"},
		{"Unlicense", "this is free and unencumbered software released into the public domain"},
		{"PSF-2.0", "python software foundation license version 2"},
		{"Zlib", "altered source versions must be plainly marked as such"},
		{"MIT", "permission is hereby granted free of charge to any person obtaining a copy"},
		{"ISC", "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that"},
		{"ISC", "permission to use copy modify and distribute this software for any purpose with or without fee is hereby granted provided that"},
		{"0BSD", "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted"},
		{"BSD", "redistribution and use in source and binary forms with or without modification"},
	} {
		i := strings.Index(s, l.words)
		if i < 0 || id != "" && i >= at {
			continue
		}
		id, at = l.id, i
	}
	if id == "BSD" {
		switch {
		case strings.Contains(s, "all advertising materials"):
			id = "BSD-4-Clause"
		case strings.Contains(s, "neither the name") || strings.Contains(s, "names of its contributors") || strings.Contains(s, "may not be used to endorse"):
			id = "BSD-3-Clause"
		default:
			id = "BSD-2-Clause"
		}
	}
	return id, at
}

// debianCopyright reads Debian's copyright files, machine-readable (DEP-5) or
// not: the one licence that they name, or "other".
func debianCopyright(source string) string {
	head := strings.ToLower(source[:min(len(source), 600)])
	id := ""
	if strings.Contains(head, "copyright-format") || strings.HasPrefix(head, "format") && strings.Contains(head, "dep5") {
		for at := 0; at < len(source); {
			end, next := line(source, at)
			if v, ok := strings.CutPrefix(source[at:end], "License:"); ok {
				one := debianLicence(strings.TrimSpace(v))
				if one != "" && id != "" && id != one {
					return "other"
				}
				if one != "" {
					id = one
				}
			}
			at = next
		}
		if id != "" {
			return id
		}
		return "other"
	}
	for _, l := range []struct{ id, file string }{
		{"GPL-3.0", "common-licenses/GPL-3"}, {"GPL-2.0", "common-licenses/GPL-2"}, {"LGPL-2.1", "common-licenses/LGPL-2.1"}, {"LGPL-3.0", "common-licenses/LGPL-3"},
		{"LGPL-2.0", "common-licenses/LGPL-2"}, {"Apache-2.0", "common-licenses/Apache-2.0"}, {"MPL-2.0", "common-licenses/MPL-2.0"}, {"Artistic-1.0", "common-licenses/Artistic"}} {
		if i := strings.Index(source, l.file); i >= 0 {
			// "LGPL-2" is the beginning of "LGPL-2.1".
			if rest := source[i+len(l.file):]; len(rest) > 1 && rest[0] == '.' && digit(rest[1]) {
				continue
			}
			if id != "" {
				return "other"
			}
			id = l.id
		}
	}
	if id == "" {
		id, _ = licenceWords(normal(source, limits.LicenceWords))
	}
	if id == "" {
		id = "other"
	}
	return id
}

// debianLicence maps a short name of DEP-5 to its SPDX id where they differ.
func debianLicence(s string) string {
	switch s {
	case "":
		return ""
	case "Expat", "MIT/X11", "X11":
		return "MIT"
	case "GPL-2+":
		return "GPL-2.0-or-later"
	case "GPL-3+":
		return "GPL-3.0-or-later"
	case "GPL-2":
		return "GPL-2.0-only"
	case "GPL-3":
		return "GPL-3.0-only"
	case "LGPL-2.1+":
		return "LGPL-2.1-or-later"
	case "LGPL-2+":
		return "LGPL-2.0-or-later"
	case "LGPL-3+":
		return "LGPL-3.0-or-later"
	case "LGPL-2.1":
		return "LGPL-2.1-only"
	case "Apache-2":
		return "Apache-2.0"
	case "BSD-3-clause":
		return "BSD-3-Clause"
	case "BSD-2-clause":
		return "BSD-2-Clause"
	case "Artistic":
		return "Artistic-1.0"
	case "public-domain":
		return "other"
	}
	if len(s) > 40 || strings.IndexByte(s, ' ') >= 0 {
		return "other"
	}
	return s
}

// markLicence gives all of a licence's text the role that says so.
func markLicence(d *doc.Document) {
	for i := range d.Blocks {
		d.Blocks[i].Role = doc.LicenceText
		d.Blocks[i].Level = 0
	}
}

// markNotices gives paragraphs that are a licence's notice, at the ends of a
// document, the role that says so.
func markNotices(d *doc.Document) {
	const ends = 20
	for i := range d.Blocks {
		if i >= ends && i < len(d.Blocks)-ends {
			continue
		}
		if b := &d.Blocks[i]; (b.Role == doc.Prose || b.Role == doc.ListItem) && len(b.Text) < limits.LicenceNotice && notice(b.Text) {
			b.Role = doc.LicenceText
		}
	}
}

func notice(s string) bool {
	for _, p := range []string{"WITHOUT ANY WARRANTY", "General Public License", "ll rights reserved", "Permission is hereby granted", "Permission is granted to", "Redistribution and use in", "Licensed under the", "licensed under the", "Copyright (C)", "Copyright (c)", "Copyright ©"} {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
