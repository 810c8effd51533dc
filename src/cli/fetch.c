/* Fetching a wheel: see fetch.h. */
#include "cli/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { NO_SUCH_PROGRAM = 127 };

/* The exit status; NO_SUCH_PROGRAM when it could not be started. No shell: the arguments are the arguments. */
static int run(char *const argv[])
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO); /* stdout is data */
		execvp(argv[0], argv);
		_exit(NO_SUCH_PROGRAM);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool has_pip_module(void)
{
	char *argv[] = { "python3", "-c", "import pip", NULL };
	return run(argv) == 0;
}

static tp_code download(const char *dir, const char *what, tp_err *err)
{
	char *prefix[][4] = { { "pip3", NULL }, { "pip", NULL }, { "python3", "-m", "pip", NULL } };
	for (size_t i = 0; i < 3; i++) {
		char *argv[16];
		size_t n = 0;
		if (i == 2 && !has_pip_module())
			break;
		for (size_t k = 0; prefix[i][k]; k++)
			argv[n++] = prefix[i][k];
		char *rest[] = { "download", "--no-deps", "--only-binary=:all:", "--quiet",
			"--disable-pip-version-check", "--dest", (char *)(uintptr_t)dir,
			(char *)(uintptr_t)what, NULL };
		memcpy(argv + n, rest, sizeof rest);
		int status = run(argv);
		if (status == 0)
			return TP_OK;
		if (status != NO_SUCH_PROGRAM)
			return tp_fail(err, TP_EIO, "pip could not download %s (it says why above)", what);
	}
	return tp_fail(err, TP_ENOTFOUND,
		"pip is not here: install it (Debian: python3-pip), or download %s elsewhere and name it "
		"with --wheel",
		what);
}

static tp_code read_only_file(uint8_t **out, size_t *len, const char *dir, tp_err *err)
{
	tp_names names = { 0 };
	tp_code rc = tp_dir_list(&names, dir, err);
	if (!rc && names.len != 1)
		rc = tp_fail(err, TP_EIO, "pip left %zu files where one was expected", names.len);
	char *path = rc ? NULL : tp_path_join(dir, names.v[0]);
	if (!rc)
		rc = path ? tp_file_read(out, len, path, (size_t)1 << 30, err) : tp_nomem(err, 0);
	tp_free(path);
	tp_names_free(&names);
	return rc;
}

static void remove_dir(const char *dir)
{
	tp_names names = { 0 };
	if (!tp_dir_list(&names, dir, NULL))
		for (size_t i = 0; i < names.len; i++) {
			char *path = tp_path_join(dir, names.v[i]);
			if (path)
				unlink(path);
			tp_free(path);
		}
	tp_names_free(&names);
	rmdir(dir);
}

tp_code tp_fetch_wheel(uint8_t **out, size_t *len, const char *package, const char *version, tp_err *err)
{
	char what[160], dir[512];
	const char *tmp = getenv("TMPDIR");
	snprintf(what, sizeof what, "%s==%s", package, version);
	if (snprintf(dir, sizeof dir, "%s/tepal-fetch-XXXXXX", tmp && *tmp ? tmp : "/tmp") >=
			(int)sizeof dir ||
		!mkdtemp(dir))
		return tp_fail(err, TP_EIO, "%s: %s", dir, strerror(errno));
	tp_code rc = download(dir, what, err);
	if (!rc)
		rc = read_only_file(out, len, dir, err);
	remove_dir(dir);
	return rc;
}
