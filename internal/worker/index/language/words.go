package language

// Common returns the languages, a bit each, in which word, in lower case, is one
// of the commonest: words that say nothing about a text's subject. Words of one
// letter are left out, since code and formulas are full of them.
func Common(word string) uint16 {
	switch word {
	case "about", "all", "also", "and", "any", "are", "be", "been", "but", "can", "from", "had", "have", "if", "into", "it", "its", "may", "must", "not", "on", "only", "or", "other", "should", "such", "than", "that", "the", "their", "then", "there", "these", "they", "this", "use", "was", "were", "what", "when", "which", "will", "with", "would", "you", "your":
		return 1 << 0
	case "aber", "auch", "auf", "aus", "bei", "dass", "dem", "die", "diese", "dieser", "durch", "ein", "eine", "einem", "einer", "eines", "für", "haben", "hat", "im", "ist", "kann", "mehr", "mit", "muss", "nach", "nicht", "noch", "nur", "oder", "sich", "sie", "sind", "und", "von", "vor", "wenn", "werden", "wie", "wird", "wurde", "zu", "zum", "zur", "über":
		return 1 << 1
	case "an", "so":
		return 1<<0 | 1<<1
	case "au", "aux", "avec", "ce", "cette", "comme", "dans", "des", "du", "elle", "est", "fait", "les", "leur", "ne", "nous", "ont", "par", "pas", "peut", "plus", "pour", "qui", "sans", "ses", "sont", "sur", "tout", "une", "vous", "être":
		return 1 << 2
	case "contra", "cuando", "desde", "donde", "durante", "el", "ese", "eso", "esta", "este", "hasta", "hay", "las", "los", "muy", "más", "ni", "pero", "porque", "puede", "quien", "sin", "sobre", "sus", "sí", "también", "todo", "uno", "ya":
		return 1 << 3
	case "es":
		return 1<<1 | 1<<3
	case "son":
		return 1<<2 | 1<<3
	case "anche", "che", "come", "dal", "dei", "della", "delle", "di", "essere", "gli", "ha", "ma", "nel", "nella", "non", "per", "più", "può", "questa", "questo", "sono", "tutti":
		return 1 << 4
	case "il":
		return 1<<2 | 1<<4
	case "al", "con", "del", "lo", "su", "una":
		return 1<<3 | 1<<4
	case "la", "le", "un":
		return 1<<2 | 1<<3 | 1<<4
	case "ao", "até", "com", "dos", "ela", "ele", "em", "está", "eu", "isso", "já", "mas", "muito", "não", "os", "pela", "pelo", "pode", "ser", "seu", "sua", "são", "só", "também", "uma":
		return 1 << 5
	case "as":
		return 1<<0 | 1<<5
	case "das", "um":
		return 1<<1 | 1<<5
	case "mais", "ou":
		return 1<<2 | 1<<5
	case "como", "entre", "no", "nos", "para", "por":
		return 1<<3 | 1<<5
	case "que":
		return 1<<2 | 1<<3 | 1<<5
	case "da", "quando":
		return 1<<4 | 1<<5
	case "aan", "bij", "dan", "dat", "deze", "door", "een", "geen", "hebben", "heeft", "het", "maar", "meer", "met", "naar", "niet", "nog", "ook", "op", "over", "te", "tot", "uit", "van", "voor", "wel", "worden", "wordt", "zijn":
		return 1 << 6
	case "is", "of":
		return 1<<0 | 1<<6
	case "als":
		return 1<<1 | 1<<6
	case "in":
		return 1<<0 | 1<<4 | 1<<6
	case "att", "av", "bara", "denna", "där", "ett", "från", "för", "inte", "jag", "mot", "mycket", "när", "och", "också", "sig", "ska", "skall", "till", "är":
		return 1 << 7
	case "man":
		return 1<<1 | 1<<7
	case "alla":
		return 1<<4 | 1<<7
	case "af", "blev", "bliver", "fra", "han", "hvis", "ikke", "når", "og", "også", "skal", "til", "ved", "være":
		return 1 << 8
	case "at", "for":
		return 1<<0 | 1<<8
	case "der":
		return 1<<1 | 1<<8
	case "et":
		return 1<<2 | 1<<8
	case "er":
		return 1<<1 | 1<<6 | 1<<8
	case "det", "eller", "har", "med", "men", "på", "som", "så", "var", "vi":
		return 1<<7 | 1<<8
	case "den":
		return 1<<1 | 1<<7 | 1<<8
	case "kan", "om":
		return 1<<6 | 1<<7 | 1<<8
	case "en":
		return 1<<2 | 1<<3 | 1<<6 | 1<<7 | 1<<8
	case "de":
		return 1<<3 | 1<<5 | 1<<6 | 1<<7 | 1<<8
	case "być", "co", "czy", "dla", "jak", "jego", "jest", "już", "która", "które", "który", "lub", "może", "nie", "oraz", "przez", "przy", "się", "są", "tego", "tylko", "że":
		return 1 << 9
	case "aby", "být", "jako", "je", "jeho", "jen", "jsou", "které", "který", "může", "nebo", "není", "než", "podle", "pro", "při", "také", "že":
		return 1 << 10
	case "by":
		return 1<<0 | 1<<10
	case "si":
		return 1<<2 | 1<<4 | 1<<10
	case "se":
		return 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<10
	case "ale", "od", "po", "tak", "za":
		return 1<<9 | 1<<10
	case "to":
		return 1<<0 | 1<<9 | 1<<10
	case "na":
		return 1<<5 | 1<<9 | 1<<10
	case "do":
		return 1<<0 | 1<<5 | 1<<9 | 1<<10
	}
	return 0
}

func languages() [11]string {
	return [...]string{"en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "pl", "cs"}
}
