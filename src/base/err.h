/* How every failure travels: a code as the return value, and a message that the first function to know writes
 * into the caller's tp_err. Layers above may put *where* in front of it; nobody replaces it.
 *
 * `err` is the last argument everywhere. NULL means "the code is enough".
 * A function returns an error or logs it, never both. Bad input is an error; a broken promise of our own code
 * is an assert(). */
#ifndef TP_BASE_ERR_H
#define TP_BASE_ERR_H

#define TP_CHECKED __attribute__((warn_unused_result))
#define TP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

typedef enum {
	TP_OK = 0,
	TP_EINVAL = -1,    /* an argument or option is outside what it may be */
	TP_ENOTFOUND = -2, /* the thing named does not exist */
	TP_EFORMAT = -3,   /* bytes are not what they claim to be */
	TP_ELIMIT = -4,    /* more than we are willing to take: size, count, time */
	TP_EIO = -5,       /* the operating system refused */
	TP_ENOMEM = -6,
	TP_EBACKEND = -7, /* a library refused */
	TP_EDENIED = -8,
	TP_EBUSY = -9,
	TP_ECANCEL = -10, /* somebody asked to stop */
} tp_code;

typedef struct {
	tp_code code;
	char msg[256]; /* one line, no full stop, names the value and the limit */
	const char *file;
	int line;
} tp_err;

/* Fills *err (when there is one) and is `code`, so that `return tp_fail(err, TP_EINVAL, "...")` reads well. */
#define tp_fail(err, code, ...) tp_fail_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)

tp_code tp_fail_at(tp_err *err, tp_code code, const char *file, int line, const char *fmt, ...)
	TP_PRINTF(5, 6);

/* Puts "where" in front of the message: tp_context(err, rc, "%s:%d: ", path, line). Is `code`. */
tp_code tp_context(tp_err *err, tp_code code, const char *fmt, ...) TP_PRINTF(3, 4);

/* "TP_EFORMAT" and so on, for logs and tests. */
const char *tp_code_name(tp_code code);

#endif
