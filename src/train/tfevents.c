/* Event records: see tfevents.h. Field numbers are those of event.proto and summary.proto of TensorFlow. */
#include "train/tfevents.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum { HEADER = 12, FOOTER = 4 }; /* length and its checksum; the message's checksum */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* protobuf's wire types */

uint32_t tp_crc32c(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < n; i++) {
		crc ^= b[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* TFRecord stores checksums turned and shifted, so that one over data with checksums in it is still a good one. */
static uint32_t masked(const void *p, size_t n)
{
	uint32_t crc = tp_crc32c(p, n);
	return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void put_byte(tp_tfevent *e, uint8_t b)
{
	assert(e->len < sizeof e->v);
	e->v[e->len++] = b;
}

static void put_little(tp_tfevent *e, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		put_byte(e, (uint8_t)(v >> 8 * i));
}

static void put_varint(tp_tfevent *e, uint64_t v)
{
	for (; v > 127; v >>= 7)
		put_byte(e, (uint8_t)(v & 127) | 128);
	put_byte(e, (uint8_t)v);
}

static void put_key(tp_tfevent *e, int field, int type)
{
	put_byte(e, (uint8_t)(field << 3 | type));
}

static void put_text(tp_tfevent *e, int field, const char *s)
{
	put_key(e, field, BYTES);
	put_varint(e, strlen(s));
	for (; *s; s++)
		put_byte(e, (uint8_t)*s);
}

static void begin(tp_tfevent *e, double time)
{
	uint64_t bits;
	memcpy(&bits, &time, sizeof bits);
	e->len = HEADER;
	put_key(e, 1, FIXED64); /* wall_time */
	put_little(e, bits, 8);
}

static void put_step(tp_tfevent *e, uint64_t step)
{
	put_key(e, 2, VARINT);
	put_varint(e, step);
}

static void end(tp_tfevent *e)
{
	size_t len = e->len;
	put_little(e, masked(e->v + HEADER, len - HEADER), FOOTER);
	e->len = 0;
	put_little(e, len - HEADER, 8);
	put_little(e, masked(e->v, 8), 4);
	e->len = len + FOOTER;
}

void tp_tfevent_version(tp_tfevent *e, double time)
{
	begin(e, time);
	put_text(e, 3, "brain.Event:2"); /* file_version */
	end(e);
}

void tp_tfevent_start(tp_tfevent *e, double time, uint64_t step)
{
	begin(e, time);
	put_step(e, step);
	put_key(e, 7, BYTES); /* session_log { status: START } */
	put_varint(e, 2);
	put_key(e, 1, VARINT);
	put_varint(e, 1);
	end(e);
}

static float narrowed(double v)
{
	return v > FLT_MAX ? INFINITY : v < -FLT_MAX ? -INFINITY : (float)v;
}

/* Of a tag shorter than 120 bytes, whose lengths are one byte each. */
static size_t value_bytes(const tp_run_value *v)
{
	return 2 + strlen(v->tag) + 5;
}

void tp_tfevent_values(tp_tfevent *e, double time, uint64_t step, const tp_run_value *v, size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += 2 + value_bytes(&v[i]);
	begin(e, time);
	put_step(e, step);
	put_key(e, 5, BYTES); /* summary */
	put_varint(e, bytes);
	for (size_t i = 0; i < n; i++) {
		float f = narrowed(v[i].value);
		uint32_t bits;
		memcpy(&bits, &f, sizeof bits);
		put_key(e, 1, BYTES); /* value { tag, simple_value } */
		put_varint(e, value_bytes(&v[i]));
		put_text(e, 1, v[i].tag);
		put_key(e, 2, FIXED32);
		put_little(e, bits, 4);
	}
	end(e);
}
