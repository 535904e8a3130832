package limits

import "time"

// Limits of typing at the terminal.
const (
	// EditText is the longest text that is typed or pasted, bytes: a turn, as in
	// bailey.engine.v1.
	EditText = 524288
	// EditHistory is how many texts can be called back.
	EditHistory = 500
	// EditRead is how much is read from the terminal at once, bytes.
	EditRead = 4096
	// EditSequence is the longest control sequence of a key, bytes: terminals
	// send at most about ten.
	EditSequence = 32
	// EditEscape is how long the rest of a key's sequence is waited for: it comes
	// in one piece, or over a slow line a few milliseconds later. Longer makes Esc
	// slow.
	EditEscape = 50 * time.Millisecond
	// EditAhead is how many keys are kept that are typed during an answer.
	EditAhead = 4096
)

// Limits of a chat.
const (
	// ChatBlanks is how many blanks in a row are printed, and how much of a line's
	// beginning is looked at for a mark of code.
	ChatBlanks = 200
	// ChatCodeName is how long the name of a language is behind a fence of code in
	// what /save writes: all that highlighters know are shorter.
	ChatCodeName = 20
	// ChatWord is how long a word is that is printed before it ends, where it
	// cannot be taken back, bytes.
	ChatWord = 256
	// ChatKeep is the time between two writes of an answer that is being written:
	// what the end of the machine's power may cost.
	ChatKeep = time.Second
	// ChatKept is how long a write into the store is waited for; the chat goes on
	// without it then, and says so.
	ChatKept = 5 * time.Second
	// ChatReading is how long nothing is shown while a prompt is read.
	ChatReading = 750 * time.Millisecond
	// ChatListed is how many conversations a list shows in text; --json has all.
	ChatListed = 50
	// ChatUnwatched is how many tokens one answer has that nobody may be there to
	// stop, in a script: a small model that goes in circles would fill the context.
	ChatUnwatched = 2048
	// ChatModels is how many models are named in an error.
	ChatModels = 8
	// ChatModelName is how many characters of a model's name a list shows.
	ChatModelName = 32
	// SearchText is the longest text that is searched for, characters; the
	// schema's limit.
	SearchText = 1000
	// ChatID is the fewest digits that name a conversation.
	ChatID = 4
	// ChatTurn is the longest text of a turn, bytes; the schema's limit.
	ChatTurn = 524288
	// ChatSent is how much of a conversation is sent to an engine, bytes: the
	// schema's limit for the request, less its other fields.
	ChatSent = 720 << 10
	// ChatSchema is the longest JSON schema, bytes; the schema's limit.
	ChatSchema = 65536
	// TemperatureMost is the highest temperature, and ThreadsMost the most
	// threads, as in the schema.
	TemperatureMost = 5.0
	ThreadsMost     = 256
)

// Limits of `bailey bench tokens`.
const (
	// BenchRuns is how often it measures; the median counts.
	BenchRuns = 3
	// BenchPrompt is how long the prompt is, tokens, and BenchTokens how many are
	// written: as in most published figures.
	BenchPrompt = 512
	BenchTokens = 128
	// BenchCPUInfo is how much of the processor's description is read, bytes.
	BenchCPUInfo = 64 << 10
)
