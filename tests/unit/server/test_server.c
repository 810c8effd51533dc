/* The server without a socket: query strings, multipart bodies, routes, answers. */
#include "t.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "fake_engine.h"
#include "server/app_int.h"
#include "server/multipart.h"

#define JPEG "\xff\xd8\xff\xe0"
#define PNG "\x89PNG\r\n\x1a\n"
#define PART(name, file, data)                                                                               \
	"--XX\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"" file "\"\r\n\r\n" data "\r" \
	"\n"
#define FIELD(name, value) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define END "--XX--\r\n"
#define PHOTO PART("images", "a.jpg", JPEG)

static int test_query(void)
{
	tp_query q;
	tp_err err = { 0 };
	CHECK_OK(tp_query_parse(&q, "a=1&&b=x+y%20z&c&%64=%C3%A9&e=%zz%4&f=%00&a=2&=5", &err), err);
	CHECK(q.n == 7, "%d pairs", q.n);
	CHECK_STR(tp_query_get(&q, "a"), "1");
	CHECK_STR(tp_query_get(&q, "b"), "x y z");
	CHECK_STR(tp_query_get(&q, "c"), "");
	CHECK_STR(tp_query_get(&q, "d"), "\xc3\xa9");
	CHECK_STR(tp_query_get(&q, "e"), "%zz%4");
	CHECK_STR(tp_query_get(&q, "f"), "%00");
	CHECK(!tp_query_get(&q, "g"), "found what is not there");
	tp_query_dispose(&q);
	CHECK_OK(tp_query_parse(&q, NULL, &err), err);
	CHECK(!q.n && !tp_query_get(&q, "a"), "pairs in nothing");
	tp_query_dispose(&q);
	return 0;
}

static int test_query_of_many_pairs(void)
{
	char text[1024] = "";
	tp_query q;
	for (int i = 0; i < 200; i++)
		memcpy(text + 4 * i, "a=1&", 5);
	CHECK_OK(tp_query_parse(&q, text, &(tp_err){ 0 }), (tp_err){ 0 });
	CHECK(q.n == TP_MAX_PAIRS, "%d pairs", q.n);
	tp_query_dispose(&q);
	for (int i = 0; i < 300; i++)
		memcpy(text + 2 * i, "a&", 3);
	CHECK_OK(tp_query_parse(&q, text, &(tp_err){ 0 }), (tp_err){ 0 });
	CHECK(q.n == TP_MAX_PAIRS, "%d pairs", q.n);
	tp_query_dispose(&q);
	return 0;
}

static int test_query_values(void)
{
	tp_query q;
	tp_err err = { 0 };
	bool yes = false, no = true, other = false;
	int n = 7, none = 7, big = 0;
	CHECK_OK(tp_query_parse(
			 &q, "t=TRUE&f=False&x=maybe&n=12&z=0&m=-3&w=4x&big=99999999999999999999&e=", &err),
		err);
	CHECK_OK(tp_query_bool(&yes, &q, "t", &err), err);
	CHECK_OK(tp_query_bool(&no, &q, "f", &err), err);
	CHECK(yes && !no, "%d %d", yes, no);
	CHECK(tp_query_bool(&other, &q, "x", &err) == TP_EINVAL, "maybe is taken");
	CHECK_STR(err.msg, "\"x\" must be a boolean");
	CHECK_OK(tp_query_int(&n, &q, "n", 1, &err), err);
	CHECK_OK(tp_query_int(&none, &q, "absent", 1, &err), err);
	CHECK_OK(tp_query_int(&big, &q, "big", 1, &err), err);
	CHECK(n == 12 && none == 7 && big > 1 << 30, "%d %d %d", n, none, big);
	CHECK(tp_query_int(&n, &q, "z", 1, &err) == TP_EINVAL, "0 is taken");
	CHECK(tp_query_int(&n, &q, "m", 1, &err) == TP_EINVAL, "-3 is taken");
	CHECK(tp_query_int(&n, &q, "w", 1, &err) == TP_EINVAL, "4x is taken");
	CHECK(tp_query_int(&n, &q, "e", 1, &err) == TP_EINVAL, "nothing is taken");
	CHECK(n == 12, "%d", n);
	tp_query_dispose(&q);
	return 0;
}

static tp_code parse(tp_multipart *m, const char *boundary, const char *body, size_t len, tp_err *err)
{
	return tp_multipart_parse(m, (tp_span){ boundary, strlen(boundary) }, body, len, err);
}

static int test_boundary(void)
{
	tp_err err = { 0 };
	tp_span b = { 0 };
	static const char *const good[] = { "multipart/form-data; boundary=XX",
		"multipart/form-data;boundary=\"XX\"", "Multipart/Form-Data; charset=utf-8; Boundary=XX; a=b",
		"multipart/form-data; boundary = \"XX\" " };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CHECK(tp_is_multipart(good[i]), "%s", good[i]);
		CHECK_OK(tp_multipart_boundary(&b, good[i], &err), err);
		CHECK(tp_span_is(b, "XX"), "%s gives %.*s", good[i], (int)b.len, b.ptr);
	}
	CHECK(!tp_is_multipart(NULL) && !tp_is_multipart("application/json") &&
			!tp_is_multipart("multipart/form-database; boundary=XX"),
		"taken for multipart");
	CHECK(tp_multipart_boundary(&b, "multipart/form-data", &err) == TP_EFORMAT, "none found");
	CHECK(tp_multipart_boundary(&b, "multipart/form-data; boundary=", &err) == TP_EFORMAT, "none found");
	CHECK(tp_multipart_boundary(&b, "multipart/form-data; boundary=\"", &err) == TP_EFORMAT,
		"none found");
	return 0;
}

static int test_multipart_of_real_clients(void)
{
	static const char body[] =
		"preamble\r\n" FIELD("organs", "leaf") PART("images", "../data/\xc3\xa9t\xc3\xa9.jpg",
			"a\r\n--X\r\n--XXX\r\nb") "--XX  \r\ncontent-type: image/jpg\r\nCONTENT-DISPOSITION: "
						  "form-data; name=images; "
						  "filename=\"C:\\x\\\"\r\n\r\n\r\n"
						  "--XX\r\nContent-Disposition: form-data; "
						  "name=\"q\\\"uote\"\r\n\r\n\r\n"
						  "--XX\r\n\r\nno name\r\n" END "epilogue";
	tp_multipart m;
	tp_err err = { 0 };
	CHECK_OK(parse(&m, "XX", body, sizeof body - 1, &err), err);
	CHECK(m.n == 4, "%d parts", m.n);
	CHECK(tp_span_is(m.v[0].name, "organs") && tp_span_is(m.v[0].data, "leaf") && !m.v[0].filename.len,
		"part 0");
	CHECK(tp_span_is(m.v[1].filename, "../data/\xc3\xa9t\xc3\xa9.jpg"), "%.*s", (int)m.v[1].filename.len,
		m.v[1].filename.ptr);
	CHECK(tp_span_is(m.v[1].data, "a\r\n--X\r\n--XXX\r\nb"), "data of %zu bytes", m.v[1].data.len);
	CHECK(tp_span_is(m.v[2].name, "images") && tp_span_is(m.v[2].filename, "C:\\x\\") && !m.v[2].data.len,
		"a file name that ends in a backslash: %.*s", (int)m.v[2].filename.len, m.v[2].filename.ptr);
	CHECK(tp_span_is(m.v[3].name, "q\\\"uote") && !m.v[3].data.len, "an escaped quote");
	return 0;
}

static int test_empty_part_without_its_own_line_break(void)
{
	static const char body[] =
		"--XX\r\nContent-Disposition: form-data; name=\"e\"\r\n\r\n" FIELD("f", "g") END;
	tp_multipart m;
	tp_err err = { 0 };
	CHECK_OK(parse(&m, "XX", body, sizeof body - 1, &err), err);
	CHECK(m.n == 2 && !m.v[0].data.len && tp_span_is(m.v[1].data, "g"), "%d parts", m.n);
	return 0;
}

static int test_multipart_cut_anywhere_is_refused(void)
{
	static const char body[] = FIELD("organs", "leaf") PHOTO "--XX--";
	tp_multipart m;
	tp_err err = { 0 };
	for (size_t n = 0; n < sizeof body - 1; n++) {
		char *cut =
			tp_alloc(n + 1); /* its own block: the address sanitizer sees a look past the end */
		memcpy(cut, body, n);
		char *exact = tp_realloc(cut, n ? n : 1);
		CHECK(parse(&m, "XX", exact, n, &err) == TP_EFORMAT, "%zu bytes are taken", n);
		tp_free(exact);
	}
	CHECK_OK(parse(&m, "XX", body, sizeof body - 1, &err), err);
	return 0;
}

static int test_multipart_limits(void)
{
	tp_multipart m;
	tp_err err = { 0 };
	tp_buf b;
	tp_buf_init(&b, 1 << 20);
	for (int i = 0; i <= TP_MAX_PARTS; i++)
		CHECK_OK(tp_buf_adds(&b, FIELD("a", "b"), &err), err);
	CHECK_OK(tp_buf_adds(&b, END, &err), err);
	CHECK(parse(&m, "XX", b.ptr, b.len, &err) == TP_ELIMIT, "too many parts are taken");
	tp_buf_dispose(&b);
	CHECK_OK(tp_buf_adds(&b, "--XX\r\n", &err), err);
	for (int i = 0; i <= TP_MAX_PART_HEADERS; i++)
		CHECK_OK(tp_buf_adds(&b, "a: b\r\n", &err), err);
	CHECK_OK(tp_buf_adds(&b, "\r\n\r\n" END, &err), err);
	CHECK(parse(&m, "XX", b.ptr, b.len, &err) == TP_ELIMIT, "too many headers are taken");
	tp_buf_dispose(&b);
	CHECK_OK(tp_buf_adds(&b, "--XX\r\na: ", &err), err);
	for (int i = 0; i < TP_MAX_PART_HEADER_BYTES; i++)
		CHECK_OK(tp_buf_adds(&b, "b", &err), err);
	CHECK_OK(tp_buf_adds(&b, "\r\n\r\n\r\n" END, &err), err);
	CHECK(parse(&m, "XX", b.ptr, b.len, &err) == TP_ELIMIT, "a long header is taken");
	tp_buf_dispose(&b);
	return 0;
}

/* One request through the app; the caller disposes of *r. */
static void ask(tp_app *app, tp_res *r, const char *method, const char *target, const char *body, size_t len)
{
	char path[512];
	snprintf(path, sizeof path, "%s", target);
	char *q = strchr(path, '?');
	if (q)
		*q++ = 0;
	tp_req req = { .method = method,
		.path = path,
		.query = q,
		.host = "plants.example:8080",
		.body = body,
		.body_len = len,
		.content_type = body ? "multipart/form-data; boundary=XX" : NULL };
	tp_res_init(r);
	tp_app_handle(app, &req, r);
}

typedef struct {
	const char *method, *target, *body;
	size_t len;
	int status;
	const char *answer; /* what the body is; NULL: not looked at */
} exchange;
#define BODY(b) (b), sizeof(b) - 1
#define NOBODY NULL, 0
#define ERR400(message) "{\"statusCode\":400,\"error\":\"Bad Request\",\"message\":\"" message "\"}"
#define ERR404(message) "{\"statusCode\":404,\"error\":\"Not Found\",\"message\":\"" message "\"}"
#define ALL "/v2/identify/all"
#define ORGAN_LIST                                                                                           \
	"[auto, leaf, flower, fruit, bark, habit, other, scan, branch, sheet, drawing, seed, bud, anatomy, " \
	"aerial]"

static const exchange exchanges[] = {
	{ "GET", "/v2/_status", NOBODY, 200, "{\"status\":\"ok\"}" },
	{ "HEAD", "/v2/_status?api-key=x", NOBODY, 200, NULL },
	{ "GET", "/v2/languages", NOBODY, 200, "[\"en\",\"fr\"]" },
	{ "GET", "/v2/projects", NOBODY, 200, NULL },
	{ "GET", "/v2/nothing", NOBODY, 404, ERR404("Not Found") },
	{ "GET", "/../../etc/passwd", NOBODY, 404, ERR404("Not Found") },
	{ "GET", "/..%2f..%2fetc%2fpasswd", NOBODY, 404, ERR404("Not Found") },
	{ "GET", "", NOBODY, 404, NULL },
	{ "DELETE", "/v2/_status", NOBODY, 405, NULL },
	{ "POST", "/v2/_status", BODY("x"), 405, NULL },
	{ "OPTIONS", ALL, NOBODY, 204, NULL },
	{ "GET", ALL "?images=https://example.org/a.jpg", NOBODY, 400,
		ERR400("this server takes photos by POST; image URLs are not enabled") },
	{ "POST", ALL, NOBODY, 415, NULL },
	{ "POST", "/v2/identify/mars", BODY(PHOTO END), 404, ERR404("Project not found") },
	{ "POST", ALL, BODY(PHOTO END), 200, NULL },
	{ "POST", "/v2/identify/best?API-KEY=1&unknown=2", BODY(PHOTO END), 200, NULL },
	{ "POST", "/v2/identify/fake3", BODY(PHOTO END), 200, NULL },
	{ "POST", ALL, BODY(PART("images[]", "x", PNG) END), 200, NULL },
	{ "POST", ALL, BODY(PHOTO PHOTO PHOTO PHOTO PHOTO END), 200, NULL },
	{ "POST", ALL, BODY(PHOTO PHOTO PHOTO PHOTO PHOTO PHOTO END), 400,
		ERR400("\\\"images\\\" must contain less than or equal to 5 items") },
	{ "POST", ALL, BODY(FIELD("organs", "leaf") END), 400, ERR400("\\\"images\\\" is required") },
	{ "POST", ALL, BODY(PART("images", "", "") END), 400, ERR400("\\\"images\\\" is required") },
	{ "POST", ALL, BODY(PART("images", "a.jpg", "") END), 400,
		ERR400("Unsupported file type for image[0] (jpeg or png)") },
	{ "POST", ALL, BODY(PHOTO PART("images", "a.jpg", "text") END), 400,
		ERR400("Unsupported file type for image[1] (jpeg or png)") },
	{ "POST", ALL, BODY(PART("images", "a", JPEG "damaged") END), 400,
		ERR400("image[0]: breaks off at row 3") },
	{ "POST", ALL, BODY(PART("images", "a", JPEG "huge") END), 400,
		ERR400("image[0]: would need too much memory") },
	{ "POST", ALL, BODY(PART("images", "a", JPEG "backend") END), 400,
		ERR400("Unsupported file type for image[0] (jpeg or png)") },
	{ "POST", ALL, BODY(PART("images", "a", JPEG "broken") END), 500,
		"{\"statusCode\":500,\"error\":\"Internal Server Error\",\"message\":\"An internal server "
		"error occurred\"}" },
	{ "POST", ALL, BODY(PART("images", "a", JPEG "weed") END), 404, ERR404("Species not found") },
	{ "POST", ALL "?no-reject=TRUE", BODY(PART("images", "a", JPEG "weed") END), 200, NULL },
	{ "POST", ALL, BODY(PHOTO FIELD("organs", "leaf") FIELD("organs", "leaf") END), 400, NULL },
	{ "POST", ALL, BODY(PHOTO PHOTO FIELD("organs", "leaf") END), 400,
		ERR400("1 \\\"organs\\\" for 2 \\\"images\\\": send one organ for each image, or none") },
	{ "POST", ALL, BODY(PHOTO FIELD("organs", "wing") END), 400,
		ERR400("\\\"organs[0]\\\" must be one of " ORGAN_LIST) },
	{ "POST", ALL "?lang=xx", BODY(PHOTO END), 400, NULL },
	{ "POST", ALL "?lang=en-au", BODY(PHOTO END), 200, NULL },
	{ "POST", ALL "?type=new", BODY(PHOTO END), 400, ERR400("\\\"type\\\" must be one of [kt, legacy]") },
	{ "POST", ALL "?nb-results=0", BODY(PHOTO END), 400,
		ERR400("\\\"nb-results\\\" must be greater than or equal to 1") },
	{ "POST", ALL "?detailed=perhaps", BODY(PHOTO END), 400,
		ERR400("\\\"detailed\\\" must be a boolean") },
	{ "POST", ALL, BODY("no multipart"), 400, ERR400("multipart: the boundary is not in the body") },
	{ "POST", ALL, BODY(PHOTO), 400, ERR400("multipart: the body ends before its last boundary") },
	{ "GET", "/image/m/0123456789abcdef0123456789abcdef01234567", NOBODY, 404,
		ERR404("Image not found") },
	{ "GET", "/image/x/0123456789abcdef0123456789abcdef01234567", NOBODY, 404,
		ERR404("Image not found") },
	{ "GET", "/image/m/..%2f..%2fpasswd", NOBODY, 404, ERR404("Image not found") },
	{ "GET", "/v2/projects/mars/species", NOBODY, 404, ERR404("Project not found") },
	{ "GET", "/v2/projects/all/species?page=0", NOBODY, 400, NULL },
	{ "GET", "/v2/projects/all/species?prefix=quer", NOBODY, 200,
		"[{\"scientificNameWithoutAuthor\":\"Quercus robur\",\"scientificNameAuthorship\":\"\","
		"\"commonNames\":[],\"genus\":\"Quercus\",\"family\":\"Fagaceae\"}]" },
	{ "GET", "/v2/species?lang=fr&pageSize=1&page=1", NOBODY, 200,
		"[{\"scientificNameWithoutAuthor\":\"Lavandula "
		"angustifolia\",\"scientificNameAuthorship\":\"Mill.\","
		"\"commonNames\":[\"Lavande\"],\"genus\":\"Lavandula\",\"family\":\"Lamiaceae\",\"gbifId\":"
		"2927305,"
		"\"powoId\":\"449008-1\"}]" },
	{ "GET", "/v2/species?prefix=LAVANDE&lang=fr&pageSize=&page=", NOBODY, 200, NULL },
	{ "GET", "/v2/species?page=99999999999&pageSize=2147483647", NOBODY, 200, "[]" },
};

static void quiet(tp_log_level level, const char *line, void *ud)
{
	(void)level, (void)line, (void)ud;
}

static int test_exchanges(void)
{
	tp_engine *e = fake_engine_new();
	tp_app *app = NULL;
	tp_err err = { 0 };
	tp_log_set_sink(quiet, NULL);
	CHECK_OK(tp_app_new(&app, e, &err), err);
	for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
		const exchange *x = &exchanges[i];
		tp_res r;
		ask(app, &r, x->method, x->target, x->body, x->len);
		const char *got = r.fixed ? r.fixed : r.body.ptr ? r.body.ptr : "";
		CHECK(r.status == x->status, "%zu: %s %s gives %d %s", i, x->method, x->target, r.status,
			got);
		if (x->answer)
			CHECK_STR(got, x->answer);
		tp_res_dispose(&r);
	}
	tp_app_free(app);
	fake_engine_free(e);
	return 0;
}

static int test_answer_is_what_clients_read(void)
{
	static const char want[] =
		"{\"query\":{\"project\":\"all\",\"images\":[\"ba4f25bf16ba4be6bc7d3276fafeb67f\"],"
		"\"organs\":[\"leaf\"],"
		"\"includeRelatedImages\":true,\"noReject\":false,\"type\":null},\"predictedOrgans\":[],"
		"\"language\":\"en\",\"preferedReferential\":\"fake3\",\"bestMatch\":\"Lavandula "
		"angustifolia Mill.\","
		"\"results\":[{\"score\":0.80412,\"species\":{\"scientificNameWithoutAuthor\":\"Lavandula "
		"angustifolia\","
		"\"scientificNameAuthorship\":\"Mill.\",\"genus\":{\"scientificNameWithoutAuthor\":"
		"\"Lavandula\","
		"\"scientificNameAuthorship\":\"\",\"scientificName\":\"Lavandula\"},\"family\":"
		"{\"scientificNameWithoutAuthor\":\"Lamiaceae\",\"scientificNameAuthorship\":\"\","
		"\"scientificName\":"
		"\"Lamiaceae\"},\"commonNames\":[\"Lavender\",\"English lavender\",\"True "
		"lavender\"],\"scientificName\":"
		"\"Lavandula angustifolia Mill.\"},\"images\":[{\"organ\":\"flower\",\"author\":\"A. "
		"Gardener\","
		"\"license\":\"cc0\",\"url\":{\"o\":\"http://plants.example:8080/image/o/"
		"0123456789abcdef0123456789abcdef01234567\",\"m\":\"http://plants.example:8080/image/m/"
		"0123456789abcdef0123456789abcdef01234567\",\"s\":\"http://plants.example:8080/image/s/"
		"0123456789abcdef0123456789abcdef01234567\"},\"citation\":\"A. Gardener, "
		"cc0\"}],\"gbif\":{\"id\":"
		"\"2927305\"},\"powo\":{\"id\":\"449008-1\"}},{\"score\":0.0835,\"species\":"
		"{\"scientificNameWithoutAuthor\":\"Lavandula "
		"latifolia\",\"scientificNameAuthorship\":\"Medik.\","
		"\"genus\":{\"scientificNameWithoutAuthor\":\"Lavandula\",\"scientificNameAuthorship\":\"\","
		"\"scientificName\":\"Lavandula\"},\"family\":{\"scientificNameWithoutAuthor\":\"Lamiaceae\","
		"\"scientificNameAuthorship\":\"\",\"scientificName\":\"Lamiaceae\"},\"commonNames\":[],"
		"\"scientificName\":\"Lavandula latifolia "
		"Medik.\"},\"images\":[],\"gbif\":{\"id\":\"2927302\"}}],"
		"\"otherResults\":{\"genus\":[{\"score\":0.88762,\"genus\":{\"scientificName\":\"Lavandula\","
		"\"family\":"
		"{\"scientificNameWithoutAuthor\":\"Lamiaceae\",\"scientificNameAuthorship\":\"\","
		"\"scientificName\":"
		"\"Lamiaceae\"},\"commonNames\":[]},\"images\":[]},{\"score\":1e-5,\"genus\":{"
		"\"scientificName\":"
		"\"Quercus\",\"family\":{\"scientificNameWithoutAuthor\":\"Fagaceae\","
		"\"scientificNameAuthorship\":\"\","
		"\"scientificName\":\"Fagaceae\"},\"commonNames\":[]},\"images\":[]}],\"family\":[{\"score\":"
		"0.88762,"
		"\"family\":{\"scientificName\":\"Lamiaceae\",\"commonNames\":[]},\"images\":[]},{\"score\":"
		"1e-5,"
		"\"family\":{\"scientificName\":\"Fagaceae\",\"commonNames\":[]},\"images\":[]}]},"
		"\"version\":\"2026-11-24 (1.0)\",\"remainingIdentificationRequests\":1000000}";
	static const char body[] = FIELD("organs", "leaf\r\n") PHOTO END;
	tp_engine *e = fake_engine_new();
	tp_app *app = NULL;
	tp_err err = { 0 };
	tp_res r;
	CHECK_OK(tp_app_new(&app, e, &err), err);
	ask(app, &r, "POST", ALL "?include-related-images=true&nb-results=2&detailed=true", body,
		sizeof body - 1);
	CHECK_STR(r.body.ptr, want);
	CHECK_STR(r.note, "top=\"Lavandula angustifolia\" score=0.80");
	CHECK_STR(fake_engine_organs(e), "leaf");
	tp_res_dispose(&r);
	tp_app_free(app);
	fake_engine_free(e);
	return 0;
}

static int test_organs_of_the_address_and_the_form(void)
{
	static const char form[] = PHOTO FIELD("organs", "leaf") FIELD("organs", "bark") PHOTO END;
	static const char bare[] = PHOTO PHOTO END;
	tp_engine *e = fake_engine_new();
	tp_app *app = NULL;
	tp_err err = { 0 };
	tp_res r;
	CHECK_OK(tp_app_new(&app, e, &err), err);
	ask(app, &r, "POST", ALL "?organs=fruit", form, sizeof form - 1);
	CHECK_STR(fake_engine_organs(e), "leaf,bark");
	tp_res_dispose(&r);
	ask(app, &r, "POST", ALL "?organs=fruit&organs=flower", bare, sizeof bare - 1);
	CHECK_STR(fake_engine_organs(e), "fruit,flower");
	tp_res_dispose(&r);
	ask(app, &r, "POST", ALL, bare, sizeof bare - 1);
	CHECK_STR(fake_engine_organs(e), "auto,auto");
	CHECK(fake_engine_photos(e) == 2, "%d photos", fake_engine_photos(e));
	tp_res_dispose(&r);
	tp_app_free(app);
	fake_engine_free(e);
	return 0;
}

static int test_hostile_host_is_not_repeated(void)
{
	static const char body[] = PHOTO END;
	tp_engine *e = fake_engine_new();
	tp_app *app = NULL;
	tp_err err = { 0 };
	CHECK_OK(tp_app_new(&app, e, &err), err);
	memcpy(app->fallback_host, "127.0.0.1:1", 12);
	tp_req req = { .method = "POST",
		.path = ALL,
		.query = "include-related-images=1",
		.host = "x\"/<script>",
		.forwarded_proto = "HTTPS",
		.body = body,
		.body_len = sizeof body - 1,
		.content_type = "multipart/form-data; boundary=XX" };
	tp_res r;
	tp_res_init(&r);
	tp_app_handle(app, &req, &r);
	CHECK(r.status == 200 && !strstr(r.body.ptr, "script"), "%s", r.body.ptr);
	CHECK(strstr(r.body.ptr, "https://127.0.0.1:1/image/o/"), "%s", r.body.ptr);
	tp_res_dispose(&r);
	tp_app_free(app);
	fake_engine_free(e);
	return 0;
}

static int test_any_failed_allocation(void)
{
	static const char body[] = PHOTO END;
	tp_engine *e = fake_engine_new();
	tp_app *app = NULL;
	tp_err err = { 0 };
	tp_log_set_sink(quiet, NULL);
	CHECK_OK(tp_app_new(&app, e, &err), err);
	long before = tp_mem_live();
	for (int n = 1;; n++) {
		tp_res r;
		tp_mem_fail_at(n);
		ask(app, &r, "POST", ALL "?detailed=1&include-related-images=1", body, sizeof body - 1);
		bool hit = tp_mem_failed();
		tp_mem_fail_at(0);
		CHECK(r.status == (hit ? 503 : 200), "allocation %d: %d", n, r.status);
		tp_res_dispose(&r);
		CHECK(tp_mem_live() == before, "allocation %d leaks", n);
		if (!hit)
			break;
	}
	tp_app_free(app);
	fake_engine_free(e);
	return 0;
}

int main(void)
{
	return RUN(T(test_query), T(test_query_of_many_pairs), T(test_query_values), T(test_boundary),
		T(test_multipart_of_real_clients), T(test_empty_part_without_its_own_line_break),
		T(test_multipart_cut_anywhere_is_refused), T(test_multipart_limits), T(test_exchanges),
		T(test_answer_is_what_clients_read), T(test_organs_of_the_address_and_the_form),
		T(test_hostile_host_is_not_repeated), T(test_any_failed_allocation));
}
