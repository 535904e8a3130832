package limits

import "time"

// Limits of finding by meaning.
const (
	// IndexEngines is how many engines an index worker may be connected with: a
	// task names two at most, and another task may be at work on the folder.
	IndexEngines = 8
	// EngineJoin is how long the core waits for an engine and an index worker to
	// take a channel: they do in a millisecond, and a busy machine is slow.
	EngineJoin = 10 * time.Second
	// MeaningDimension is the largest dimension of a vector: the schema's limit of
	// a message of one, in 32 bit numbers.
	MeaningDimension = 8192
	// MeaningHash is how many bytes of a passage's SHA-256 name it: a collision by
	// chance in a million passages is at 10^-27, and one on purpose only gives a
	// document's own passage another of its vectors.
	MeaningHash = 16
	// MeaningModels is how many models' vectors a database keeps: the one in use,
	// and the one before, for whoever tries another.
	MeaningModels = 2
	// MeaningBatch is how many passages are sent to an engine in one call in the
	// background: about half a second of work at one thread, so that giving way is
	// quick, and one call's cost is none.
	MeaningBatch = 8
	// MeaningCommit is the time after which vectors that were made are committed:
	// what a kill costs is made again.
	MeaningCommit = 3 * time.Second
	// MeaningKept is how many are held until then, in memory: of a large model, 4
	// MB.
	MeaningKept = 1000
	// MeaningReport is the time between two reports of background work.
	MeaningReport = time.Second
	// MeaningFloor is the most that a model's cosine of unlike texts is taken for:
	// one that calls all texts the same is of no use, but divides nothing by zero.
	MeaningFloor = 0.95
	// MeaningFresh is how many passages without stored vectors are embedded while
	// somebody waits: two threads make about 12 a second.
	MeaningFresh = 40
	// MeaningFreshTime is how long that may take; then what there is serves. The
	// answer from a fresh folder is to come within 4 s, reading it included.
	MeaningFreshTime = 2800 * time.Millisecond
	// MeaningNear is how many passages a search of vectors hands to the ranker.
	MeaningNear = 60
	// MeaningFusion is the k of reciprocal rank fusion, as its authors have it: it
	// keeps the first of one list from beating what is high in both.
	MeaningFusion = 60
	// MeaningQuestionTime is how long the question's own vector may take: it is
	// 10 ms; an engine that is slower than this by so much is stuck or swapping.
	MeaningQuestionTime = 5 * time.Second
	// MeaningMeasureTime is how long six sentences may take, which a model is
	// measured by once.
	MeaningMeasureTime = 30 * time.Second
)

// Limits of what a model writes below an answer or a summary.
const (
	// WritePassages is how many passages of an answer a model is told: small ones
	// mix the facts of more.
	WritePassages = 8
	// WriteTokens is how much a model may write: two sentences are asked for, and
	// this is twice as much.
	WriteTokens = 120
	// WriteContext is what is reckoned with for a model that does not tell its
	// context, in tokens.
	WriteContext = 1024
	// WriteFrame is what the instructions and the chat template take of a context,
	// in tokens.
	WriteFrame = 200
	// WriteTokenBytes is how many bytes of text a token stands for, on the careful
	// side: English has 4, code 3. A prompt that proves too long is halved.
	WriteTokenBytes = 3
	// WriteLeast is the least that a model is told, in bytes, however small its
	// context.
	WriteLeast = 200
	// WriteFiles is how many files of a summary a model is asked about, those that
	// matter most: at a second or two each, and so many lines are still read.
	WriteFiles = 12
	// WriteFileTokens is how much it may write of one file, WriteFileSentences how
	// much of that is taken.
	WriteFileTokens    = 80
	WriteFileSentences = 2
	// WriteFileBytes is what it is told of one file, in bytes: some sentences.
	WriteFileBytes = 1500
	// WriteSummaryTime is how long it may be at work on a summary; what it was not
	// asked about by then is left out, and the number of files says so.
	WriteSummaryTime = 90 * time.Second
	// WriteSentences is how many sentences of an answer are taken.
	WriteSentences = 12
	// WriteText is the longest sentence that is taken from a model, in bytes; the
	// schema allows 2000.
	WriteText = 1000
	// WriteTime is how long a model may write at one answer: less than WorkerSilence,
	// so that a model that is too slow costs its text and not the passages.
	WriteTime = 90 * time.Second
	// WriteSupport is the part of a sentence's words that have to stand in the
	// passage that it cites; its numbers and names all have to.
	WriteSupport = 0.8
	// WriteNear is how many words from a number a word of its passage still stands
	// beside it: "built 1931" and "built in 1931" say the same.
	WriteNear = 3
	// WriteWords is how many such words it needs at least: two words stand
	// anywhere.
	WriteWords = 3
)

// Limits of what a command takes of models.
const (
	// TaskModels is how many models a task uses: one that finds, one that writes;
	// the schema says the same.
	TaskModels = 2
	// WrittenKept is how many sentences of a model a command keeps: more than two
	// of each file, and of the folder.
	WrittenKept = 256
	// TokensAsked is the most that --max-tokens takes: no answer is so long.
	TokensAsked = 1_000_000
)
