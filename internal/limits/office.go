package limits

// Limits of reading office files and books: zip archives of XML. The archive is
// in memory (at most TextFile bytes of it); what is packed in it is read as a
// stream and never kept as a whole.
const (
	// OfficeEntries is how many files an archive may hold: presentations of a
	// thousand slides with their pictures have some five thousand.
	OfficeEntries = 10_000
	// OfficeName is the longest name of a file in an archive in bytes; writers
	// use fewer than a hundred.
	OfficeName = 1024
	// OfficeUnpacked is how much of one archive is unpacked in all, in bytes,
	// pictures apart, which are not: a table of half a million rows. It takes
	// a second or two.
	OfficeUnpacked = 128 << 20
	// OfficeRatio is the highest ratio of unpacked to packed bytes of one file.
	// Empty but formatted rows of a table pack 300 times; bombs come close to
	// deflate's own limit of 1032. A small file thus cannot cost much.
	OfficeRatio = 500
	// OfficeUnpackFree is how much of a file is unpacked before the ratio counts.
	OfficeUnpackFree = 4 << 20
	// OfficeTokens is how many tags and texts of one archive are read: as many
	// as OfficeUnpacked bytes have in files that people's programs write. It
	// bounds the time, at less than a microsecond each.
	OfficeTokens = 8_000_000
	// OfficeBeat is how many of them lie between two signs of life, in which the
	// caller may end it too: some tens of milliseconds.
	OfficeBeat = 1 << 16
	// OfficeToken is the longest tag, attribute or text between two tags in
	// bytes: a cell of a table has 32 KB at most, a run of text less.
	OfficeToken = 1 << 20
	// OfficeDepth is how deep elements may stand in each other: a table in a
	// table ten times over has 40.
	OfficeDepth = 256
	// OfficeText is how much text is made of one archive in bytes: twenty
	// times the longest novels.
	OfficeText = 32 << 20
	// OfficeParagraphs is how many paragraphs, rows or headings: as many rows
	// as a sheet may have.
	OfficeParagraphs = 1 << 20
	// OfficePages is how many slides, sheets or chapters.
	OfficePages = 10_000
	// OfficeNames is how many styles, relations and other names one archive may
	// define: the most that word processors allow.
	OfficeNames = 65_536
	// OfficeColumns is how many columns a sheet has.
	OfficeColumns = 16_384
	// OfficeRows is how many rows a sheet has.
	OfficeRows = 1 << 20
	// OfficeCell is the longest cell in bytes that is data; a row with a longer
	// one is a layout, and its cells are paragraphs.
	OfficeCell = 250
	// OfficeHeader is the longest name of a column in bytes: longer ones would
	// drown the values that they stand before.
	OfficeHeader = 60
	// OfficeChapter is the largest chapter of a book in bytes, which is kept as a
	// whole: some books are one chapter.
	OfficeChapter = 16 << 20
	// OfficeStyles is how many styles one style may be based on, one on the
	// other.
	OfficeStyles = 16
)
