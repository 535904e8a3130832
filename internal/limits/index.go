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

// Limits of the index database.
const (
	// IndexPage is the database's page in bytes: larger pages than SQLite's 4
	// KB make fewer, longer writes of passages of about 1 KB.
	IndexPage = 8192
	// IndexCache is what the database may cache in bytes; the system caches
	// the file besides.
	IndexCache = 16 << 20
	// IndexCandidates is how many passages the full-text index hands to the
	// ranker: of those that answer, all but a few are among the first 100.
	IndexCandidates = 300
)
