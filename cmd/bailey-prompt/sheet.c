#include "sheet.h"

#include <string.h>

enum { HEADER = 5 };

static uint32_t length_at(const unsigned char *b)
{
	return (uint32_t)b[1] | (uint32_t)b[2] << 8 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 24;
}

ptrdiff_t sheet_size(const unsigned char *b, size_t n)
{
	size_t at = 0;

	while (at + HEADER <= SHEET_MAX) {
		if (n < at + HEADER)
			return 0;
		uint32_t length = length_at(b + at);
		bool end = b[at] == TAG_END;
		if (b[at] >= TAGS || end != (length == 0) || length > SHEET_MAX)
			return -1;
		at += HEADER + length;
		if (end)
			return (ptrdiff_t)at;
	}
	return -1;
}

/* one_char reads a character of UTF-8 (RFC 3629: no longer form than needed, no
 * surrogate) and returns its length, 0 if it is none. */
static size_t one_char(const unsigned char *s, size_t n, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;

	if (length == 0 || length > n)
		return 0;
	*c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		*c = *c << 6 | (s[i] & 0x3fu);
	}
	if (*c < least[length] || *c > 0x10ffff || *c >> 11 == 0x1b)
		return 0;
	return length;
}

/* drawable says whether all of a text may be shown. The core has made visible
 * what could act; this is the second look: no control character, nothing that
 * turns the direction of what follows it. */
static bool drawable(const unsigned char *s, size_t n)
{
	uint32_t c = 0;

	for (size_t i = 0, length; i < n; i += length) {
		length = one_char(s + i, n - i, &c);
		if (length == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e))
			return false;
	}
	return true;
}

static bool number(const char *s, unsigned least, unsigned most, unsigned *out)
{
	unsigned n = 0;

	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > most)
			return false;
		n = n * 10 + (unsigned)(*s - '0');
	}
	*out = n;
	return n >= least && n <= most;
}

static bool is(const char *s, const char *a, const char *b)
{
	return !s || !strcmp(s, a) || (b && !strcmp(s, b));
}

static bool repeats(enum tag t)
{
	return (t >= TAG_GROUP && t <= TAG_STOP) || t == TAG_WORDS_OF || t == TAG_WORDS;
}

/* follows says whether a part may come after another: an object after its row, a
 * detail within its row, an app's words after the label that says so. */
static bool follows(enum tag t, enum tag before)
{
	if ((before == TAG_ROW) != (t == TAG_OBJECT) || (before == TAG_WORDS_OF) != (t == TAG_WORDS))
		return false;
	if (t == TAG_DETAIL)
		return before == TAG_OBJECT || before == TAG_DETAIL;
	return before != TAG_GROUP || t == TAG_ROW;
}

static const char *add(struct sheet *s, enum tag t, const char *text)
{
	if (!repeats(t)) {
		if (s->one[t])
			return "a field stands twice";
		s->one[t] = text;
		return NULL;
	}
	if (s->items == SHEET_ITEMS || (t == TAG_ROW && s->rows == SHEET_ROWS))
		return "too many parts";
	if (!follows(t, s->items ? s->item[s->items - 1].tag : TAG_STOP))
		return "parts out of order";
	if (t == TAG_ROW) {
		if (!is(text, "x", " ") && !is(text, "xt", " t"))
			return "a row that is neither ticked nor not";
		s->rows++;
	}
	s->item[s->items++] = (struct item){t, text};
	return NULL;
}

static const char *check(struct sheet *s, bool picker)
{
	static const enum tag always[] = {TAG_TITLE, TAG_NO, TAG_SCALE, TAG_LANGUAGE};
	static const enum tag asked[] = {TAG_INERT, TAG_UNREAD, TAG_WAIT};
	static const enum tag never[] = {TAG_INERT, TAG_UNREAD, TAG_WAIT, TAG_ENTER, TAG_WARNING};
	static const enum tag both[] = {TAG_HEADING, TAG_TIMEOUT, TAG_HASH};
	bool notice = !s->one[TAG_YES];

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (!s->one[always[i]])
			return "a field is missing";
	if (!number(s->one[TAG_SCALE], SHEET_SCALE_MIN, SHEET_SCALE_MAX, &s->scale) ||
	    !is(s->one[TAG_SCHEME], "dark", "light") || !is(s->one[TAG_CONTRAST], "high", NULL) ||
	    !is(s->one[TAG_MOTION], "reduced", NULL) || !is(s->one[TAG_ENTER], "never", NULL))
		return "a setting that does not exist";
	if (picker)
		return s->items ? "a picker asks nothing" : notice ? "a field is missing" : NULL;
	for (size_t i = 0; i < sizeof both / sizeof *both; i++)
		if (!s->one[both[i]])
			return "a field is missing";
	for (size_t i = 0; notice && i < sizeof never / sizeof *never; i++)
		if (s->one[never[i]])
			return "a notice asks nothing";
	for (size_t i = 0; notice && i < s->items; i++)
		if (s->item[i].tag != TAG_DENIES && s->item[i].tag != TAG_STOP)
			return "a notice asks nothing";
	for (size_t i = 0; !notice && i < sizeof asked / sizeof *asked; i++)
		if (!s->one[asked[i]])
			return "a field is missing";
	if (s->items == 0 || (!notice && s->rows == 0) || !follows(TAG_STOP, s->item[s->items - 1].tag))
		return "parts out of order";
	if ((!notice && !number(s->one[TAG_INERT], 1, SHEET_TIME_MAX, &s->inert)) ||
	    !number(s->one[TAG_TIMEOUT], 1, SHEET_TIME_MAX, &s->timeout))
		return "a time that is not sensible";
	if (strlen(s->one[TAG_HASH]) != SHEET_HASH || strspn(s->one[TAG_HASH], "0123456789abcdef") != SHEET_HASH)
		return "no action hash";
	return NULL;
}

const char *sheet_parse(struct sheet *s, unsigned char *b, size_t n, bool picker)
{
	memset(s, 0, sizeof *s);
	if (n == 0 || n > SHEET_MAX || sheet_size(b, n) != (ptrdiff_t)n)
		return "not one whole sheet";
	enum tag t = b[0];
	for (size_t at = 0; t != TAG_END;) {
		unsigned char *text = b + at + HEADER;
		uint32_t length = length_at(b + at);
		if (!drawable(text, length))
			return "a text that cannot be shown";
		/* The next field's tag gives way to the end of this text. */
		at += HEADER + length;
		enum tag next = b[at];
		b[at] = 0;
		const char *wrong = add(s, t, (const char *)text);
		if (wrong)
			return wrong;
		t = next;
	}
	return check(s, picker);
}
