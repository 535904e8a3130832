/* Tests of frame.c, built with the sanitizers: what it must take, what it must
 * refuse, and a few hundred thousand inputs that nobody thought of. */
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(what) \
	do { \
		if (!(what)) { \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
			failures++; \
		} \
	} while (0)

/* Each buffer is as long as it may be read, so that a byte too many is seen. */
static uint8_t *exact(const void *p, size_t n)
{
	uint8_t *b = malloc(n == 0 ? 1 : n);
	if (n > 0)
		memcpy(b, p, n);
	return b;
}

static void headers(void)
{
	struct frame f = {0x01020, FRAME_REPLY, 0x1122334455667788}, g;
	uint8_t h[FRAME_HEADER];
	frame_write(&f, h);
	CHECK(memcmp(h, "\x20\x10\x00\x00\x03\x00\x00\x00\x88\x77\x66\x55\x44\x33\x22\x11", FRAME_HEADER) == 0);
	CHECK(frame_parse(h, &g) && g.length == f.length && g.type == f.type && g.id == f.id);
	for (int i = 5; i < 8; i++) {
		h[i] = 1;
		CHECK(!frame_parse(h, &g));
		h[i] = 0;
	}
	for (int t = 0; t < 256; t++) {
		h[4] = (uint8_t)t;
		CHECK(frame_parse(h, &g) == (t >= FRAME_CONFIG && t <= FRAME_RELOAD));
	}
	f.length = FRAME_PAYLOAD_MAX;
	frame_write(&f, h);
	CHECK(frame_parse(h, &g));
	f.length++;
	frame_write(&f, h);
	CHECK(!frame_parse(h, &g));
}

static bool split(const char *text, size_t n, size_t count)
{
	char *b = malloc(n + 1);
	memcpy(b, text, n);
	b[n] = 0;
	const char *f[CONFIG_FIELDS];
	bool ok = fields_split(b, n, f, count);
	size_t whole = 0;
	for (size_t i = 0; ok && i < count; i++)
		whole += strlen(f[i]) + 1;
	CHECK(!ok || whole == n || whole == n + 1);
	free(b);
	return ok;
}

static void fields(void)
{
	CHECK(split("a\0b\0c", 5, 3));
	CHECK(split("a\0b\0c\0", 6, 3));
	CHECK(split("\0\0", 2, 3));
	CHECK(!split("a\0b", 3, 3));
	CHECK(!split("a\0b\0c\0d", 7, 3));
	CHECK(!split("", 0, 3));
}

static void secrets(void)
{
	uint8_t a[SECRET_LENGTH], b[SECRET_LENGTH];
	memset(a, 'x', sizeof a);
	memcpy(b, a, sizeof b);
	CHECK(secret_equal(a, b));
	for (int i = 0; i < SECRET_LENGTH; i++) {
		b[i] ^= 0x80;
		CHECK(!secret_equal(a, b));
		b[i] ^= 0x80;
	}
}

static void characters(void)
{
	uint8_t bytes[256], text[512], back[512];
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	size_t n = latin1_encode(bytes, sizeof bytes, text);
	CHECK(n == 384 && latin1_decode(text, n, back) == 256 && memcmp(bytes, back, 256) == 0);
	/* Above 255, surrogates, overlong, cut off, stray. */
	const char *bad[] = {"\xc4\x80", "\xe2\x82\xac", "\xed\xa0\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc3", "\x80", "\xf0\x9f\x98\x80", "a\xff"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint8_t *b = exact(bad[i], strlen(bad[i]));
		CHECK(latin1_decode(b, strlen(bad[i]), back) == -1);
		free(b);
	}
}

static size_t lines;

static void count_line(const char *name, const char *value, void *data)
{
	(void)data;
	lines++;
	CHECK(name[0] != 0 && strlen(value) < 1000);
}

static bool head(const void *p, size_t n, unsigned *status)
{
	uint8_t *b = exact(p, n);
	lines = 0;
	bool ok = response_head(b, n, status, count_line, NULL);
	free(b);
	return ok;
}

static void responses(void)
{
	unsigned s;
	CHECK(head("\xc8\x00", 2, &s) && s == 200 && lines == 0);
	CHECK(head("\x94\x01" "A: b\nContent-Type: text/html\n", 31, &s) && s == 404 && lines == 2);
	CHECK(head("\xc8\x00" "A: \n", 6, &s) && lines == 1);
	const char *bad[] = {"A: b", "A:b\n", ": b\n", "A\n: b\n", "A b\n", "A: b\r\n", "\n", "A: b\n\n"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char b[32] = "\xc8";
		memcpy(b + 2, bad[i], strlen(bad[i]));
		CHECK(!head(b, 2 + strlen(bad[i]), &s));
	}
	CHECK(!head("", 0, &s) && !head("\xc8", 1, &s) && !head("\x63\x00", 2, &s) && !head("\x58\x02", 2, &s));
}

static uint32_t seed = 1;

static uint32_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	return seed ^= seed << 5;
}

static void anything(void)
{
	static const char likely[] = "\0\n: \xc2\xc3\x80\xff" "abA\r";
	for (int i = 0; i < 300000; i++) {
		size_t n = roll() % 48;
		uint8_t *b = malloc(n + 1), *out = malloc(2 * n + 1), *again = malloc(4 * n + 1);
		for (size_t j = 0; j < n; j++)
			b[j] = roll() % 4 ? (uint8_t)likely[roll() % (sizeof likely - 1)] : (uint8_t)roll();
		ptrdiff_t m = latin1_decode(b, n, out);
		CHECK(m >= -1 && m <= (ptrdiff_t)n);
		if (m >= 0)
			CHECK(latin1_encode(out, (size_t)m, again) == n && memcmp(again, b, n) == 0);
		b[n] = 0;
		split((char *)b, n, 1 + roll() % CONFIG_FIELDS);
		if (n >= 2 && roll() % 2) {
			b[0] = 0xc8;
			b[1] = 0;
		}
		unsigned s;
		head(b, n, &s);
		struct frame f;
		if (n >= FRAME_HEADER && frame_parse(b, &f))
			CHECK(f.length <= FRAME_PAYLOAD_MAX);
		free(b);
		free(out);
		free(again);
	}
}

int main(void)
{
	headers();
	fields();
	secrets();
	characters();
	responses();
	anything();
	return failures > 0;
}
