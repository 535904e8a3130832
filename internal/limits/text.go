package limits

// Limits of reading a granted directory and of turning files into documents.
const (
	// TextFile is the largest text that is read, packed or not, in bytes. A
	// person's document is far below it; what is above is a dump or a log, and
	// one of them at a time must fit the worker's memory several times.
	TextFile = 64 << 20
	// TextSniff is how much of a file decides whether it is binary: as git and
	// grep do.
	TextSniff = 8 << 10
	// TextUnpackRatio is the highest ratio of unpacked to packed gzip data.
	// Text packs 3 to 20 times, extreme logs 100 times; gzip's own limit of
	// 1032 is what bombs come close to.
	TextUnpackRatio = 200
	// TextUnpackFree is how much may be unpacked before the ratio counts, in
	// bytes: small files of one repeated byte are harmless.
	TextUnpackFree = 1 << 20
	// WalkDepth is how many levels below the granted directory are read. One
	// descriptor is held for each level; real trees have below 40.
	WalkDepth = 100
	// WalkPath is the longest relative path in bytes: the schema's limit for a
	// path, and the kernel's PATH_MAX.
	WalkPath = 4096
	// WalkNames is how many entries of one directory are read: their names are
	// sorted in memory.
	WalkNames = 1 << 20
	// WalkListed is how many ignored files are named one by one; the rest are
	// only counted, since nobody reads such a list.
	WalkListed = 20
	// WalkIgnoreFile is the largest ignore file that is obeyed, in bytes: the
	// largest known collections of rules are below 100 KB. The files of all
	// levels above a directory are held at once.
	WalkIgnoreFile = 256 << 10
	// WalkIgnoreLine is the longest pattern in bytes; git's own matcher takes
	// time in the square of it.
	WalkIgnoreLine = 1024
	// WalkIgnoreRules is how many patterns are in force in one directory, of all
	// ignore files at and above it: each is tried on each name.
	WalkIgnoreRules = 5000
	// WalkIgnoreSteps is how many steps of matching one name may cost on
	// average, about 3 ns each: more than one for each rule, and together less
	// than opening the file.
	WalkIgnoreSteps = 8192
	// WalkIgnoreBurst is how many steps a walk may be ahead of that: costly
	// rules in a small folder take 0.2 s.
	WalkIgnoreBurst = 1 << 26
	// BlockText is the largest text of one block in bytes; what is longer is
	// cut at white space. Rankers and citations want passages, not books.
	BlockText = 16 << 10
	// BlockCode is the same for code and tables, which are cut at line ends.
	BlockCode = 2 << 10
	// BlockNesting is how deep lists, quotes and elements may stand in each
	// other before the rest is taken as flat text.
	BlockNesting = 64
	// DocPart is how many bytes of text are handed on at once: of a large file
	// only so much, several times, is in memory beside its source.
	DocPart = 2 << 20
	// DocTitle is the longest title in bytes.
	DocTitle = 300
	// DocLongLine is the length of a line in bytes above which, on average, a
	// file was made by a machine for machines.
	DocLongLine = 1000
	// SentenceText is the longest sentence in bytes that is kept whole; longer
	// ones are split at clause boundaries. Three of them fit on a screen.
	SentenceText = 420
)
