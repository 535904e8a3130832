package limits

import "time"

// Limits of what stands in front of an engine: bailey.engine.v1.
const (
	// WorkerTimeSlice is how much of a grant's time a call takes at once, and so
	// how much parallel calls may hold back from each other.
	WorkerTimeSlice = 250 * time.Millisecond

	// EngineSilence is how long a call of bailey.engine.v1 may send nothing
	// before the core takes the engine for hung and kills it. While a prompt is
	// read, and while a call waits for others that go on, something comes every
	// EngineProgress to EngineHeartbeat; one token of the slowest model that is
	// of use (0.2 tokens a second), behind the start of a heavy grammar, takes 5
	// seconds. What is silent for four times that is a grammar that exploded or a
	// library that stands.
	EngineSilence = 20 * time.Second
	// GraphicsSilence is the same for an engine with a graphics card: at the first
	// words of a model its driver compiles some dozen programs for the card, anew for
	// each process, since it is not let keep them. That takes lavapipe 20 seconds of
	// one core, and several times that where others work too.
	GraphicsSilence = 5 * time.Minute
	// EngineProgress is the shortest time between two reports of progress.
	EngineProgress = 100 * time.Millisecond
	// EngineHeartbeat is how often a call that waits for others says so, as long
	// as the library goes on with them.
	EngineHeartbeat = 2 * time.Second
	// EngineLoadSilence is how long a load may report no progress: the slowest
	// disk reads a step of a hundredth of 100 GB in that time.
	EngineLoadSilence = 60 * time.Second

	// EnginePiece bounds the text of one message of an answer: a quarter of the
	// schema's characters, so that it fits whatever they are.
	EnginePiece = 4096
	// EnginePieceTokens is how many tokens with candidates one message holds: 21
	// candidates of 40 bytes each make 27 KB, below the method's 64 KiB. The
	// schema allows 64.
	EnginePieceTokens = 32
	// EngineCandidateBytes cuts the text of one candidate; longer tokens are runs
	// of spaces or markup.
	EngineCandidateBytes = 64
	// EngineUnread is how much of an answer may wait for a client that does not
	// read, in bytes of text and of candidates. A longer one ends the call, since
	// the other calls of the same engine cannot wait for it.
	EngineUnread = 4 << 20
	// EngineKeptFree is the part of the context that is kept free for the answer
	// when old turns are left out: one divided by this.
	EngineKeptFree = 4
	// EngineReason is how much of why a chat template cannot be used is told; the
	// schema's limit.
	EngineReason = 250
	// EngineDimension is the most numbers of a vector; the schema's limit of
	// 32,768 bytes.
	EngineDimension = 8192
	// EngineDropRounds is how often turns are left out and counted again; the
	// first guess is by the length of each turn and seldom wrong by more than one.
	EngineDropRounds = 64
)

// Limits of a chat template (S12).
const (
	// TemplateBytes is the longest template; the longest in use have 20 KiB.
	TemplateBytes = 256 << 10
	// TemplateOutput is the longest prompt, as much as is made tokens of.
	TemplateOutput = EngineText
	// TemplateMemory bounds what all values made while rendering take together,
	// in bytes: templates build the prompt in pieces, a few times over.
	TemplateMemory = 128 << 20
	// TemplateSteps bounds the evaluations of one rendering; it is about what
	// TemplateTime allows. Of 66 templates in use 64 render a conversation of 4,095
	// turns and 600 KB within both, the other two take the square of the turns.
	TemplateSteps = 50_000_000
	// TemplateDepth bounds the nesting of expressions, blocks and macros; 30 is
	// enough for 70 templates in use.
	TemplateDepth = 200
	// TemplateTime ends a rendering by the clock, on a machine that is busy.
	TemplateTime = 5 * time.Second
	// TemplateReason is how much of a template's own words an error repeats.
	TemplateReason = 160
	// TemplateRange is the longest range().
	TemplateRange = 100_000
)

// Limits of a JSON schema (S13). A grammar costs time at every token: llama.cpp
// keeps a stack for each way that the text so far can be read, so what counts is
// the number of alternatives and of optional repetitions, not the bytes.
const (
	// SchemaBytes is the longest schema, and the schema file's limit.
	SchemaBytes = 64 << 10
	// SchemaDepth is how deep a schema nests; answers of people's programs stay
	// below 8.
	SchemaDepth = 16
	// SchemaNodes bounds the subschemas, references counted at each use.
	SchemaNodes = 512
	// SchemaProperties bounds the properties of one object, and
	// SchemaOptional those of them that may be missing: each makes one more place
	// where the text can go on.
	SchemaProperties = 64
	SchemaOptional   = 16
	// SchemaAlternatives bounds enum, whose common beginnings are written once.
	SchemaAlternatives = 256
	// SchemaChoices bounds anyOf and oneOf: texts of several alternatives are
	// followed in all of them at once, at each token of the vocabulary.
	SchemaChoices = 32
	// SchemaRepeat bounds minItems, minLength and counts in patterns; a maxItems or
	// maxLength beyond it counts as this. Each makes a rule of the grammar.
	SchemaRepeat = 256
	// SchemaGrammar bounds the grammar made, in bytes.
	SchemaGrammar = 256 << 10
	// SchemaPattern is the longest pattern.
	SchemaPattern = 512
	// SchemaAnything is how deep a value nests about which the schema says nothing:
	// small models nest without an end.
	SchemaAnything = 3
	// SchemaBound is the largest minimum and maximum: doubles hold it exactly.
	SchemaBound = 1_000_000_000_000_000
	// SchemaReason is how much an error says; paths in schemas may be long.
	SchemaReason = 200
	// SchemaDigits bounds the digits of a number, as in a double.
	SchemaDigits = 16
)

// Limits of what calls the inference library.
const (
	// EngineText is the longest text that is made tokens of, in bytes: what the
	// schema lets in, with a template around it.
	EngineText = 4 << 20
	// EngineBatch is how many tokens are decoded at once at most; more than the
	// context was made for ends the process. Larger ones are not faster here.
	EngineBatch = 512
	// EngineOutputs is what the number of tokens whose logits a batch may give is
	// a multiple of. The library puts a list of as many numbers of 4 bytes in front
	// of what it computes, and aligns to 32 bytes: behind another number of them
	// each vector of 64 bytes lies across two lines of the cache.
	EngineOutputs = 16
	// EngineFirstChunk is how many tokens of the first prompt are read at once,
	// before it is known how long a token takes: on the slowest machine they take
	// less than EngineSilence.
	EngineFirstChunk = 16
	// EngineLeastChunk is how many are read at once on the slowest machine.
	EngineLeastChunk = 16
	// EngineBlock is how many rows the library's kernels for long prompts take at
	// once; a part of a block costs as much as a whole one.
	EngineBlock = 32
	// EngineMixed is how many tokens of a prompt are read together with tokens
	// that others write, so that these are not kept waiting; and hardly more than
	// take EngineStep.
	EngineMixed = 64
	// EngineGap is between two messages with text of one answer: what comes sooner
	// grows together, up to one message. A message wakes three processes, whose
	// processors the model's threads would have; nobody sees 30 a second apart.
	EngineGap = 33 * time.Millisecond
	// EnginePause is how long one step of the library's graph takes where only
	// prompts are read: a call ends between two of them. It leaves the rest of
	// EngineCancel to a busy machine. Half of it makes chunks that are read a
	// twentieth slower, twice it none that are read faster.
	EnginePause = 16 * time.Millisecond
	// EngineStep is how long reading a prompt may keep those waiting who write, at
	// each token: a reader hardly sees it, and less makes conversations that begin
	// together answer one after the other.
	EngineStep = 80 * time.Millisecond
	// EngineRows is how many rows of a batch the library's kernels take at once; one
	// to three cost as much as so many.
	EngineRows = 4
	// EngineCancel is how soon a call that is to end early has ended.
	EngineCancel = 50 * time.Millisecond
	// EngineEvents is how many events wait for who asked before the loop leaves
	// that one out: a second's worth.
	EngineEvents = 64
	// EnginePenaltyTokens is how far back a token counts as said before: the
	// library's own default.
	EnginePenaltyTokens = 64
	// EngineEmbedBatch is how many tokens of short texts make one batch: attention
	// is computed over all of it, so larger ones are slower.
	EngineEmbedBatch = 256
	// EngineEmbedTexts is how many texts make one batch.
	EngineEmbedTexts = 16
	// EngineThreads is how many threads an engine has at most, as in the schema.
	EngineThreads = 256
	// EngineNice is the priority of work that nobody waits for, the lowest.
	EngineNice = 19
	// EngineLogLine and EngineLogLines bound what is kept of the library's log, in
	// bytes and lines: the reason of a failure stands in the last few.
	EngineLogLine  = 512
	EngineLogLines = 32
	// EngineGraphicsTries is how often a model is loaded with fewer layers on the
	// graphics device, when it took more memory than was reckoned: the second is
	// reckoned from what the first took, the third is for an odd last layer.
	EngineGraphicsTries = 3
	// ExtractiveSentences is how many sentences the engine without weights says.
	ExtractiveSentences = 3
	// ExtractiveDimension is how many numbers its vectors have: few words of a
	// paragraph then share one.
	ExtractiveDimension = 256
)
