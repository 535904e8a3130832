package fold

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func tokens(f *Folder, s, lang string) string {
	return strings.TrimSpace(string(f.Append(nil, s, lang, false)))
}

func TestTokens(t *testing.T) {
	f := New()
	for _, c := range []struct{ lang, in, want string }{
		{"en", "The quick foxes wrote", "the quick fox write"},
		{"en", "readFile read_file read-file", "read file readfil read file readfil read file readfil"},
		{"en", "HTTPServer2 utf8 UTF-8", "http server2 httpserver2 utf8 utf 8 utf8"},
		{"en", "version 1.26.8, 10,000 files", "version 1.26.8 10000 file"},
		{"en", "a,b (c) end.", "a b c end"},
		{"en", "don't Hertz's", "don hertz"},
		{"en", "it leaves, leave, left; who lives, lived", "it leav leav leav who live live"},
		{"en", "behaviour behavior colours color", "behav behav color color"},
		{"en", "organise organize organisation organization", "organ organ organ organ"},
		{"de", "Größe GROSSE Straße strasse", "gross gross strass strass"},
		{"fr", "l’index déjà", "index dej"},
		{"zh", "索引文件", "索引 引文 文件"},
		{"ja", "ﾌｧｲﾙを読む", "ファ ァイ イル ルを を読 読む"},
		{"en", "ＦＵＬＬ　ｗｉｄｔｈ １２３", "full width 123"},
		{"th", "ภาษาไทย", "ภา าษ ษา าไ ไท ทย"},
		{"en", "mixed漢字text", "mix 漢字 text"},
		{"en", "--help -x \"quo*te\" OR(NEAR)", "help x quo te or near"},
		{"en", "__init__ ___ 'tis 2026-11-25", "init tis 2026 11 25"},
		{"en", "½ ﬁle x²", "12 file x2"},
	} {
		if got := tokens(f, c.in, c.lang); got != c.want {
			t.Errorf("%s: %q\n got %q\nwant %q", c.lang, c.in, got, c.want)
		}
	}
}

func TestStopWordsAreDropped(t *testing.T) {
	f := New()
	if got := string(f.Append(nil, "How is the file read?", "en", true)); got != "file read " {
		t.Errorf("got %q", got)
	}
	if got := string(f.Append(nil, "Die Datei für dich", "de", true)); got != "datei " {
		t.Errorf("got %q", got)
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Größe", "Å\u030a", "İstanbul", "ﬃ ǅ ᾳ ΐ ς Σ", "か\u3099 ｶﾞ", "한국어", "\xff\xfe", "й и\u0306 ё", "\u0345\u0301a", "Ω K Å", "x\u00ad\u200by", "ẞ ß ſ", "نَصّ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fo := New()
		once := fo.String(s)
		if twice := fo.String(once); twice != once {
			t.Fatalf("not idempotent: %q → %q → %q", s, once, twice)
		}
		if a, b := fo.String(norm.NFC.String(s)), fo.String(norm.NFD.String(s)); a != b {
			t.Fatalf("NFC %q and NFD %q differ for %q", a, b, s)
		}
		if a, b := tokens(fo, norm.NFC.String(s), "de"), tokens(fo, norm.NFD.String(s), "de"); a != b {
			t.Fatalf("tokens: NFC %q and NFD %q differ for %q", a, b, s)
		}
		for _, tok := range strings.Fields(tokens(fo, s, "en")) {
			if strings.ContainsAny(tok, "\"'*()^:+-{}\x00") {
				t.Fatalf("token %q of %q holds a query operator", tok, s)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	text := strings.Repeat("The directory holds configuration files that programs read at start; see readConfig in config_linux.go for version 1.26.8 and its behaviour. ", 200)
	f := New()
	b.SetBytes(int64(len(text)))
	var dst []byte
	for b.Loop() {
		dst = f.Append(dst[:0], text, "en", true)
	}
}
