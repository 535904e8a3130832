package language

import (
	"strings"
	"testing"
)

func TestLanguage(t *testing.T) {
	for want, s := range map[string]string{
		"en": "The kettle boils the water in about four minutes, and then it whistles until someone comes and takes it from the fire.",
		"de": "Der Kessel kocht das Wasser in etwa vier Minuten, und dann pfeift er, bis jemand kommt und ihn von dem Feuer nimmt.",
		"fr": "La bouilloire chauffe l'eau en quatre minutes, et elle siffle dans la cuisine pour que les gens du village ne dorment pas.",
		"es": "La tetera calienta el agua en cuatro minutos y silba hasta que alguien llega para quitarla del fuego de la cocina.",
		"it": "Il bollitore scalda l'acqua in quattro minuti e poi fischia nella cucina fino a quando qualcuno non viene con la sua tazza.",
		"pt": "A chaleira aquece a água em quatro minutos e depois não para de apitar até que uma pessoa venha da sala para a cozinha.",
		"nl": "De ketel kookt het water in vier minuten en dan fluit hij tot er iemand komt die hem van het vuur haalt, want dat is niet stil.",
		"sv": "Kitteln kokar vatten på fyra minuter och sedan visslar den tills någon kommer och tar den från elden, men det är inte tyst.",
		"da": "Kedlen koger vand på fire minutter, og så fløjter den, til der kommer nogen og tager den af ilden, men det er ikke stille.",
		"pl": "Czajnik gotuje wodę w cztery minuty, a potem gwiżdże, że nie można spać, i jest to dla nas bardzo głośno, bo się nie wyłącza.",
		"cs": "Konvice vaří vodu za čtyři minuty a pak píská, že se nedá spát, ale to je pro nás hlasité, protože se jen tak nevypne a není tichá.",
		"ru": "Чайник кипятит воду за четыре минуты, а потом свистит, пока кто-нибудь не придёт.",
		"uk": "Чайник кип'ятить воду за чотири хвилини, а потім свистить, її чути в усій квартирі, і ніхто не спить, є така біда.",
		"zh": "这个水壶四分钟就能把水烧开，然后一直响到有人来为止，所以谁也睡不着觉。",
		"ja": "このやかんは四分でお湯を沸かし、誰かが来るまで鳴り続けますので、誰も眠れません。",
		"ko": "이 주전자는 사 분 만에 물을 끓이고 누군가 올 때까지 계속 소리를 냅니다.",
		"th": "กาต้มน้ำนี้ต้มน้ำให้เดือดภายในสี่นาที แล้วก็ร้องจนกว่าจะมีคนมา",
		"ar": "تغلي الغلاية الماء في أربع دقائق ثم تصفر حتى يأتي أحد ويأخذها من النار",
		"he": "הקומקום מרתיח את המים בארבע דקות ואז שורק עד שמישהו בא ולוקח אותו",
		"el": "Ο βραστήρας βράζει το νερό σε τέσσερα λεπτά και μετά σφυρίζει μέχρι να έρθει κάποιος",
		"":   "foo bar baz qux quux corge grault garply waldo fred plugh xyzzy thud foo bar baz",
	} {
		var g Guesser
		g.Add(s)
		if got := g.Language(); got != want {
			t.Errorf("%q, want %q: %s", got, want, s)
		}
	}
	var g Guesser
	g.Add("Too short.")
	if got := g.Language(); got != "" {
		t.Errorf("two words are %q", got)
	}
	if g.Add(strings.Repeat("the and ", Sample)) {
		t.Error("Add wants more than a sample")
	}
}

func TestCommon(t *testing.T) {
	if Common("the") == 0 || Common("und") == 0 || Common("kettle") != 0 || Common("a") != 0 {
		t.Error("wrong words are common")
	}
}

func FuzzGuesser(f *testing.F) {
	f.Add("the Ünd \xff日本")
	f.Fuzz(func(t *testing.T, s string) {
		var g Guesser
		g.Add(s)
		if l := g.Language(); l != "" && len(l) != 2 {
			t.Error(l)
		}
	})
}
