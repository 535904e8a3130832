package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// junk says why a sentence does not belong into a summary, or "". It is a
// machine's judgement, the same for every system; labels.json overrides it
// where a person looked.
type junk struct {
	rules  []rule
	labels map[string]string // sentence → "good" or a reason
}

type rule struct {
	why string
	re  *regexp.Regexp
}

func openJunk(path string) (*junk, error) {
	j := &junk{labels: map[string]string{}, rules: []rule{
		{"licence", regexp.MustCompile(`(?i)copyright:? (\(c\)|©|\d{4}|notice)|\bliab(le|ility)\b|"?licensor"?|" shall mean|^files: |all rights reserved|without warrant|redistribut|permission (to use|is hereby)|as is, without|provided .as is|licensed under|terms and conditions|apache license|SPDX-|merchantability`)},
		{"navigation", regexp.MustCompile(`(?i)table of contents|^(home|menu|search|next|prev|up|back to)\b.{0,30}$|search documentation|^see also\b|click here|for more (details|information),? (see|please)|^this page (last|was)|^home menu about|^(see|visit) (https?://|\w+\.\w+)`)},
		{"table row", regexp.MustCompile(`\|.*\||\t.*\t|( {3,}\S+){2}|[─-╿]`)},
		{"change log", regexp.MustCompile(`(?i)#\d{3,}|^\W*\[(bugfix|change|enhancement|feature|security|perf)|^(fix(ed)?|add(ed)?|bump|remove[d]?|bugfix)\b.{0,80}$|^\W*v?\d+\.\d+(\.\d+)*\b.{0,30}\d{4}`)},
		{"synopsis", regexp.MustCompile(`^\W{0,2}-{1,2}\w|^\[|^usage:|(\[[^\]]*\]\s*){2}|\bOp\b|^\S+ \[?-\w\b.*\[`)},
		{"code", regexp.MustCompile(`[{};]\s*$|^\s*[$#>%]\s|=>|:=|&&|\|\||</?\w+>|\w+\([^)]*\);|\b\w+=\S+ \w+=\S+|\$ (curl|sudo|ssh|git|make|docker)\b|^(select|create table|insert into|import|func|type|package|return)\b.*[(;={]|^[\w.]+\s*[:=]\s*\S+$|^/[\w/.]+$`)},
		{"leans on what is not there", regexp.MustCompile(`(?i)\b(first|last|previous|following|above|preceding) (two |three )?(examples?|paragraphs?|statements?|quer(y|ies)|sections?|blocks|tables?|cases?)\b|\b(shown|described|listed|given|mentioned|discussed) (above|below|here)\b|^(or|and|but|also|thus|hence|therefore|so|then|instead|otherwise|however|in that case|technically|conversely|similarly)\b,? |\bsee (the|also|section|below)\b[^,;]{0,60}\.$`)},
		{"address", regexp.MustCompile(`^\W*(https?://\S+|\S+@\S+\.\S+)\W*$`)},
	}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	return j, json.Unmarshal(b, &j.labels)
}

const (
	fewWords   = 4    // a sentence has more words than this
	symbolsMax = 0.22 // share of a sentence's letters that are neither letters nor spaces
)

// a verb, roughly: the finite forms that documentation is written with, or a
// word that ends as one.
var verb = regexp.MustCompile(`(?i)\b(is|are|was|were|be|been|has|have|had|do|does|did|can|could|may|might|must|shall|should|will|would|let|make|use|see|set|run|read|write|need|want|give|take|keep|allow|provide|return|contain|include|support|store|start|stop|create|define|specify|describe|enable|disable|mean|work|get|put|begin|exit|print|display|show|check|connect|send|listen|copy|verif|sign|require|apply|become|cause|change|offer|consist|offers|exist|happen|look|try|find|ensure|note)(s|es|ed|d|ies|ied|y)?\b|\b\w{3,}(izes|ises|ates|ifies|ects|ents|ows|ains|ides|erts|ands|ores|ens|ves|ces|ges|ills|ads|aps|ets|uts|ies|ed)\b`)

// What a file is says something about its sentences too.
var (
	licenceFile = regexp.MustCompile(`(?i)(^|/)(licen[cs]e|copying|copyright|notice)(\.\w+)?$`)
	changeFile  = regexp.MustCompile(`(?i)(^|/)(change(s|log)|news|releases?|relnotes)[^/]*$`)
	changeEntry = regexp.MustCompile(`^\s*([*+o-]|\d+\.|\[) ?`)
)

// nameLine is what a man page says it is: "name - description".
var nameLine = regexp.MustCompile(`^[\w.+, -]{2,60} [-–—] \w+.* \w+`)

// commentMark is what a peer leaves of a comment's marks.
var commentMark = regexp.MustCompile(`^(#+|//|/?\*|>|--)\s+`)

// why judges a sentence of a file; line is the source's line that it begins in.
func (j *junk) why(sentence, file, line string) string {
	s := strings.Join(strings.Fields(sentence), " ")
	if l, ok := j.labels[s]; ok {
		if l == "good" {
			return ""
		}
		return l
	}
	switch {
	case licenceFile.MatchString(file):
		return "licence"
	case changeFile.MatchString(file) && changeEntry.MatchString(line):
		return "change log"
	case strings.HasPrefix(s, "-"):
		return "synopsis"
	case manName.MatchString(file) && nameLine.MatchString(s) && len(s) < windowMax && !strings.Contains(s, " | ") && !strings.Contains(s, "..."):
		return ""
	}
	s = commentMark.ReplaceAllString(s, "")
	if s == "" {
		return "fragment"
	}
	for _, r := range j.rules {
		if r.re.MatchString(s) {
			return r.why
		}
	}
	letters, symbols, words := 0, 0, len(strings.Fields(s))
	for _, r := range s {
		switch {
		case unicode.IsLetter(r):
			letters++
		case !unicode.IsSpace(r) && !strings.ContainsRune(`.,'"-()`, r):
			symbols++
		}
	}
	switch {
	case words <= fewWords:
		return "fragment"
	case float64(symbols) > symbolsMax*float64(letters+symbols):
		return "symbols"
	case !verb.MatchString(s):
		return "no verb"
	case strings.HasSuffix(s, ":"):
		return "introduces what is not there"
	case !strings.ContainsAny(s[len(s)-1:], `.!?)"'`):
		return "fragment"
	case unicode.IsLower([]rune(s)[0]) && !strings.ContainsAny(strings.Fields(s)[0], "_-.0123456789") && words < 8:
		return "fragment"
	}
	return ""
}
