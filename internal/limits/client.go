package limits

import "time"

// Limits of the command line and of the way to the core.
const (
	// SocketName is the longest path that a unix socket can be bound to on
	// Linux: sun_path holds 108 bytes, the last of them 0 (unix(7)).
	SocketName = 107

	// Links is how many links are followed on the way to a home, as many as the
	// kernel follows (path_resolution(7)).
	Links = 40

	// CoreStart is how long a client waits for a core that it started: the
	// targets ask for 300 ms from start to exit; a busy machine gets 50 times that.
	CoreStart = 15 * time.Second
	// CoreRetry is the pause between two looks for the core of another client
	// that is starting at the same moment. It doubles with every start up to
	// CoreRetryMost, so that a core that is long at its log is not drowned in
	// processes that only say "taken".
	CoreRetry     = 10 * time.Millisecond
	CoreRetryMost = 160 * time.Millisecond
	// CoreStarts is how many cores one command starts that become ready and are
	// gone before it reaches them: one may have been ended by `bailey stop`, two
	// by bad luck; after three it is broken.
	CoreStarts = 3
	// CoreLost is how many times a core that goes away in the first call is
	// called again: one that was ending, or was ended by `bailey stop`.
	CoreLost = 5
	// CoreAnswer is how long `bailey stop` waits for a core's own words before it
	// ends the process.
	CoreAnswer = 3 * time.Second
	// CoreGone is how long `bailey stop` waits for the core's orderly end
	// (workers killed, and the log's last fsync on a slow disk) before it kills it.
	CoreGone = 10 * time.Second
	// CoreKilled is how long a killed process may take to be gone.
	CoreKilled = 5 * time.Second
	// CoreStderr is how much is kept of what a core that failed to start says.
	CoreStderr = 4096

	// TaskEnd is how long an ending command waits to tell the core how its
	// task ended; the connection's end says the rest. Ctrl-C has 200 ms in all.
	TaskEnd = 100 * time.Millisecond

	// Interrupt is how long a command has to end by itself after Ctrl-C or
	// SIGTERM; then it ends where it stands, and the core ends its task.
	Interrupt = 150 * time.Millisecond

	// PromptLine is the longest answer that is read; more is "no".
	PromptLine = 256
	// PromptName is how many grapheme clusters of a name that is not the
	// object itself are shown.
	PromptName = 80
	// PromptDigest is how many digits of a digest are shown: 48 bits, enough to
	// compare by eye with what a publisher prints.
	PromptDigest = 12
	// Marks is how many combining marks are drawn on one character; more
	// would paint over the lines above and below.
	Marks = 4

	// ProgressEvery is the shortest time between two drawings of the progress
	// line; a person reads no faster.
	ProgressEvery = 100 * time.Millisecond
	// LineWidth is the width of a line of text where the terminal is wider or
	// does not say: longer lines are hard to read.
	LineWidth = 100
	// LineWidthMin is the width below which nothing is wrapped.
	LineWidthMin = 20
	// TimeoutEarly is how long before its own end of --timeout a client takes an
	// error of the core's for that end: deadlines travel in milliseconds, and a
	// loaded machine wakes one process before the other.
	TimeoutEarly = 50 * time.Millisecond
	// SkippedShown is how many skipped files are named in text; the rest is
	// counted, and all are in the JSON.
	SkippedShown = 5
	// LicencesShown is how many licences are named in text, for the same reason.
	LicencesShown = 6
	// SkippedKept is how many skipped files the JSON lists, and
	// SkippedBytesKept how many bytes their names, reasons and hints may have: a
	// folder of 200,000 unreadable files with names of 150 bytes fits, a hostile
	// worker does not fill the memory. The rest is counted.
	SkippedKept      = 200_000
	SkippedBytesKept = 32 << 20
	// SkippedReasons is how many reasons are counted apart: three times as many
	// as docs/skipped.md has.
	SkippedReasons = 64
	// SentencesKept is how many sentences a command keeps; the schema allows
	// 500 to be asked for. SentenceBytesKept is how many bytes they may have with
	// their citations: 500 of the longest with one citation each are 4 MB.
	SentencesKept     = 4096
	SentenceBytesKept = 32 << 20
	// TimeoutMax is the longest --timeout.
	TimeoutMax = 24 * time.Hour
	// QuestionBytes is the longest question, as in the schema.
	QuestionBytes = 2000
	// AllowDirs is how many --allow-read one command takes.
	AllowDirs = 16
)
