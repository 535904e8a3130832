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
