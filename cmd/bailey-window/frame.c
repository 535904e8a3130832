#include "frame.h"

#include <string.h>

static uint64_t load(const uint8_t *p, int bytes)
{
	uint64_t v = 0;
	while (bytes-- > 0)
		v = v << 8 | p[bytes];
	return v;
}

static void store(uint8_t *p, int bytes, uint64_t v)
{
	for (int i = 0; i < bytes; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

bool frame_parse(const uint8_t header[FRAME_HEADER], struct frame *out)
{
	out->length = (uint32_t)load(header, 4);
	out->type = header[4];
	out->id = load(header + 8, 8);
	return out->length <= FRAME_PAYLOAD_MAX && out->type >= FRAME_CONFIG && out->type <= FRAME_RELOAD &&
	       load(header + 5, 3) == 0;
}

void frame_write(const struct frame *f, uint8_t header[FRAME_HEADER])
{
	memset(header, 0, FRAME_HEADER);
	store(header, 4, f->length);
	header[4] = f->type;
	store(header + 8, 8, f->id);
}

bool fields_split(const char *data, size_t length, const char **fields, size_t count)
{
	size_t have = 0;
	const char *end = data + length;
	while (have < count) {
		fields[have++] = data;
		const char *nul = memchr(data, 0, (size_t)(end - data));
		if (nul == NULL)
			return have == count;
		data = nul + 1;
	}
	return data == end;
}

bool secret_equal(const uint8_t *a, const uint8_t *b)
{
	volatile uint8_t differ = 0;
	for (size_t i = 0; i < SECRET_LENGTH; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

ptrdiff_t latin1_decode(const uint8_t *utf8, size_t n, uint8_t *out)
{
	size_t o = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = utf8[i];
		if (c >= 0x80) {
			/* Two bytes, of which the first is 0xc2 or 0xc3: 128 to 255. */
			if ((c & 0xfe) != 0xc2 || i + 1 >= n || (utf8[i + 1] & 0xc0) != 0x80)
				return -1;
			c = (uint8_t)(c << 6 | (utf8[++i] & 0x3f));
		}
		out[o++] = c;
	}
	return (ptrdiff_t)o;
}

size_t latin1_encode(const uint8_t *bytes, size_t n, uint8_t *out)
{
	size_t o = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = bytes[i];
		if (c >= 0x80) {
			out[o++] = (uint8_t)(0xc0 | c >> 6);
			c = (uint8_t)(0x80 | (c & 0x3f));
		}
		out[o++] = c;
	}
	return o;
}

bool response_head(uint8_t *payload, size_t n, unsigned *status, response_line each, void *data)
{
	if (n < 2)
		return false;
	*status = (unsigned)load(payload, 2);
	if (*status < 200 || *status > 599)
		return false;
	char *p = (char *)payload + 2, *end = (char *)payload + n;
	while (p < end) {
		char *eol = memchr(p, '\n', (size_t)(end - p));
		char *colon = memchr(p, ':', (size_t)(end - p));
		if (eol == NULL || colon == NULL || colon == p || colon + 1 >= eol || colon[1] != ' ' ||
		    memchr(p, 0, (size_t)(eol - p)) != NULL || memchr(p, '\r', (size_t)(eol - p)) != NULL)
			return false;
		*colon = 0;
		*eol = 0;
		each(p, colon + 2, data);
		p = eol + 1;
	}
	return true;
}
