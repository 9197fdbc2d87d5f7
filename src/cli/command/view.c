/* SPDX-License-Identifier: MIT */
/*
 * rustscope view: the visualizer and the sessions over HTTP on 127.0.0.1.
 *
 * The page could be opened from a file, but a browser does not let file:// read a session beside it. Whoever may
 * connect to the loopback (other users, any web page in the browser) must not get at the session: every path begins
 * with 24 random bytes, the Host header must name this server (against DNS rebinding), and the policy of the page
 * allows no request to anywhere else. Files are opened before the server starts and only they are served, so there is
 * no path to traverse. The token is an argument of xdg-open: users who may read each other's command lines can see it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "command/commands.h"
#include "core/path.h"
#include "report/html.h"

enum { TOKEN_BYTES = 24, OPT_NO_OPEN = 256 };

struct shared_file {
    char *name;
    int fd;
    uint64_t bytes;
};

struct server {
    char token[2 * TOKEN_BYTES + 1];
    _Atomic unsigned port; /* 0 until the server, which answers by then, has told it */
    struct shared_file *files;
    size_t file_count;
    char *page;
    size_t page_bytes;
    char *policy;
};

static void help(void)
{
    fputs("usage: rustscope view [OPTIONS] [SESSION.json...]\n"
          "Open sessions (default rustscope-last.json) in the browser. Reads what the visualizer reads: sessions, "
          "folded\n"
          "stacks, pprof, Firefox Profiler, speedscope, Chrome traces, perf script; gzipped or not. The server listens "
          "on\n"
          "127.0.0.1 only and runs until Ctrl-C.\n\n"
          "      --port N     listen on port N (default: any that is free)\n"
          "      --no-open    print the address, open no browser\n"
          "  -h, --help       this text\n",
          stdout);
}

static uint16_t parse_port(const char *text)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 0 || value > 65535)
        die(2, "--port takes a number from 0 to 65535, not \"%s\"", text);
    return (uint16_t)value;
}

static void make_token(char *token)
{
    unsigned char bytes[TOKEN_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        die(1, "cannot get random bytes from the kernel: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(bytes); i++)
        sprintf(token + 2 * i, "%02x", bytes[i]);
}

static void open_file(struct shared_file *file, const char *path)
{
    struct stat st;

    file->name = xstrdup(rs_path_base(path));
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 && errno == ENOENT && !strcmp(path, "rustscope-last.json"))
        die(1, "there is no rustscope-last.json here: record one with `rustscope -- PROGRAM`, or name a session");
    if (file->fd < 0)
        die(1, "cannot read %s: %s", path, strerror(errno));
    if (fstat(file->fd, &st) < 0 || !S_ISREG(st.st_mode))
        die(1, "cannot read %s: it is not a regular file", path);
    if (!st.st_size)
        die(1, "%s is empty", path);
    file->bytes = (uint64_t)st.st_size;
}

/* The page with the sessions' addresses in its data block. */
static void make_page(struct server *server)
{
    struct html_page page = html_page();
    char *list = xstrdup("");
    int len;

    for (size_t i = 0; i < server->file_count; i++) {
        char *name = html_json_string(server->files[i].name);
        char *longer = xasprintf("%s%s{\"name\":%s,\"url\":\"session/%zu\"}", list, i ? "," : "", name, i);

        free(name);
        free(list);
        list = longer;
    }
    server->page = xmalloc(page.head_bytes + page.tail_bytes + strlen(list) + 16);
    memcpy(server->page, page.head, page.head_bytes);
    len = sprintf(server->page + page.head_bytes, "{\"urls\":[%s]}", list);
    memcpy(server->page + page.head_bytes + len, page.tail, page.tail_bytes);
    server->page_bytes = page.head_bytes + (size_t)len + page.tail_bytes;
    free(list);
}

/* The page says its own policy in a meta element; the header says it too, with what a meta cannot say. */
static char *make_policy(void)
{
    static const char before[] = "http-equiv=\"Content-Security-Policy\" content=\"";
    struct html_page page = html_page();
    const char *at = memmem(page.head, page.head_bytes, before, sizeof(before) - 1);
    const char *end =
        at ? memchr(at + sizeof(before) - 1, '"', page.head_bytes - (size_t)(at - page.head) - sizeof(before) + 1)
           : NULL;

    if (!end)
        bug("the visualizer's page has no policy");
    at += sizeof(before) - 1;
    return xasprintf("%.*s; frame-ancestors 'none'", (int)(end - at), at);
}

static enum MHD_Result answer(struct MHD_Connection *connection, const struct server *server, unsigned status,
                              const char *type, struct MHD_Response *response)
{
    enum MHD_Result rc;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Content-Security-Policy", server->policy);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, const struct server *server, unsigned status,
                              const char *text)
{
    return answer(connection, server, status, "text/plain; charset=utf-8",
                  MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
}

static bool host_is_ours(const struct server *server, const char *host)
{
    char expected[32];

    if (!host)
        return false;
    snprintf(expected, sizeof(expected), "127.0.0.1:%u", server->port);
    if (!strcmp(host, expected))
        return true;
    snprintf(expected, sizeof(expected), "localhost:%u", server->port);
    return !strcmp(host, expected);
}

/* What follows "/TOKEN/", or NULL. Takes as long for any wrong token. */
static const char *behind_token(const struct server *server, const char *url)
{
    unsigned differ = 0;

    if (strlen(url) < sizeof(server->token) + 1)
        return NULL;
    for (size_t i = 0; i < sizeof(server->token) - 1; i++)
        differ |= (unsigned char)url[1 + i] ^ (unsigned char)server->token[i];
    return differ || url[0] != '/' || url[sizeof(server->token)] != '/' ? NULL : url + sizeof(server->token) + 1;
}

static enum MHD_Result serve_file(struct MHD_Connection *connection, const struct server *server,
                                  const struct shared_file *file)
{
    int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3); /* the response closes its own */

    if (fd < 0)
        return refuse(connection, server, MHD_HTTP_SERVICE_UNAVAILABLE, "too many open files\n");
    return answer(connection, server, MHD_HTTP_OK, "application/octet-stream",
                  MHD_create_response_from_fd_at_offset64(file->bytes, fd, 0));
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    const struct server *server = ctx;
    const char *rest;

    (void)version;
    (void)upload;
    (void)upload_bytes;
    (void)state;
    if (!host_is_ours(server, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST)))
        return refuse(connection, server, MHD_HTTP_FORBIDDEN, "this server answers to its own address only\n");
    rest = behind_token(server, url);
    if (!rest)
        return refuse(connection, server, MHD_HTTP_NOT_FOUND, "not found\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        return refuse(connection, server, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
    if (!*rest)
        return answer(connection, server, MHD_HTTP_OK, "text/html; charset=utf-8",
                      MHD_create_response_from_buffer(server->page_bytes, server->page, MHD_RESPMEM_PERSISTENT));
    for (size_t i = 0; i < server->file_count; i++) {
        char path[32];

        snprintf(path, sizeof(path), "session/%zu", i);
        if (!strcmp(rest, path))
            return serve_file(connection, server, &server->files[i]);
    }
    return refuse(connection, server, MHD_HTTP_NOT_FOUND, "not found\n");
}

static struct MHD_Daemon *start(struct server *server, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *daemon;

    errno = 0;
    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, port, NULL, NULL, handle, server, MHD_OPTION_SOCK_ADDR,
                              (struct sockaddr *)&address, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
                              MHD_OPTION_CONNECTION_LIMIT, 64u, MHD_OPTION_END);
    if (!daemon && errno == EADDRINUSE)
        die(1, "port %u is in use: choose another with --port, or leave it out", port);
    if (!daemon)
        die(1, "cannot listen on 127.0.0.1:%u: %s", port, errno ? strerror(errno) : "the server did not start");
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info ? info->port : port;
    return daemon;
}

/* Runs xdg-open apart from us: its output is not ours, and Ctrl-C is for the server. */
static void open_browser(const char *url)
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        if (null >= 0) {
            dup2(null, STDIN_FILENO);
            dup2(null, STDOUT_FILENO);
            dup2(null, STDERR_FILENO);
        }
        execlp("xdg-open", "xdg-open", url, (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        warn("cannot open the browser: %s", strerror(errno));
}

int cmd_view(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"no-open", no_argument, NULL, OPT_NO_OPEN},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static char last[] = "rustscope-last.json";
    char *fallback[] = {last};
    struct server server = {0};
    struct MHD_Daemon *daemon;
    bool browser = true;
    uint16_t port = 0;
    sigset_t ends;
    char **paths;
    char *url;
    int signal_number;
    int c;

    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'p') {
            port = parse_port(optarg);
        } else if (c == OPT_NO_OPEN) {
            browser = false;
        } else if (c == 'h') {
            help();
            return 0;
        } else {
            return 2;
        }
    }
    paths = optind < argc ? argv + optind : fallback;
    server.file_count = optind < argc ? (size_t)(argc - optind) : 1;
    server.files = xcalloc(server.file_count, sizeof(*server.files));
    for (size_t i = 0; i < server.file_count; i++)
        open_file(&server.files[i], paths[i]);
    make_token(server.token);
    make_page(&server);
    server.policy = make_policy();

    /* Blocked before the server's thread starts, so that the thread inherits it and sigwait() below gets them. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);

    daemon = start(&server, port);
    url = xasprintf("http://127.0.0.1:%u/%s/", server.port, server.token);
    printf("%s\n", url);
    fflush(stdout);
    if (isatty(STDERR_FILENO))
        fputs("Ctrl-C ends the server\n", stderr);
    if (browser)
        open_browser(url);
    sigwait(&ends, &signal_number);

    MHD_stop_daemon(daemon);
    free(url);
    for (size_t i = 0; i < server.file_count; i++) {
        close(server.files[i].fd);
        free(server.files[i].name);
    }
    free(server.files);
    free(server.page);
    free(server.policy);
    return 0;
}
