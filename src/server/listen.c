/* A listening TCP socket. Made here and not by the HTTP library, so that errors are sentences. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/app_int.h"

static tp_code refuse(const char *host, int port, tp_err *err)
{
	if (errno == EADDRINUSE)
		return tp_fail(err, TP_EBUSY,
			"port %d is in use: choose another with PORT=%d (make run) or --port", port,
			port < 65535 ? port + 1 : 8080);
	if (errno == EACCES)
		return tp_fail(err, TP_EDENIED, "port %d needs more rights: ports from 1024 on do not", port);
	if (errno == EADDRNOTAVAIL)
		return tp_fail(err, TP_EINVAL, "%s is no address of this machine", host);
	return tp_fail(err, TP_EIO, "%s port %d: %s", host, port, strerror(errno));
}

static int bound_port(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;
	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return 0;
	if (a.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&a)->sin_port);
}

tp_code tp_listen(int *out, int *port, const char *host, int want, tp_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *a = NULL;
	char service[16];
	int on = 1;
	snprintf(service, sizeof service, "%d", want);
	int bad = getaddrinfo(host, service, &hints, &a);
	if (bad)
		return tp_fail(err, TP_EINVAL, "%s: %s", host, gai_strerror(bad));
	tp_code rc = TP_OK;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* SO_REUSEADDR: a port whose last server has just ended is free; one that is listened on is not */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
		bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 128))
		rc = refuse(host, want, err);
	freeaddrinfo(a);
	if (rc) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*out = fd;
	*port = bound_port(fd);
	return TP_OK;
}
