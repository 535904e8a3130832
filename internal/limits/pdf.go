package limits

import "time"

// Limits of reading PDF files.
const (
	// PDFFile is the largest PDF that is read, in bytes: a scanned book with its
	// text layer. It is read by pieces, never as a whole.
	PDFFile = 512 << 20
	// PDFPiece is how much of one is hashed between two looks at whether anybody still
	// waits, in bytes: some milliseconds.
	PDFPiece = 1 << 20
	// PDFModulePages bounds the memory of the module that reads, in pages of 64 KB:
	// 256 MB. It starts with 18 MB; a book of 1,000 pages with pictures takes 40.
	PDFModulePages = 4096
	// PDFModuleKept is how large the memory of an instance may be, in bytes, for
	// the next document to be read with it: what a large one took is given back.
	PDFModuleKept = 64 << 20
	// PDFBlock is the most of a document that the module may ask for at once, in
	// bytes.
	PDFBlock = 64 << 20
	// PDFPages is the most pages that are read: the longest printed standards have
	// some 5,000.
	PDFPages = 20_000
	// PDFUnreadable is how many pages in a row may be unreadable before the rest is
	// taken for so too: a made-up number of pages ends there.
	PDFUnreadable = 200
	// PDFPageText is how many characters of one page are read: a dense page of a
	// newspaper has 20,000.
	PDFPageText = 200_000
	// PDFTitle is the longest title of a document, in bytes of UTF-16; longer ones
	// are none.
	PDFTitle = 1 << 10
	// PDFParagraphs and PDFParagraphBytes bound one message of the pdf worker; the
	// schema says the same. A longer paragraph is cut between two words.
	PDFParagraphs     = 256
	PDFParagraphBytes = 16 << 10
	// PDFDocument is the most paragraphs of a document: 50 on each of the most pages.
	PDFDocument = 1_000_000
	// PDFMessage is how much text one message brings, in bytes: below the schema's
	// limit by more than a paragraph.
	PDFMessage = 96 << 10
	// PDFTime is how long the reader may take for one document before it is ended:
	// the longest that is read, at a quarter of the speed that is promised.
	PDFTime = 120 * time.Second
	// PDFSilence is how long it may say nothing in between. A page takes
	// milliseconds; one of a map with all its lines, seconds.
	PDFSilence = 30 * time.Second
	// PDFReady bounds the start of a worker that has to compile its reader: four
	// seconds on a machine that does nothing else; 45 were seen at a load of 17.
	PDFReady = 180 * time.Second
	// PDFStart is how long an index waits for a pdf worker: one that compiles for
	// the cache, and one that is started then.
	PDFStart = 400 * time.Second
	// PDFFailures is how many pdf workers may end, or not answer, before an index
	// worker is given no more: each file that ends one costs another. The rest of the
	// folder's PDFs are skipped then.
	PDFFailures = 24
	// PDFStarts is how many it is given at all: one for each time that somebody looks
	// at a PDF after a while.
	PDFStarts = 500
	// PDFIdle is how long an index keeps a pdf worker for the next file: it takes 60
	// MB while it waits, and 0.2 seconds to start.
	PDFIdle = 5 * time.Second
	// PDFHeap is what a pdf worker's Go heap grows to before its collector works
	// more, in bytes: the module, its code and one instance.
	PDFHeap = 192 << 20
)
