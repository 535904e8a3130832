/* The sheet that a prompt shows, as bytes from the core: a run of fields, each a
 * byte of tag, the length of the text as little-endian 32 bits, and the text in
 * UTF-8. It ends with tag 0 of length 0. The other side is internal/prompthost.
 *
 * A sheet without TAG_YES is a notice: paragraphs and one button. It asks nothing,
 * so it has no rows and no wait, and no answer to it is a yes.
 *
 * Nothing here knows of GTK, so that it is fuzzed apart. */
#ifndef BAILEY_SHEET_H
#define BAILEY_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limits of internal/limits/prompt.go. */
#define SHEET_MAX (256 * 1024)
#define SHEET_ROWS 32
#define SHEET_SCALE_MIN 500
#define SHEET_SCALE_MAX 4000
#define SHEET_TIME_MAX (60 * 60 * 1000)
/* What is drawn apart: 32 rows of an object and ten lines, and as much again. */
#define SHEET_ITEMS 768
#define SHEET_HASH 64

enum tag {
	TAG_END = 0,
	TAG_TITLE = 1,
	TAG_HEADING = 2,
	TAG_GROUP = 3,
	TAG_ROW = 4, /* "x" or " ", then "t" if it can be unticked */
	TAG_OBJECT = 5,
	TAG_DETAIL = 6,
	TAG_DENIES = 7,
	TAG_STOP = 8,
	TAG_YES = 9,
	TAG_NO = 10,
	TAG_INERT = 11,
	TAG_TIMEOUT = 12,
	TAG_HASH = 13,
	TAG_WORDS_OF = 14,
	TAG_WORDS = 15,
	TAG_SCHEME = 16,
	TAG_SCALE = 17,
	TAG_LANGUAGE = 18,
	TAG_CONTRAST = 19,
	TAG_MOTION = 20, /* nothing here ever moves; taken and not used */
	TAG_ENTER = 21,
	TAG_UNREAD = 22,
	TAG_WAIT = 23,
	TAG_WARNING = 24,
	TAGS = 25,
};

struct item {
	enum tag tag;
	const char *text;
};

struct sheet {
	/* one holds the text of each tag that stands once, NULL if it is missing. */
	const char *one[TAGS];
	/* item holds groups, rows and paragraphs in their order. */
	struct item item[SHEET_ITEMS];
	size_t items;
	unsigned rows, inert, timeout, scale; /* milliseconds, thousandths */
};

/* sheet_size says how long the sheet at the beginning of b is: 0 if that cannot
 * be told from n bytes yet, -1 if it is none. */
ptrdiff_t sheet_size(const unsigned char *b, size_t n);

/* sheet_parse reads one whole sheet. Its texts stay in b, which it changes (each
 * text gets a NUL behind it). A picker's sheet has no question. It returns NULL,
 * or what is wrong. */
const char *sheet_parse(struct sheet *s, unsigned char *b, size_t n, bool picker);

#endif
