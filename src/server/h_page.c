/* The page: files of web/, built into the program. Only a name in that list is ever answered. */
#include <string.h>

#include "server/app_int.h"

tp_code tp_h_page(tp_app *app, const tp_call *c, tp_res *r, tp_err *err)
{
	(void)app, (void)err;
	const char *name = *c->param[0] ? c->param[0] : "index.html";
	for (int i = 0; i < tp_n_web_files; i++) {
		const tp_web_file *f = &tp_web_files[i];
		if (strcmp(f->name, name) != 0)
			continue;
		r->page = true;
		r->type = f->type;
		r->cache = "no-cache"; /* asked again each time, answered 304 while the program is the same */
		memcpy(r->etag, f->etag, strlen(f->etag) + 1);
		if (c->req->if_none_match && !strcmp(c->req->if_none_match, f->etag)) {
			tp_reply_not_modified(r);
			return TP_OK;
		}
		r->fixed = f->ptr;
		r->fixed_len = f->len;
		return TP_OK;
	}
	return tp_reply_problem(r, TP_PROBLEM_NO_ROUTE);
}
