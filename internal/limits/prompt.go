package limits

import "time"

// The window that asks, and the one that lets a person pick a folder. The same
// numbers stand in cmd/bailey-prompt/sheet.h.
const (
	// PromptSheet bounds what one prompt may say, bytes: 32 rows with the longest
	// path each and its details.
	PromptSheet = 256 << 10
	// PromptRows bounds the grants of one prompt: nobody reads more.
	PromptRows = 32
	// PromptParts bounds the groups, rows, lines and paragraphs of one prompt: 32
	// rows with ten lines each, and as much again.
	PromptParts = 768
	// PromptTimeMax bounds the times that a sheet may name.
	PromptTimeMax = time.Hour
	// PromptScaleMin and PromptScaleMax bound the size of text, thousandths:
	// smaller is not readable, larger does not fit a screen.
	PromptScaleMin = 500
	PromptScaleMax = 4000
	// PromptAnswer bounds the line that comes back, bytes: the hash and the
	// number of every row.
	PromptAnswer = 512
	// PromptGrace is how much longer than a person the process has, to say itself
	// that the time is over.
	PromptGrace = 2 * time.Second
	// NoticeTimeout is how long a notice stands that nobody closes: long enough to be
	// read by who comes back to the screen, and no longer than the command that shows
	// it should be waited for.
	NoticeTimeout = 30 * time.Second
	// PickedPath bounds the path of a folder, bytes: Linux's longest.
	PickedPath = 4096
	// PickTimeout is how long a person may look for a folder. It holds nothing
	// but one process.
	PickTimeout = 10 * time.Minute
)
