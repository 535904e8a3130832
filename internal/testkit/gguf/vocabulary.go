package gguf

import (
	"fmt"
	"strings"
)

// words stand in the vocabularies besides those that a caller gives.
const words = `a about after again all also always an and another any are around as ask at away back be because been before
began between big both but by call came can city clear close come could day did do does door down each early earth eat end
enough even every example far few field find fire first five follow food for form found four from full gave get give go good
great ground group had half hand hard has have he head hear help her here high him his home hot hour house how idea if important
in into is it its just keep kind king know land large last late learn leave left letter life light like line list little live
long look made make man many map mark may mean men might mile money moon more morning most mother mountain move much music must
my name near need never new next night no north nothing now number of off often old on once one only open or order other our
out over own page paper part people piece place plain plan plant play point port power problem product pull question quick rain
read ready real red rest right river road rock room round rule run said same saw say school science sea second see seem sentence
set she ship short should show side simple since six size sleep slow small so some song soon south space stand star start state
stay stop story street strong study such sun sure table take talk tell ten test than that the their them then there these they
thing think this those though thought three through time to together too took top town travel tree true try turn two under unit
until up use very voice walk want war warm was watch water way we week well went were what wheel when where which while white who
why will wind with wonder wood word work world would write year yes you young your`

// common is the list.
func common() []string { return strings.Fields(words) }

// Kinds of tokens, as the header numbers them.
const (
	normal  int32 = 1
	unknown int32 = 2
	control int32 = 3
	single  int32 = 6
)

// pieces is a vocabulary in SentencePiece's manner: control tokens, the 256
// bytes, characters, and words with every beginning of theirs, without which the
// tokenizer would not get to them.
type pieces struct {
	texts  []string
	scores []float32
	kinds  []int32
	ids    map[string]int
}

// Numbers of the control tokens.
const (
	unkID = iota
	bosID
	eosID
	startID
	endID
	firstByte
)

// TurnStart and TurnEnd are the control tokens of the generated chat template.
const (
	TurnStart = "<|im_start|>"
	TurnEnd   = "<|im_end|>"
)

// space is SentencePiece's mark for a space.
const space = "\u2581"

func newPieces(more []string) *pieces {
	p := &pieces{ids: map[string]int{}}
	p.add("<unk>", unknown)
	p.add("<s>", control)
	p.add("</s>", control)
	p.add(TurnStart, control)
	p.add(TurnEnd, control)
	for b := range 256 {
		p.add(fmt.Sprintf("<0x%02X>", b), single)
	}
	p.add(space, normal)
	for c := '!'; c <= '~'; c++ {
		p.add(string(c), normal)
	}
	for _, w := range append(common(), more...) {
		p.word(w)
	}
	return p
}

func (p *pieces) word(w string) int {
	w = strings.ReplaceAll(w, " ", space)
	if !strings.HasPrefix(w, space) {
		w = space + w
	}
	at := -1
	for i := range w {
		if i > 0 {
			at = p.add(w[:i], normal)
		}
	}
	if w != "" {
		at = p.add(w, normal)
	}
	return at
}

func (p *pieces) add(text string, kind int32) int {
	if id, ok := p.ids[text]; ok {
		return id
	}
	id := len(p.texts)
	p.ids[text] = id
	p.texts, p.scores, p.kinds = append(p.texts, text), append(p.scores, -float32(id)), append(p.kinds, kind)
	return id
}

// filler adds tokens up to n, so that a model for a benchmark has a vocabulary
// of the usual size.
func (p *pieces) filler(n int) {
	for i := len(p.texts); i < n; i++ {
		p.add(fmt.Sprintf("%sz%x", space, i), normal)
	}
}

// template is a chat template as many models have it.
const template = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

func (p *pieces) header(t string) []KV {
	return []KV{
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.tokens", p.texts},
		{"tokenizer.ggml.scores", p.scores},
		{"tokenizer.ggml.token_type", p.kinds},
		{"tokenizer.ggml.bos_token_id", uint32(bosID)},
		{"tokenizer.ggml.eos_token_id", uint32(endID)},
		{"tokenizer.ggml.unknown_token_id", uint32(unkID)},
		{"tokenizer.ggml.add_bos_token", true},
		{"tokenizer.ggml.add_eos_token", false},
		{"tokenizer.ggml.add_space_prefix", false},
		{"tokenizer.chat_template", t},
	}
}
