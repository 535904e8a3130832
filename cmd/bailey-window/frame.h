/* The frames between a window and the core, as bytes. No I/O and no GLib, so
 * that it can be tested alone, under the sanitizers.
 *
 * A frame is a header of 16 bytes, little endian: u32 length of the payload, u8
 * type, u8 zero, u16 zero, u64 id; then the payload. A descriptor rides on the
 * frame's first byte. */
#ifndef BAILEY_FRAME_H
#define BAILEY_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 16
/* What a page may send in one message, and the envelope around it. */
#define MESSAGE_MAX ((size_t)1 << 20)
#define FRAME_PAYLOAD_MAX (MESSAGE_MAX + 4096)
/* 128 random bits as hexadecimal digits. */
#define SECRET_LENGTH 32
/* The fields of CONFIG and of SETTINGS. */
#define CONFIG_FIELDS 10
#define SETTINGS_FIELDS 4

enum frame_type {
	/* core to host */
	FRAME_CONFIG = 1,
	FRAME_RESPONSE,
	FRAME_REPLY,
	FRAME_SETTINGS,
	FRAME_RAISE,
	FRAME_CLOSE,
	FRAME_RELOAD,
	/* host to core */
	FRAME_READY = 16,
	FRAME_REQUEST,
	FRAME_CALL,
	FRAME_REFUSED,
	FRAME_CANCELLED,
	FRAME_DOCUMENT,
	FRAME_CRASHED,
	FRAME_CLOSED,
	FRAME_DROPPED,
	FRAME_BLANK,
};

struct frame {
	uint32_t length;
	uint8_t type;
	uint64_t id;
};

/* False when the header breaks the form, or is none that the core sends. */
bool frame_parse(const uint8_t header[FRAME_HEADER], struct frame *out);
void frame_write(const struct frame *f, uint8_t header[FRAME_HEADER]);

/* Splits strings that are separated by NUL into exactly count pointers into
 * data, whose byte behind the last one must be NUL. False when there are more or
 * fewer. */
bool fields_split(const char *data, size_t length, const char **fields, size_t count);

/* Compares SECRET_LENGTH characters in a time that does not depend on them. */
bool secret_equal(const uint8_t *a, const uint8_t *b);

/* Pages have no bytes, only characters: a byte is the character of its number.
 * latin1_decode makes bytes of UTF-8 and returns how many, or -1 when a
 * character is above 255 or the UTF-8 is damaged; out has room for n.
 * latin1_encode makes UTF-8 of bytes and returns how many; out has room for 2 n. */
ptrdiff_t latin1_decode(const uint8_t *utf8, size_t n, uint8_t *out);
size_t latin1_encode(const uint8_t *bytes, size_t n, uint8_t *out);

/* The head of a RESPONSE: a status, then lines "Name: value\n". response_head
 * calls each for every line, with both strings ended; it writes into payload.
 * False when it breaks the form; the status is from 200 to 599. */
typedef void (*response_line)(const char *name, const char *value, void *data);
bool response_head(uint8_t *payload, size_t n, unsigned *status, response_line each, void *data);

#endif
