/* The whole test harness. A test is `static int test_x(void)` that returns 0; CHECK returns 1 from it.
 *     int main(void) { return RUN(T(test_a), T(test_b)); }
 * A test that cannot run here returns SKIP("why"): CTest shows it as skipped when every test of a binary was. */
#ifndef TP_TESTS_T_H
#define TP_TESTS_T_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond, ...)                                                                                     \
	do {                                                                                                 \
		if (!(cond)) {                                                                               \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #cond);                                    \
			printf(__VA_ARGS__);                                                                 \
			printf("\n");                                                                        \
			return 1;                                                                            \
		}                                                                                            \
	} while (0)
#define CHECK_OK(call, err) CHECK((call) == TP_OK, "%s", (err).msg)
#define CHECK_STR(got, want) CHECK(!strcmp((got), (want)), "got \"%s\", want \"%s\"", (got), (want))

enum { T_SKIPPED = 77 }; /* CTest's SKIP_RETURN_CODE */
#define SKIP(why) (printf("skipped: %s\n", (why)), T_SKIPPED)

typedef struct {
	const char *name;
	int (*fn)(void);
} t_case;

static inline int t_run(const t_case *c, size_t n)
{
	int failed = 0, skipped = 0;
	for (size_t i = 0; i < n; i++) {
		int r = c[i].fn();
		printf("%s %s\n", r == 0 ? "ok  " : r == T_SKIPPED ? "skip" : "FAIL", c[i].name);
		fflush(stdout);
		failed += r != 0 && r != T_SKIPPED;
		skipped += r == T_SKIPPED;
	}
	if (failed)
		return 1;
	return skipped == (int)n ? T_SKIPPED : 0;
}

#define T(fn)                                                                                                \
	{                                                                                                    \
#fn, fn                                                                                      \
	}
#define RUN(...)                                                                                             \
	t_run((const t_case[]){ __VA_ARGS__ }, sizeof((const t_case[]){ __VA_ARGS__ }) / sizeof(t_case))

#endif
