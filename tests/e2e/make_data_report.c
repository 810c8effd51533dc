/* make_data_report FOLDER clean|bare: a catalog of drawn photos, and FOLDER/report.html about it, for
 * data_report.test.mjs. make_data_report CATALOG OUT page: the page only. */
#include "data/report.h"

#include "../unit/data/report_set.h"

int main(int argc, char **argv)
{
	tp_err err = { 0 };
	char dir[512], photos[512], out[512];
	tp_data_reported done;
	if (argc < 3)
		return 2;
	snprintf(dir, sizeof dir, "%s/a <b>set & 'more'", argv[1]);
	snprintf(photos, sizeof photos, "%s/photos", argv[1]);
	snprintf(out, sizeof out, "%s/report.html", argv[1]);
	tp_data_report_opts o = TP_DATA_REPORT_OPTS_INIT;
	o.catalog = argc > 3 ? argv[1] : dir;
	o.output = argc > 3 ? argv[2] : out;
	o.quiet = true;
	o.version = "test";
	tp_code rc = argc > 3 ? TP_OK : set_make(dir, photos, !strcmp(argv[2], "clean"), &err);
	if (!rc)
		rc = tp_data_report(&done, &o, &err);
	if (rc)
		fprintf(stderr, "%s\n", err.msg);
	else
		printf("%lld %lld %zu %zu %zu\n", (long long)done.photos, (long long)done.kept, done.shown,
			done.missing, done.bytes);
	return rc != 0;
}
