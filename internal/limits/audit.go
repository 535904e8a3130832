package limits

import "time"

// The audit log's format and its writer.
const (
	// AuditToken caps every clear-text field of a record. The longest is a
	// method name or "sha256:" and 64 hex digits; twice that leaves room.
	AuditToken = 128
	// AuditDetail caps the sealed detail of one record, as JSON, in bytes: four
	// of Linux's longest paths in base64 fit, and a record with its detail opened
	// stays below a Show response (60,000 bytes).
	AuditDetail = 24 << 10
	// AuditDetailKeys caps the entries of one detail.
	AuditDetailKeys = 64
	// AuditLine caps one line of the log: a record with the largest detail in
	// base64 is 33 KiB, a checkpoint with a full batch's leaves 24 KiB.
	AuditLine = 64 << 10
	// AuditBatchRecords caps the records under one checkpoint, so that its
	// leaves fit a line and a verifier's memory stays flat.
	AuditBatchRecords = 512
	// AuditBatchBytes caps one write, so that one batch cannot hold up the next
	// intent for long (1 MiB is a few milliseconds on any disk).
	AuditBatchBytes = 1 << 20
	// AuditGather caps the turns of the scheduler that a batch waits for more
	// callers; each is below a microsecond when nobody can run.
	AuditGather = 32
	// AuditQueue caps the records that wait to be written; more block. At 1 KiB
	// each it is 4 MiB of the core's 20.
	AuditQueue = 4096
	// AuditNoteLinger is how long a buffered record may wait for company. A
	// person who reads the log an instant later still sees it.
	AuditNoteLinger = 20 * time.Millisecond
	// AuditRetry is the pause before buffered records are tried again on a full
	// disk.
	AuditRetry = time.Second
	// AuditHeartbeat bounds what can be cut off unseen while a core runs.
	AuditHeartbeat = 5 * time.Minute
	// AuditSlot is the size of one of the two halves of the checkpoint file: a
	// file-system block, so that a torn write harms one half only. The largest
	// frontier (63 hashes) and checkpoint fit.
	AuditSlot = 4096
	// AuditSlotReads is how often a reader tries again when it met the writer
	// in the middle of a half.
	AuditSlotReads = 64
	// AuditPublicKey caps the public key file.
	AuditPublicKey = 1024
	// AuditApps caps the apps whose keys the writer holds in memory.
	AuditApps = 4096
	// AuditProofBlock is the number of records (a power of two) whose lower
	// tree levels an export holds at once: memory is 64 bytes for each of them
	// and for each such block of the log (420 KB for a 2 GB log).
	AuditProofBlock = 1024
	// AuditExportLine caps one line of an export: a record, its proof of at
	// most 63 hashes, and the names around them.
	AuditExportLine = AuditLine + 8<<10
	// AuditReason caps a sentence of a report; ours are far below.
	AuditReason = 1024
	// AuditAsides caps the broken logs that are kept beside the current one.
	AuditAsides = 1000
	// AuditPause is how many records are read between two looks at whether the
	// caller has given up: a few milliseconds.
	AuditPause = 1024
	// AuditCheckAtStart caps the records that a start checks before the core is
	// ready. As one command writes them, a batch for each one or two, that takes
	// 15 µs a record on a busy machine: 30 ms of the 300 ms that a first answer
	// may take. A longer log is checked beside the first answers.
	AuditCheckAtStart = 2000
	// JournalDatagram caps a message to the system journal; ours are far below.
	JournalDatagram = 4096
	// JournalWait is how long a datagram may wait for room in a busy journal's
	// queue; the log's writer stands still meanwhile.
	JournalWait = 100 * time.Millisecond
)
