package prompt

import (
	"strings"

	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Language is a language that the catalogue has.
type Language int

const (
	// English is what everybody gets who has asked for nothing else.
	English Language = iota
	German
)

// LanguageOf is the catalogue's language for a locale such as "de_AT.UTF-8" or a
// tag such as "de-CH".
func LanguageOf(locale string) Language {
	code, _, _ := strings.Cut(strings.ToLower(locale), ".")
	code, _, _ = strings.Cut(strings.ReplaceAll(code, "-", "_"), "_")
	if code == "de" {
		return German
	}
	return English
}

// Tag is the language as BCP 47 writes it.
func (l Language) Tag() string {
	if l == German {
		return "de"
	}
	return "en"
}

func (l Language) texts() *texts {
	if l == German {
		return german()
	}
	return english()
}

// texts are all words of a question in one language. Placeholders stand in braces
// and are filled in one pass: what is put in is never read for another.
type texts struct {
	Wants, And       string // {actor} {act}; {act}
	Folder, Model    words
	Card             words
	GivenRemembered  string // after the act of a model, at a terminal
	GivenToApp       string // the same in a window: {actor}
	GivenFolder      string
	Everything       string // below the folder that all others are in
	WholeHome        string // below one with the person's home folder in it
	Linked           string // {name}
	LinkedSomewhere  string
	Facts            string // {role} {size} {digest}
	Unsigned         string
	UnsignedLicensed string // {licence}
	Chat, Embedding  string
	Completion       string
	NoRole           string
	Bytes, Decimal   string
	Tokens           string // {tokens}
	VRAM             string // {size}
	AllowedBefore    string
	Remembered       string
	For              string // {time}
	UntilTask        string
	UntilWindow      string
	StopTerminal     string
	StopRemembered   string // the same where a row outlives its task
	StopWindow       string
	Toggle           string
	Type             string // {verb}
	Ask              string // {verb}
	Resized          string
	Title            string
	YesMixed, No     string
	More, Delay, X11 string
	PickTitle        string
	PickYes, PickNo  string
	Notice           string
	Gone, GoneMore   string
	Close            string
}

// Picker are the words of the dialog in which a person chooses a folder: its
// title, and its two buttons. It grants nothing, so it says nothing of grants.
func (l Language) Picker() (title, choose, cancel string) {
	t := l.texts()
	return t.PickTitle, t.PickYes, t.PickNo
}

// Notice is what tells a person something and asks nothing: the window's title, a
// heading, a paragraph, and the one button.
type Notice struct{ Title, Heading, Text, Close string }

// Gone says that the core has ended and nobody told it to.
func (l Language) Gone() Notice {
	t := l.texts()
	return Notice{t.Notice, t.Gone, t.GoneMore, t.Close}
}

// words are what a kind is called towards a person. A kind that is missing here
// cannot be asked for.
type words struct {
	Verb   string // what is typed to say yes
	Act    string // after "wants to"
	Acts   string // the same for several rows
	Denies string // what is not allowed by it
	// YesOne and YesMany are the button that says yes to one row, and to those
	// that are ticked.
	YesOne, YesMany string
}

// of has the words of a kind.
func (t *texts) of(k policyv1.Kind) (words, bool) {
	switch k {
	case policyv1.Kind_KIND_FILE_READ:
		return t.Folder, true
	case policyv1.Kind_KIND_MODEL_RUN:
		return t.Model, true
	case policyv1.Kind_KIND_GPU_USE:
		return t.Card, true
	}
	return words{}, false
}

// fill puts values, given as pairs, in the place of placeholders.
func fill(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

func english() *texts {
	return &texts{
		Wants: "{actor} wants to {act}:",
		And:   "and to {act}:",
		Folder: words{
			Verb:    "read",
			Act:     "read all files in this folder, and in the folders below it",
			Acts:    "read all files in these folders, and in the folders below them",
			Denies:  "It cannot change them, read anything outside, or send anything over the network.",
			YesOne:  "Read this folder",
			YesMany: "Read the ticked folders",
		},
		Model: words{
			Verb:    "run",
			Act:     "run this model. It is given what you type",
			Acts:    "run these models. Each is given what you type",
			Denies:  "The model cannot read files, start anything, or send anything over the network.",
			YesOne:  "Run this model",
			YesMany: "Run the ticked models",
		},
		Card: words{
			Verb:    "use",
			Act:     "let the model use this graphics card",
			Acts:    "let the model use these graphics cards",
			Denies:  "With the card its driver is in the model's process: an error in it could let the model out of its sandbox.",
			YesOne:  "Use this graphics card",
			YesMany: "Use the ticked graphics cards",
		},
		GivenRemembered:  ", and what you let `ask` and `summarize` read for it",
		GivenToApp:       ", and what you let {actor} read for it",
		GivenFolder:      " and passages of the folder",
		Everything:       "this is the whole computer: every file that your account may read, keys and passwords too",
		WholeHome:        "your whole home folder is in it: also what other programs keep there, keys and passwords too",
		Linked:           "named by a link: {name}",
		LinkedSomewhere:  "chosen by way of a link",
		Facts:            "{role}, {size}, sha256 {digest}",
		Unsigned:         "nobody has signed it; the file names no licence",
		UnsignedLicensed: "nobody has signed it; the file says its licence is {licence}",
		Chat:             "for chat",
		Embedding:        "to find by meaning",
		Completion:       "to continue text",
		NoRole:           "of unknown use",
		Bytes:            "bytes",
		Decimal:          ".",
		Tokens:           ", at most {tokens} tokens",
		VRAM:             ", at most {size} of its memory",
		AllowedBefore:    "allowed before, remembered until you revoke it",
		Remembered:       "remembered until you revoke it",
		For:              "for {time}",
		UntilTask:        "until this task ends",
		UntilWindow:      "until the app is done with it, at the latest when you close its window",
		StopTerminal:     "To stop it: Ctrl-C here, or `bailey grant list` and `bailey grant revoke ID` anywhere.",
		StopRemembered:   "To stop it: Ctrl-C here. What is remembered stays allowed until you revoke it: `bailey grant list` and `bailey grant revoke ID` anywhere.",
		StopWindow:       "You can stop it at any time: open Permissions and press Revoke.",
		Toggle:           "A number and Enter takes a row out or puts it back.",
		Type:             "Type {verb} and Enter to allow it. Enter alone, or anything else, means don't.",
		Ask:              "{verb} or don't? ",
		Resized:          "The terminal has another size now. Here is the question again.",
		Title:            "Bailey asks for your permission",
		YesMixed:         "Read and run what is ticked",
		No:               "Don't",
		More:             "Scroll down to read all",
		Delay:            "You can answer in a moment",
		X11:              "Other programs on this screen could press this for you. Say yes only if you asked for this.",
		PickTitle:        "Choose a folder",
		PickYes:          "Choose",
		PickNo:           "Cancel",
		Notice:           "A notice from Bailey",
		Gone:             "Bailey has stopped",
		GoneMore: "The part of Bailey that does the work has ended. What was being done was stopped, and permissions that were given for it are gone. " +
			"Open Bailey again to go on.",
		Close: "Close",
	}
}

func german() *texts {
	return &texts{
		Wants: "{actor} möchte {act}:",
		And:   "und {act}:",
		Folder: words{
			Verb:    "lesen",
			Act:     "alle Dateien in diesem Ordner und in den Ordnern darunter lesen",
			Acts:    "alle Dateien in diesen Ordnern und in den Ordnern darunter lesen",
			Denies:  "Dabei kann nichts geändert, nichts außerhalb gelesen und nichts über das Netz gesendet werden.",
			YesOne:  "Diesen Ordner lesen",
			YesMany: "Angekreuzte Ordner lesen",
		},
		Model: words{
			Verb:    "starten",
			Act:     "dieses Modell starten. Es bekommt, was Sie eingeben",
			Acts:    "diese Modelle starten. Jedes bekommt, was Sie eingeben",
			Denies:  "Das Modell kann keine Dateien lesen, nichts starten und nichts über das Netz senden.",
			YesOne:  "Dieses Modell starten",
			YesMany: "Angekreuzte Modelle starten",
		},
		Card: words{
			Verb:    "nutzen",
			Act:     "das Modell diese Grafikkarte nutzen lassen",
			Acts:    "das Modell diese Grafikkarten nutzen lassen",
			Denies:  "Mit der Karte ist ihr Treiber im Prozess des Modells: Ein Fehler darin könnte das Modell aus der Sandbox lassen.",
			YesOne:  "Diese Grafikkarte nutzen",
			YesMany: "Angekreuzte Grafikkarten nutzen",
		},
		GivenRemembered:  " und was Sie `ask` und `summarize` dafür lesen lassen",
		GivenToApp:       " und was Sie {actor} dafür lesen lassen",
		GivenFolder:      ", und Abschnitte aus dem Ordner",
		Everything:       "das ist der ganze Rechner: jede Datei, die Ihr Konto lesen darf, auch Schlüssel und Passwörter",
		WholeHome:        "Ihr ganzer persönlicher Ordner liegt darin: auch was andere Programme dort ablegen, auch Schlüssel und Passwörter",
		Linked:           "durch eine Verknüpfung benannt: {name}",
		LinkedSomewhere:  "über eine Verknüpfung ausgewählt",
		Facts:            "{role}, {size}, sha256 {digest}",
		Unsigned:         "niemand hat es signiert; die Datei nennt keine Lizenz",
		UnsignedLicensed: "niemand hat es signiert; als Lizenz nennt die Datei {licence}",
		Chat:             "zum Chatten",
		Embedding:        "zum Finden nach Bedeutung",
		Completion:       "zum Fortsetzen von Text",
		NoRole:           "mit unbekanntem Zweck",
		Bytes:            "Byte",
		Decimal:          ",",
		Tokens:           ", höchstens {tokens} Tokens",
		VRAM:             ", höchstens {size} ihres Speichers",
		AllowedBefore:    "schon erlaubt; gilt, bis Sie es widerrufen",
		Remembered:       "gilt auch später, bis Sie es widerrufen",
		For:              "für {time}",
		UntilTask:        "bis diese Aufgabe endet",
		UntilWindow:      "bis die App damit fertig ist, spätestens wenn Sie ihr Fenster schließen",
		StopTerminal:     "Zum Anhalten: hier Strg-C, oder überall `bailey grant list` und `bailey grant revoke ID`.",
		StopRemembered:   "Zum Anhalten: hier Strg-C. Was gemerkt wird, bleibt erlaubt, bis Sie es widerrufen, überall mit `bailey grant list` und `bailey grant revoke ID`.",
		StopWindow:       "Sie können es jederzeit beenden: Öffnen Sie Berechtigungen und drücken Sie Widerrufen.",
		Toggle:           "Eine Zahl und die Eingabetaste nehmen eine Zeile heraus oder wieder herein.",
		Type:             "Zum Erlauben {verb} tippen, dann die Eingabetaste. Die Eingabetaste allein und alles andere heißt nein.",
		Ask:              "{verb} oder nicht? ",
		Resized:          "Das Terminal hat jetzt eine andere Größe. Hier ist die Frage noch einmal.",
		Title:            "Bailey bittet um Ihre Erlaubnis",
		YesMixed:         "Angekreuztes lesen und starten",
		No:               "Nicht erlauben",
		More:             "Blättern Sie nach unten, um alles zu lesen",
		Delay:            "Sie können gleich antworten",
		X11:              "Andere Programme auf diesem Bildschirm könnten dies für Sie drücken. Sagen Sie nur Ja, wenn Sie dies wollten.",
		PickTitle:        "Ordner auswählen",
		PickYes:          "Auswählen",
		PickNo:           "Abbrechen",
		Notice:           "Eine Mitteilung von Bailey",
		Gone:             "Bailey wurde beendet",
		GoneMore: "Der Teil von Bailey, der die Arbeit macht, läuft nicht mehr. Was gerade lief, wurde angehalten, und die Erlaubnisse dafür sind erloschen. " +
			"Öffnen Sie Bailey neu, um weiterzumachen.",
		Close: "Schließen",
	}
}
