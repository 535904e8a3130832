package fold

import (
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/turkish"

	"github.com/bailey-run/bailey/internal/limits"
)

// stemmer returns the Snowball stemmer of a language, or that of English: most
// text whose language nobody could tell is names and English.
func stemmer(lang string) func(*snowballstem.Env) bool {
	switch lang {
	case "ar":
		return arabic.Stem
	case "da":
		return danish.Stem
	case "nl":
		return dutch.Stem
	case "fi":
		return finnish.Stem
	case "fr":
		return french.Stem
	case "de":
		return german.Stem
	case "hu":
		return hungarian.Stem
	case "it":
		return italian.Stem
	case "no", "nb", "nn":
		return norwegian.Stem
	case "pt":
		return portuguese.Stem
	case "ro":
		return romanian.Stem
	case "ru":
		return russian.Stem
	case "es":
		return spanish.Stem
	case "sv":
		return swedish.Stem
	case "tr":
		return turkish.Stem
	}
	return english.Stem
}

// plain reports whether words of the language stay as they are: no stemmer of
// ours knows it, and English endings would be wrong.
func plain(lang string) bool {
	switch lang {
	case "", "en", "ar", "da", "nl", "fi", "fr", "de", "hu", "it", "no", "nb", "nn", "pt", "ro", "ru", "es", "sv", "tr":
		return false
	}
	return true
}

func (f *Folder) language(lang string) *language {
	if l := f.langs[lang]; l != nil {
		return l
	}
	l := &language{stop: map[string]bool{}, cache: map[string]entry{}}
	for _, w := range strings.Fields(stopWords(lang)) {
		l.stop[f.String(w)] = true
	}
	switch stem := stemmer(lang); {
	case plain(lang):
		l.stem = func(s string) string { return s }
	case lang == "" || lang == "en":
		l.stem = englishStem(stem)
	default:
		l.stem = func(s string) string { return run(stem, s) }
	}
	f.langs[lang] = l
	return l
}

func (l *language) entryOf(form []byte, kind Kind) entry {
	if kind == Number || kind == Pair {
		return entry{stem: string(form)}
	}
	return l.entry(form)
}

func (l *language) entry(form []byte) entry {
	if e, ok := l.cache[string(form)]; ok {
		return e
	}
	s := string(form)
	e := entry{stem: s, stop: l.stop[s]}
	if alphabetic(s) {
		e.stem = l.stem(s)
	}
	if len(l.cache) >= limits.FoldCache {
		clear(l.cache)
	}
	l.cache[s] = e
	return e
}

func run(stem func(*snowballstem.Env) bool, s string) string {
	env := snowballstem.NewEnv(s)
	stem(env)
	if out := env.Current(); out != "" {
		return out
	}
	return s
}

// englishStem is Snowball's stemmer behind a table of irregular forms and
// before one of spellings: wrote and written are write, behaviour is behavior.
func englishStem(stem func(*snowballstem.Env) bool) func(string) string {
	irregular := map[string]string{}
	for line := range strings.SplitSeq(irregularForms, ";") {
		base, forms, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		for _, form := range strings.Fields(forms) {
			irregular[form] = base
		}
	}
	return func(s string) string {
		if b, ok := irregular[s]; ok {
			s = b
		}
		s = run(stem, american(s))
		if len(s) >= 5 && strings.HasSuffix(s, "our") {
			s = s[:len(s)-3] + "or"
		}
		return s
	}
}

// american spells -ise as -ize. Words that end so by nature change with it,
// which does no harm as long as their relatives do too.
func american(s string) string {
	for _, w := range [...]string{"precis", "concis", "revis", "devis", "advis", "supervis", "televis", "excis"} {
		if strings.HasPrefix(s, w) {
			return s
		}
	}
	for _, end := range [...]string{"isation", "isations", "ise", "ised", "ises", "iser", "isers", "ising", "yse", "ysed", "yses", "yser", "ysing"} {
		if len(s) >= len(end)+3 && strings.HasSuffix(s, end) {
			at := len(s) - len(end) + 1
			return s[:at] + "z" + s[at+1:]
		}
	}
	return s
}

func alphabetic(s string) bool {
	for i := 0; i < len(s); i++ {
		if '0' <= s[i] && s[i] <= '9' {
			return false
		}
	}
	return len(s) > 2
}

const irregularForms = `
be: am are is was were been being; become: became; begin: began begun; bind: bound; bite: bit bitten; blow: blew blown;
break: broke broken; bring: brought; build: built; buy: bought; catch: caught; choose: chose chosen; come: came;
deal: dealt; dig: dug; do: did done does; draw: drew drawn; drive: drove driven; eat: ate eaten; fall: fell fallen;
feed: fed; feel: felt; fight: fought; find: found; fly: flew flown; forbid: forbade forbidden; forget: forgot forgotten;
freeze: froze frozen; get: got gotten; give: gave given; go: went gone goes; grow: grew grown; have: had has;
hang: hung; hear: heard; hide: hid hidden; hold: held; keep: kept; know: knew known; lay: laid; lead: led; leave: left;
lend: lent; lose: lost; make: made; mean: meant; meet: met; overwrite: overwrote overwritten; override: overrode overridden;
pay: paid; prove: proven; rewrite: rewrote rewritten; ride: rode ridden; rise: rose risen; run: ran; say: said; see: saw seen;
seek: sought; sell: sold; send: sent; shake: shook shaken; shoot: shot; show: shown; shrink: shrank shrunk; sing: sang sung;
sit: sat; sleep: slept; speak: spoke spoken; spend: spent; spin: spun; stand: stood; steal: stole stolen; stick: stuck;
strike: struck; swear: swore sworn; swim: swam swum; take: took taken; teach: taught; tear: tore torn; tell: told;
think: thought; throw: threw thrown; undo: undid undone; understand: understood; wake: woke woken; wear: wore worn;
win: won; wind: wound; withdraw: withdrew withdrawn; write: wrote written;
child: children; mouse: mice; index: indices indexes; matrix: matrices; vertex: vertices; appendix: appendices;
criterion: criteria; datum: data; medium: media; person: people; man: men; woman: women; foot: feet; tooth: teeth;
analysis: analyses; basis: bases; crisis: crises; axis: axes; half: halves; shelf: shelves;
license: licence licences licenced licensing licensed licenses; defense: defence defences; offense: offence offences;
practice: practise practised practises; program: programme programmes; artifact: artefact artefacts; dialog: dialogue dialogues;
catalog: catalogue catalogues; center: centre centres centred; fiber: fibre fibres; meter: metre metres; gray: grey;
cancel: cancelled cancelling cancels; label: labelled labelling; travel: travelled travelling; signal: signalled signalling;
model: modelled modelling; longer: longest; directory: dir dirs; configuration: config configs cfg; argument: arg args;
parameter: param params; temporary: tmp temp; document: doc docs; command: cmd cmds; message: msg msgs; environment: env;
delete: deletion deletions; remove: removal removals; choose: choice choices; begin: beginning; describe: description descriptions;
decide: decision decisions; fail: failure failures; bigger: biggest; large: larger largest; small: smaller smallest;
encrypt: encryption; decrypt: decryption; compress: compression; expand: expansion; permit: permission permissions;
proof: proofs; compare: comparison comparisons; behave: behavior behaviour; store: storage; exist: existence; differ: different difference differences;
receive: receipt; maintain: maintenance maintainer maintainers; install: installation installations installer; verify: verification;
modify: modification modifications; apply: application applications; notify: notification notifications; identify: identifier identification id ids`
