package limits

// Limits of the index worker's tokens.
const (
	// FoldRun is how many bytes of unbroken word characters are looked at as
	// one word: longer runs are encoded data, cut so that they cost no memory.
	FoldRun = 4096
	// TokenBytes is the longest token kept, in bytes: the longest words and
	// identifiers that people search for are shorter, hashes in hex fit.
	TokenBytes = 64
	// FoldParts is how many parts of one identifier are indexed.
	FoldParts = 12
	// FoldCache is how many stems are remembered for one language: the words
	// that make up 98 % of a text, in about 4 MB.
	FoldCache = 1 << 15
	// FoldRounds is how often folding is repeated to reach a fixed point; two
	// are needed for every assigned character, one more proves it.
	FoldRounds = 4
)
