package limits

// Limits of telling what a file is and of reading its markup. All are sizes in
// bytes, of the file's beginning where nothing else is said: what has not shown
// itself by then is not looked for, so that a guess costs the same for any file.
const (
	// SniffMarkup: an XML, HTML or front matter opening stands in the first lines.
	SniffMarkup = 4 << 10
	// SniffPlain: two screens of prose tell it from a list, a log or a table.
	SniffPlain = 8 << 10
	// SniffDocBook: its first paragraph may come after a long internal DTD.
	SniffDocBook = 16 << 10
	// SniffRoff: a man page's first macro may come after a long licence comment.
	SniffRoff = 32 << 10
	// SniffMail: the head of a message ends well before.
	SniffMail = 4 << 10
	// SniffColumn: the indentation that all lines share shows in a few hundred.
	SniffColumn = 32 << 10
	// SniffLines: the usual length of lines shows in a thousand of them.
	SniffLines = 64 << 10
	// SniffPhrase: a licence header says what it is in its first paragraphs.
	SniffPhrase = 2000
	// SniffGenerated: tools say "do not edit" at the top.
	SniffGenerated = 2 << 10

	// TagBytes is the longest part of one tag whose attributes are looked at.
	TagBytes = 8 << 10
	// CellText is the longest table cell that is data; longer ones hold a page's
	// layout, as HTML of the nineties and mail do.
	CellText = 1500
	// LinkDestination is the longest target of a Markdown link; browsers cut
	// addresses at about this length.
	LinkDestination = 2000

	// LicenceFile is the largest file without a telling name that may be a
	// licence: the longest in use, the GPL 3 with its appendix, is 35 kB.
	LicenceFile = 64 << 10
	// LicenceWords is how much of a text is compared with licences.
	LicenceWords = 12 << 10
	// LicenceShort is the largest file that is an MIT, BSD, ISC or zlib licence
	// and nothing else.
	LicenceShort = 4000
	// LicenceNotice is the longest paragraph that is a notice about a licence.
	LicenceNotice = 3000

	// LanguageSample is how much prose is enough to guess its language.
	LanguageSample = 16 << 10

	// SummaryFileBytes is a file of usual length: one with more text matters
	// more, by the logarithm of how much.
	SummaryFileBytes = 2000

	// TextRead and TextPackedRead are how much is read at a time of a file, and
	// of a packed one: system calls cost little beside it, and memory is small.
	TextRead       = 64 << 10
	TextPackedRead = 16 << 10
	// DirRead is the room for one listing call: some 2,000 names.
	DirRead = 64 << 10
)
