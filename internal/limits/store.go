package limits

import "time"

// Limits of the store worker: what is kept of conversations.
const (
	// StoreBytes is how large an app's database of conversations grows, bytes:
	// twenty years of ten long conversations a day. More is no-space, and what
	// is there stays.
	StoreBytes = 1 << 30
	// StoreFileSize is the largest file of the store worker, bytes: the database
	// with its slack. Its journal stays far below; a file that reached this would
	// end the process, so StoreBytes is refused before.
	StoreFileSize = 2 << 30
	// StoreMemory is what the store worker may take, bytes: the largest turn
	// several times over, and SQLite's cache.
	StoreMemory = 512 << 20
	// StoreHeap is what its Go heap grows to before the collector works more.
	StoreHeap = 48 << 20
	// StorePage is the database's page in bytes, SQLite's own default: turns are
	// some hundred bytes to some thousand.
	StorePage = 4096
	// StoreCache is what the database may cache, bytes.
	StoreCache = 4 << 20
	// StoreJournal is how much of the journal is left to be read at the next
	// start, bytes: as IndexJournal.
	StoreJournal = 1 << 20
	// StoreChecked is the largest database that is checked whole when it is
	// opened, bytes: 30 ms. Damage in a larger one is found when it is read, by
	// the checksum of each turn.
	StoreChecked = 16 << 20
	// StoreID is how many bytes of chance make an id; twice as many characters
	// are typed.
	StoreID = 6
	// StoreTurns is how many turns one conversation has: as many as a model is
	// sent, see bailey.engine.v1.
	StoreTurns = 4096
	// StoreConversation is how much text one conversation has, bytes: ten times
	// the longest context of today's models. It bounds what one transaction
	// writes.
	StoreConversation = 64 << 20
	// StoreConversations is how many are kept.
	StoreConversations = 100_000
	// StoreEmpty is how long a conversation that was begun and has no turn is
	// kept.
	StoreEmpty = 24 * time.Hour
	// StoreTitle is the longest title in characters: a line of a list.
	StoreTitle = 80
	// StoreExcerpt is the longest excerpt of a search result in characters, and
	// StoreExcerptWords how many words FTS5 puts into it.
	StoreExcerpt      = 240
	StoreExcerptWords = 24
	// StoreFound is how many turns a search returns unless told.
	StoreFound = 50
	// StoreSearchWords is how many words of a search are looked at.
	StoreSearchWords = 32
	// StoreSetAside is how many damaged databases stand beside the good one; with
	// so many the disk is broken, and nothing more is begun.
	StoreSetAside = 16
	// StoreVacuum is how many pages are given back to the disk in one
	// transaction: 8 MB of journal.
	StoreVacuum = 2000
	// StoreBusy is how long the database of a worker that was just ended is
	// waited for.
	StoreBusy = 2 * time.Second
	// StoreBlock is how much is overwritten at once, bytes.
	StoreBlock = 64 << 10
)
