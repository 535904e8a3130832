package doc

// Reason says in one word why a file or directory was not read. Reasons are
// API: docs/skipped.md lists them.
type Reason string

// The reasons.
const (
	Read       Reason = "" // it was read
	Binary     Reason = "binary"
	Empty      Reason = "empty"
	Encoding   Reason = "encoding"
	TooLarge   Reason = "too-large"
	Archive    Reason = "archive-too-large"
	Damaged    Reason = "archive-damaged"
	Unreadable Reason = "unreadable"
	Link       Reason = "link"
	Special    Reason = "special"
	Ignored    Reason = "ignored"
	Costly     Reason = "ignore-file-costly"
	Hidden     Reason = "hidden"
	Generated  Reason = "generated"
	Secret     Reason = "secret"
	Vanished   Reason = "vanished"
	Changed    Reason = "changed"
	TooDeep    Reason = "too-deep"
	TooMany    Reason = "too-many"
	IOError    Reason = "io-error"
	Locked     Reason = "password"
	OldFormat  Reason = "old-format"
	LargeDoc   Reason = "document-too-large"
	BadDoc     Reason = "document-damaged"
	NoText     Reason = "no-text"
	PDFDamaged Reason = "pdf-damaged"
	PDFCostly  Reason = "pdf-costly"
	NoReader   Reason = "pdf-reader"
	Faulty     Reason = "reader-failed"
)

// Skipped is one file or directory that was not read.
type Skipped struct {
	// Path is relative to the granted directory, as the file system has it.
	Path   []byte
	Reason Reason
	Hint   string
}

// ReasonEntry is what the table says of one reason.
type ReasonEntry struct {
	Reason Reason
	// Hint is what the person can do about it; may be empty.
	Hint string
	// Page explains the reason in docs/skipped.md.
	Page string
}

// Reasons lists every reason, in the order of docs/skipped.md.
func Reasons() []ReasonEntry {
	return []ReasonEntry{
		{Binary, "", "The file is not text: it has a NUL byte in its first 8 KB and is not UTF-16, or its name ends as pictures, sound, programs and archives do."},
		{Empty, "", "The file holds nothing, or white space only."},
		{Encoding, "convert the file to UTF-8", "The bytes are not UTF-8, UTF-16 or a Western single-byte encoding."},
		{TooLarge, "split the file", "Text over 64 MB is not read. The size alone decides; such a file is never opened for reading."},
		{Archive, "unpack it yourself if you trust it", "The gzip file unpacks to more than 64 MB, or to more than 200 times its size, as bombs do."},
		{Damaged, "pack it again", "The gzip file is cut off, or its checksum is wrong."},
		{Unreadable, "let others read it (chmod o+r, for a folder o+rx)", "The system does not let the worker's own user read it. The worker runs without your rights."},
		{Link, "", "Symbolic links are never followed. What they point at is read anyhow where it lies in the folder, and not at all where it lies outside."},
		{Special, "", "A pipe, socket or device."},
		{Ignored, "name it with ! in a .baileyignore file to read it", "A .gitignore, .ignore or .baileyignore file excludes it. An ignored directory is listed once; of ignored files only the first 20 are listed, the others counted."},
		{Costly, "split or simplify its rules", "An ignore file larger than 256 KB, with more than 5000 rules together with those of the folders above it, or whose patterns take too long to compare. None of its rules is obeyed; keys and the like are skipped all the same."},
		{Hidden, "name it with ! in a .baileyignore file to read it", "Its name begins with a dot."},
		{Generated, "name it with ! in a .baileyignore file to read it", "A directory of build products or of other people's packages, such as node_modules, or one that holds a CACHEDIR.TAG."},
		{Secret, "", "Its name or its first line is that of a key, a password store or a browser profile. These are never read."},
		{Vanished, "run the command again", "It was there when the folder was listed and gone when it was to be read."},
		{Changed, "run the command again", "It changed while it was being read."},
		{TooDeep, "grant a folder further down", "More than 100 levels below the granted folder, or a path of more than 4096 bytes."},
		{TooMany, "grant a part of the folder", "The directory has more than 1,048,576 entries; those beyond were not read."},
		{IOError, "check the disk", "The system reported an error while reading."},
		{Locked, "save a copy without its password", "The PDF, office file or book is opened with a password or by its seller's program alone; Bailey asks for no passwords."},
		{OldFormat, "save it as .docx, .xlsx or .pptx, or as .odt, .ods or .odp", "A file of Word, Excel or PowerPoint in their formats from before 2007 (.doc, .xls, .ppt)."},
		{LargeDoc, "save a part of it as a file of its own, or as plain text", "The office file or book holds more than is read of one: 32 MB of text, 1,048,576 paragraphs or rows, 10,000 slides, sheets or chapters, 10,000 files, 128 MB of XML or 8 million tags in all, 256 elements in each other, a tag of 1 MB. Or it unpacks to more than 500 times its size, as bombs do."},
		{BadDoc, "open it in its own program and save it again", "The file is named as an office file or a book, is a zip archive, and is none that can be read: cut off, a wrong checksum, two files of one name or in one place, a part that is missing or is no XML, or XML with a document type, which these formats forbid."},
		{NoText, "run OCR over it, for example with ocrmypdf", "The PDF has pages and no text: they are pictures, as a scanner makes them, or empty."},
		{PDFDamaged, "open it in a viewer and save it again", "The file is named .pdf and is no PDF that can be read: it is cut off, or no page of it is whole."},
		{PDFCostly, "print the part that you need to a new PDF", "Reading the PDF took more than 256 MB of memory or 2 minutes, it has more than 20,000 pages or 64 MB of text, or the reader ended on it, as crafted files make it. Nothing but its own reader was harmed."},
		{NoReader, "run the command again", "The reader for PDFs could not be started, or so many files ended it that it was not started again."},
		{Faulty, "run the command again, and report it if that does not help", "Bailey's own reader failed on the file, which is a fault of Bailey's and not of the file. All other files were read. It is tried again each time."},
	}
}

// Skip returns a Skipped with the reason's own hint.
func Skip(path string, r Reason) Skipped {
	for _, e := range Reasons() {
		if e.Reason == r {
			return Skipped{Path: []byte(path), Reason: r, Hint: e.Hint}
		}
	}
	return Skipped{Path: []byte(path), Reason: r}
}
