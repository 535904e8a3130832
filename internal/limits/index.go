package limits

import "time"

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
	// that make up 98 % of a text, in about 6 MB.
	FoldCache = 1 << 16
	// FoldRounds is how often folding is repeated to reach a fixed point; two
	// are needed for every assigned character, one more proves it.
	FoldRounds = 4
)

// Limits of the index database.
const (
	// IndexPage is the database's page in bytes: larger pages than SQLite's 4
	// KB make fewer, longer writes of passages of about 1 KB.
	IndexPage = 8192
	// IndexJournal is how much of the database's journal is left to be read at
	// the next start: 1 MB takes less time than the two fsyncs that move it.
	IndexJournal = 1 << 20
	// IndexCache is what the database may cache in bytes; the system caches
	// the file besides.
	IndexCache = 16 << 20
	// IndexCandidates is how many passages the full-text index hands to the
	// ranker: of those that answer, all but a few are among the first 100.
	IndexCandidates = 300
)

// Limits of bringing an index up to date.
const (
	// IndexWorkers is how many files are turned into passages at once; the
	// database's one writer keeps about one more core busy.
	IndexWorkers = 2
	// IndexInFlight is how many bytes of text may be between the walker and
	// the database: passages and tokens take up to five times as much.
	IndexInFlight = 12 << 20
	// IndexFileWeight is what any file in flight counts at least, in bytes.
	IndexFileWeight = 4 << 10
	// IndexQueue is how many files wait between two steps.
	IndexQueue = 64
	// IndexPiece is how much of a large file is extracted at once, in bytes.
	IndexPiece = 2 << 20
	// IndexParts is how many pieces of a large file wait for the writer.
	IndexParts = 2
	// IndexBatch is how much is written in one transaction, in bytes: FTS5
	// merges less when it commits seldom, and a crash loses less when it
	// commits often.
	IndexBatch = 32 << 20
	// IndexBatchTime ends a transaction that took this long.
	IndexBatchTime = 2 * time.Second
	// IndexProgress is the time between two reports of progress.
	IndexProgress = 100 * time.Millisecond
	// IndexSkipBatch is how many skipped files are reported together; the
	// schema's limit for one message.
	IndexSkipBatch = 32
	// IndexRacy is how long after a change the times of a file are not
	// believed: file systems count in up to two seconds.
	IndexRacy = 2 * time.Second
	// IndexChunk is the size of a passage in bytes: measured against other
	// sizes, larger ones blur and smaller ones lose their context.
	IndexChunk = 600
	// IndexChunkSource is the longest source of one passage in bytes, markup
	// and what stands between its sentences included.
	IndexChunkSource = 4 << 10
	// IndexHead is the longest line of headings above a passage in bytes.
	IndexHead = 300
	// IndexLeads is how many sentences of a file a summary chooses from.
	IndexLeads = 12
	// IndexLeadsSeen is how many are found before they are thinned out.
	IndexLeadsSeen = 60
	// IndexIntro is how many of them may come from a file's beginning.
	IndexIntro = 3
	// IndexQuote is the longest quote in bytes; with the marks beside it, it keeps
	// to the schema's limit of 2000.
	IndexQuote = 2000 - 2*MarksBeside
	// IndexHeap is what the index worker's Go heap grows to before its collector
	// works more, in bytes. At most 75 MB of it are in use, and SQLite and the
	// program take 100 MB besides: two files of 60 MB peak at 251 MB, not 297. It
	// refuses nothing; RLIMIT_DATA does.
	IndexHeap = 128 << 20
)

// Limits of answers.
const (
	// MarksBeside is how many bytes of marks beside a sentence are its: emphasis
	// of three within deleted text, and code in that. More is a ruled line.
	MarksBeside = 8
	// AnswerSentences is how many sentences an answer has unless asked for
	// another number: the first three are read, the others looked at.
	AnswerSentences = 5
	// AnswerText is the longest sentence of an answer in characters: about
	// what is read at a glance, and what a quarter of a screen holds.
	AnswerText = 420
	// AnswerWindow is how many sentences of a document make one of an answer.
	AnswerWindow = 3
	// AnswerQuestion is how much of a question is read, in bytes; the schema's
	// limit.
	AnswerQuestion = 2000
	// AnswerTerms is how many words of a question are searched for.
	AnswerTerms = 48
	// AnswerLanguages is in how many languages they are stemmed.
	AnswerLanguages = 4
	// AnswerRare is how many of a question's words are searched for however
	// common they are.
	AnswerRare = 2
	// AnswerCommon: a word in more than one of so many passages is not searched
	// for when there are rarer ones.
	AnswerCommon = 8
	// AnswerCommonRelated is the same for words that stand for others.
	AnswerCommonRelated = 20
	// AnswerCommonFloor is a number of passages that are searched anyhow: in
	// small folders every word is common.
	AnswerCommonFloor = 20_000
	// AnswerPhrase is how many words a phrase of the thesaurus may have.
	AnswerPhrase = 4
	// AnswerSame is the part of its word pairs above which a sentence repeats
	// another, if numbers, names and denials are the same.
	AnswerSame = 0.6
)

// Limits of the index service's messages; the schema says the same.
const (
	// ServeCitations is how many citations one sentence has.
	ServeCitations = 8
	// ServeLicences is how many licence texts are named.
	ServeLicences = 32
)

// Limits of summaries.
const (
	// SummarySentences is how many sentences a summary has unless asked for
	// another number: two screens.
	SummarySentences = 30
	// SummaryOverview is how many of them speak of the whole folder.
	SummaryOverview = 5
	// SummaryDetails: one sentence in so many may be a second one of a file.
	SummaryDetails = 4
	// SummaryFiles is how many files a summary is chosen from; of more, those
	// that matter most by name, place and size, and an even sample of the rest.
	SummaryFiles = 6000
	// SummaryTerms is how many different words are weighed.
	SummaryTerms = 200_000
	// SummaryText is the longest sentence of a summary in characters.
	SummaryText = 320
	// SummarySame is the part of its words above which a sentence repeats
	// another.
	SummarySame = 0.55
)

// Limits of showing a source.
const (
	// SourceLines is how many lines of a source are shown unless more are asked
	// for: several screens around a citation.
	SourceLines = 400
	// SourceLine is where a line of a source is cut, in bytes: what is longer was
	// made by a machine, and a page would be slow to lay it out.
	SourceLine = 4000
	// SourcePage bounds the text of one message of a source, in bytes: below the
	// schema's limit by more than a line.
	SourcePage = 64 << 10
)
