/* loadllm: a bounded load generator for OpenAI-compatible servers, strict about what comes back.
 *
 * One thread, epoll, N connections. Closed loop for a time (-d after -w of warm-up), or a fixed
 * number of requests (-n), or open loop at a fixed rate (-r; latency then counts from the
 * scheduled time, so that queueing is not hidden).
 *
 * Every answer is checked: status 200, HTTP framing byte by byte, "[DONE]" as the last event of a
 * stream, a usage, and with -k the number of tokens, both as counted in the usage and as the mock
 * server wrote them ("@@" and 16 digits: the time of writing, which also gives the delay of the
 * relay). Anything else is an error, and the first one is reported.
 *
 * With -C the CPU time that other processes use in the measured window is read from their CPU
 * clocks (nanoseconds, threads included) at the window's own edges.
 *
 * Prints one JSON object. Times are microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEADCAP = 8192, TAILCAP = 2048, RBUF = 65536, MAXPIDS = 64, MAXERRORS = 1000 };
enum { STAMP = 18 };
enum state { IDLE, HEAD, BODY };
enum chunk { C_SIZE, C_EXTENSION, C_DATA, C_CR, C_LF, C_END_CR, C_END_LF };
enum outcome { MORE, COMPLETE, BROKEN };

/* ---- samples ---- */

typedef struct {
    uint32_t *v;
    size_t n, cap;
} samples;

static void add(samples *s, uint64_t x)
{
    if (s->n == s->cap) s->v = realloc(s->v, (s->cap = s->cap ? 2 * s->cap : 4096) * sizeof *s->v);
    s->v[s->n++] = x > UINT32_MAX ? UINT32_MAX : (uint32_t)x;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t quantile(const samples *s, double q) { return s->v[(size_t)((s->n - 1) * q)]; }

static void report(const char *name, samples *s)
{
    if (!s->n) return;
    qsort(s->v, s->n, sizeof *s->v, ascending);
    printf(",\"%s\":{\"n\":%zu,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u}", name, s->n,
           quantile(s, .5), quantile(s, .9), quantile(s, .99), s->v[s->n - 1]);
}

/* ---- state ---- */

typedef struct {
    int fd;
    enum state state;
    const char *request;
    size_t request_len, request_off;
    int status, chunked, close_after;
    enum chunk chunk;
    int chunk_digits;
    long left;
    char head[HEADCAP];
    size_t head_len;
    char tail[TAILCAP]; /* the last bytes of the body */
    size_t tail_len;
    int line_at;        /* characters of "data:" matched on this line; -1: not such a line */
    int stamp_at;       /* characters of a time stamp matched */
    uint64_t stamp, began, last_event;
    int tokens;
    uint32_t events;
} conn;

static struct {
    int port, connections, expected_tokens, streaming, one_shot, busy;
    long requests;
    double seconds, warm, rate;
    const char *unix_path, *path, *key, *bodies;
} opt = { .connections = 1, .seconds = 3, .path = "/v1/chat/completions", .key = "sk-bench" };

static int ep;
static char **requests;
static size_t *request_lens, n_requests, next_request;
static struct sockaddr_storage addr;
static socklen_t addr_len;
static samples latency, ttft, gap, relay;
static uint64_t n_ok, n_errors, n_events, n_tokens, n_bytes, t_measure, t_end;
static char first_error[512];
static clockid_t clocks[MAXPIDS];
static int n_clocks;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + t.tv_nsec / 1000;
}

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("loadllm: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(2);
}

/* ---- CPU time of the processes under test ---- */

static void watch_cpu(const char *pids)
{
    for (const char *p = pids; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        if (n_clocks == MAXPIDS) die("more than %d processes to watch", MAXPIDS);
        if (clock_getcpuclockid(atoi(p), &clocks[n_clocks])) die("no CPU clock for process %d", atoi(p));
        n_clocks++;
    }
}

static double cpu_before[MAXPIDS];

static double cpu_seconds(int i)
{
    struct timespec t;
    return clock_gettime(clocks[i], &t) ? cpu_before[i] : t.tv_sec + t.tv_nsec * 1e-9;
}

static void print_cpu(void)
{
    double sum = 0;
    printf(",\"cpu_s\":[");
    for (int i = 0; i < n_clocks; i++) {
        double used = cpu_seconds(i) - cpu_before[i];
        sum += used;
        printf("%s%.6f", i ? "," : "", used);
    }
    printf("],\"target_cpu_s\":%.6f", sum);
    if (n_ok) printf(",\"cpu_us_per_request\":%.3f", sum * 1e6 / n_ok);
    if (n_tokens) printf(",\"cpu_us_per_token\":%.4f", sum * 1e6 / n_tokens);
}

static double own_cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* ---- connections ---- */

static void open_conn(conn *c)
{
    int one = 1;
    if (c->fd >= 0) close(c->fd);
    c->fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    if (addr.ss_family == AF_INET) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&addr, addr_len) && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    c->state = IDLE;
    c->close_after = 0;
}

static void push_request(conn *c)
{
    while (c->request_off < c->request_len) {
        ssize_t n = write(c->fd, c->request + c->request_off, c->request_len - c->request_off);
        if (n < 0) return; /* EAGAIN: EPOLLOUT comes; an error shows up on read */
        c->request_off += n;
    }
}

static void start(conn *c, uint64_t scheduled)
{
    if (c->close_after) open_conn(c);
    c->request = requests[next_request];
    c->request_len = request_lens[next_request];
    next_request = (next_request + 1) % n_requests;
    c->request_off = 0;
    c->began = scheduled;
    c->state = HEAD;
    c->status = c->tokens = c->stamp_at = c->line_at = 0;
    c->events = 0;
    c->head_len = c->tail_len = 0;
    c->head[0] = 0;
    push_request(c);
}

/* ---- what is in a body ---- */

static int measuring(uint64_t now) { return now >= t_measure && now <= t_end; }

static void keep_tail(conn *c, const char *p, size_t n)
{
    if (n >= TAILCAP) {
        memcpy(c->tail, p + n - TAILCAP, c->tail_len = TAILCAP);
        return;
    }
    size_t over = c->tail_len + n > TAILCAP ? c->tail_len + n - TAILCAP : 0;
    if (over) memmove(c->tail, c->tail + over, c->tail_len -= over);
    memcpy(c->tail + c->tail_len, p, n);
    c->tail_len += n;
}

/* Count the mock's tokens, also where the end of a read cuts one in two. */
static void count_tokens(conn *c, const char *p, size_t n, uint64_t now)
{
    for (const char *end = p + n; p < end;) {
        if (!c->stamp_at) {
            if (!(p = memchr(p, '@', end - p))) return;
            p++;
            c->stamp_at = 1;
            c->stamp = 0;
        } else if (c->stamp_at == 1 ? *p == '@' : isdigit((unsigned char)*p)) {
            if (c->stamp_at > 1) c->stamp = c->stamp * 10 + (*p - '0');
            p++;
            if (++c->stamp_at < STAMP) continue;
            c->stamp_at = 0;
            c->tokens++;
            if (!measuring(now)) continue;
            n_tokens++;
            if (c->stamp <= now) add(&relay, now - c->stamp);
        } else {
            c->stamp_at = 0;
        }
    }
}

/* Count lines that begin with "data:". */
static uint32_t count_events(conn *c, const char *p, size_t n)
{
    static const char field[] = "data:";
    uint32_t found = 0;
    for (const char *end = p + n; p < end;) {
        if (c->line_at < 0) {
            if (!(p = memchr(p, '\n', end - p))) break;
            p++;
            c->line_at = 0;
        } else if (*p == field[c->line_at]) {
            p++;
            if (++c->line_at == 5) {
                found++;
                c->line_at = -1;
            }
        } else {
            c->line_at = *p++ == '\n' ? 0 : -1;
        }
    }
    return found;
}

static void body_bytes(conn *c, const char *p, size_t n, uint64_t now)
{
    if (measuring(now)) n_bytes += n;
    keep_tail(c, p, n);
    if (opt.expected_tokens) count_tokens(c, p, n, now);
    if (!opt.streaming) return;
    uint32_t found = count_events(c, p, n);
    if (!found) return;
    if (measuring(now)) {
        n_events += found;
        add(c->events ? &gap : &ttft, now - (c->events ? c->last_event : c->began));
    }
    c->events += found;
    c->last_event = now;
}

/* ---- verdict on an answer ---- */

static void fail(conn *c, const char *why)
{
    n_errors++;
    if (first_error[0]) return;
    snprintf(first_error, sizeof first_error, "%s (status %d) %.200s %.*s", why, c->status, c->head,
             (int)(c->tail_len < 200 ? c->tail_len : 200), c->tail);
    for (unsigned char *p = (unsigned char *)first_error; *p; p++)
        if (*p < 32 || *p > 126 || *p == '"' || *p == '\\') *p = ' ';
}

static int ends_with_done(const conn *c)
{
    static const char done[] = "data: [DONE]";
    size_t n = c->tail_len;
    while (n && isspace((unsigned char)c->tail[n - 1])) n--;
    return n >= sizeof done - 1 && !memcmp(c->tail + n - (sizeof done - 1), done, sizeof done - 1);
}

/* The last "name": number in the tail of the body; -1 when there is none. */
static long tail_number(const conn *c, const char *name)
{
    size_t n = strlen(name), left = c->tail_len;
    long value = -1;
    for (const char *p = c->tail; (p = memmem(p, left, name, n)); left = c->tail + c->tail_len - p) {
        p += n;
        const char *q = p, *end = c->tail + c->tail_len;
        while (q < end && (isspace((unsigned char)*q) || *q == ':')) q++;
        if (q < end && isdigit((unsigned char)*q)) {
            value = 0;
            while (q < end && isdigit((unsigned char)*q)) value = value * 10 + (*q++ - '0');
        }
    }
    return value;
}

static const char *wrong(const conn *c)
{
    if (c->status != 200) return "bad status";
    if (opt.streaming && !ends_with_done(c)) return "a stream without [DONE] at its end";
    if (!opt.streaming && (!c->tail_len || c->tail[c->tail_len - 1] != '}')) return "not a JSON object";
    if (tail_number(c, "\"prompt_tokens\"") < 0) return "no usage";
    if (!opt.expected_tokens) return NULL;
    if (tail_number(c, "\"completion_tokens\"") != opt.expected_tokens) return "wrong usage";
    if (c->tokens != opt.expected_tokens) return "tokens lost or added";
    return NULL;
}

static void finish(conn *c, uint64_t now)
{
    const char *why = wrong(c);
    if (why) {
        fail(c, why);
    } else if (measuring(now)) {
        n_ok++;
        add(&latency, now - c->began);
        if (!opt.expected_tokens) { /* the server's own count */
            long tokens = tail_number(c, "\"completion_tokens\"");
            n_tokens += tokens < 0 ? tail_number(c, "\"prompt_tokens\"") : tokens;
        }
    }
    c->state = IDLE;
    if (why) c->close_after = 1;
}

/* ---- HTTP ---- */

static enum outcome feed_chunked(conn *c, const char *p, size_t n, uint64_t now)
{
    while (n) {
        char ch = *p;
        if (c->chunk == C_DATA) {
            size_t k = (long)n < c->left ? n : (size_t)c->left;
            body_bytes(c, p, k, now);
            p += k;
            n -= k;
            if (!(c->left -= k)) c->chunk = C_CR;
            continue;
        }
        p++;
        n--;
        switch (c->chunk) {
        case C_SIZE:
            if (isxdigit((unsigned char)ch) && c->chunk_digits++ < 8)
                c->left = c->left * 16 + (isdigit((unsigned char)ch) ? ch - '0' : (ch | 32) - 'a' + 10);
            else if ((ch == '\r' || ch == ';') && c->chunk_digits)
                c->chunk = C_EXTENSION;
            else
                return BROKEN;
            break;
        case C_EXTENSION:
            if (ch == '\n') c->chunk = c->left ? C_DATA : C_END_CR;
            break;
        case C_CR:
            if (ch != '\r') return BROKEN;
            c->chunk = C_LF;
            break;
        case C_LF:
            if (ch != '\n') return BROKEN;
            c->chunk = C_SIZE;
            c->left = c->chunk_digits = 0;
            break;
        case C_END_CR:
            if (ch != '\r') return BROKEN; /* no trailers are expected */
            c->chunk = C_END_LF;
            break;
        case C_END_LF:
            return ch == '\n' && !n ? COMPLETE : BROKEN;
        case C_DATA:
            break;
        }
    }
    return MORE;
}

static enum outcome feed_counted(conn *c, const char *p, size_t n, uint64_t now)
{
    if ((long)n > c->left) return BROKEN;
    body_bytes(c, p, n, now);
    return (c->left -= n) ? MORE : COMPLETE;
}

static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    while ((head = strchr(head, '\n'))) {
        head++;
        if (strncasecmp(head, name, n) || head[n] != ':') continue;
        for (head += n + 1; *head == ' '; head++) ;
        return head;
    }
    return NULL;
}

static enum outcome read_head(conn *c)
{
    if (strncmp(c->head, "HTTP/1.1 ", 9)) return BROKEN;
    c->status = atoi(c->head + 9);
    const char *length = header(c->head, "content-length");
    const char *coding = header(c->head, "transfer-encoding");
    const char *connection = header(c->head, "connection");
    c->chunked = coding && !strncasecmp(coding, "chunked", 7);
    if (!length == !c->chunked) return BROKEN; /* neither, or both */
    c->left = length ? atol(length) : 0;
    c->chunk = C_SIZE;
    c->chunk_digits = 0;
    c->close_after = opt.one_shot || (connection && !strncasecmp(connection, "close", 5));
    c->state = BODY;
    return length && !c->left ? COMPLETE : MORE;
}

static enum outcome on_data(conn *c, const char *p, size_t n, uint64_t now)
{
    if (c->state == IDLE) return BROKEN; /* bytes that nobody asked for */
    if (c->state == HEAD) {
        size_t old = c->head_len, k = n < HEADCAP - 1 - old ? n : HEADCAP - 1 - old;
        memcpy(c->head + old, p, k);
        c->head_len += k;
        c->head[c->head_len] = 0;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end) return c->head_len == HEADCAP - 1 ? BROKEN : MORE;
        size_t used = end + 4 - c->head - old;
        end[2] = 0;
        enum outcome o = read_head(c);
        if (o != MORE) return o;
        p += used;
        n -= used;
    }
    if (!n) return MORE;
    return c->chunked ? feed_chunked(c, p, n, now) : feed_counted(c, p, n, now);
}

/* Read what is there; true when the connection is free for another request. */
static int on_readable(conn *c)
{
    static char buf[RBUF];
    for (;;) {
        ssize_t n = read(c->fd, buf, RBUF);
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) {
            int lost = c->state != IDLE;
            if (lost) fail(c, "connection lost");
            open_conn(c);
            return lost;
        }
        uint64_t now = now_us();
        enum outcome o = on_data(c, buf, n, now);
        if (o == MORE) continue; /* edge-triggered: read until there is nothing left */
        int was_idle = c->state == IDLE;
        if (o == COMPLETE) finish(c, now);
        else fail(c, "broken framing");
        if (o == BROKEN) open_conn(c);
        return !was_idle;
    }
}

/* ---- set-up ---- */

static void add_request(const char *body)
{
    requests = realloc(requests, (n_requests + 1) * sizeof *requests);
    request_lens = realloc(request_lens, (n_requests + 1) * sizeof *request_lens);
    int n = asprintf(&requests[n_requests],
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\n"
                     "Authorization: Bearer %s\r\nContent-Type: application/json\r\n%s"
                     "Content-Length: %zu\r\n\r\n%s",
                     opt.path, opt.port ? opt.port : 80, opt.key,
                     opt.one_shot ? "Connection: close\r\n" : "", strlen(body), body);
    if (n < 0) die("out of memory");
    request_lens[n_requests++] = n;
}

static void read_bodies(void)
{
    FILE *f = fopen(opt.bodies, "r");
    if (!f) die("%s: %s", opt.bodies, strerror(errno));
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
        if (line[n - 1] == '\n') line[n - 1] = 0;
        if (*line) add_request(line);
    }
    free(line);
    fclose(f);
    if (!n_requests) die("%s holds no request", opt.bodies);
}

static void set_address(void)
{
    if (opt.unix_path) {
        struct sockaddr_un *u = (void *)&addr;
        u->sun_family = AF_UNIX;
        if (strlen(opt.unix_path) >= sizeof u->sun_path) die("the socket's path is too long");
        strcpy(u->sun_path, opt.unix_path);
        addr_len = sizeof *u;
    } else {
        struct sockaddr_in *a = (void *)&addr;
        a->sin_family = AF_INET;
        a->sin_port = htons(opt.port);
        a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        addr_len = sizeof *a;
    }
}

static void usage(void)
{
    fprintf(stderr,
            "usage: loadllm (-p port | -u unix-path) -f file with a request body on each line\n"
            "  [-P path] [-K key] [-c connections] [-s: streams] [-k tokens expected of the mock]\n"
            "  [-d seconds] [-w warm-up seconds] [-n requests in all] [-r requests/s]\n"
            "  [-1: a new connection for each request] [-b: never sleep]\n"
            "  [-C pid,pid...: measure their CPU time]\n");
    exit(2);
}

static void parse(int argc, char **argv)
{
    int o;
    while ((o = getopt(argc, argv, "p:u:f:P:K:c:sk:d:w:n:r:1bC:")) != -1) switch (o) {
        case 'p': opt.port = atoi(optarg); break;
        case 'u': opt.unix_path = optarg; break;
        case 'f': opt.bodies = optarg; break;
        case 'P': opt.path = optarg; break;
        case 'K': opt.key = optarg; break;
        case 'c': opt.connections = atoi(optarg); break;
        case 's': opt.streaming = 1; break;
        case 'k': opt.expected_tokens = atoi(optarg); break;
        case 'd': opt.seconds = atof(optarg); break;
        case 'w': opt.warm = atof(optarg); break;
        case 'n': opt.requests = atol(optarg); break;
        case 'r': opt.rate = atof(optarg); break;
        case '1': opt.one_shot = 1; break;
        case 'b': opt.busy = 1; break;
        case 'C': watch_cpu(optarg); break;
        default: usage();
        }
    if (!opt.bodies || !opt.port == !opt.unix_path || opt.connections < 1) usage();
    if (opt.requests) opt.warm = 0; /* a fixed amount of work is measured from its first byte */
}

/* ---- the run ---- */

static conn **idle;
static int n_idle;
static double own_before;
static uint64_t longest_wait;
static int in_window;

static void enter_window(void)
{
    for (int i = 0; i < n_clocks; i++) cpu_before[i] = cpu_seconds(i);
    own_before = own_cpu_seconds();
    in_window = 1;
}

/* Start what may start now; the time until the next start in open loop, else -1. */
static int start_due(uint64_t begin)
{
    static uint64_t started;
    while (n_idle && (!opt.requests || (long)started < opt.requests)) {
        uint64_t now = now_us(), due = opt.rate > 0 ? begin + (uint64_t)(started * 1e6 / opt.rate) : now;
        if (due > now) return (int)((due - now) / 1000);
        started++;
        start(idle[--n_idle], due);
    }
    return -1;
}

static void wait_and_read(int ms)
{
    static uint64_t nothing_since;
    struct epoll_event ev[512];
    if (!nothing_since) nothing_since = now_us();
    int n = epoll_wait(ep, ev, 512, opt.busy ? 0 : ms);
    if (!n && opt.busy) {
        sched_yield();
        return;
    }
    uint64_t waited = now_us() - nothing_since;
    nothing_since = 0;
    if (in_window && waited > longest_wait) longest_wait = waited;
    for (int i = 0; i < n; i++) {
        conn *c = ev[i].data.ptr;
        if ((ev[i].events & EPOLLOUT) && c->state == HEAD) push_request(c);
        if (!(ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
        if (on_readable(c)) idle[n_idle++] = c;
    }
}

static void run(void)
{
    conn *all = calloc(opt.connections, sizeof *all);
    idle = malloc(opt.connections * sizeof *idle);
    for (int i = 0; i < opt.connections; i++) {
        all[i].fd = -1;
        open_conn(&all[i]);
        idle[n_idle++] = &all[i];
    }
    uint64_t begin = now_us();
    t_measure = begin + (uint64_t)(opt.warm * 1e6);
    t_end = t_measure + (uint64_t)(opt.seconds * 1e6);
    for (;;) {
        uint64_t now = now_us();
        if (!in_window && now >= t_measure) enter_window();
        if (now >= t_end || n_errors >= MAXERRORS) break;
        if (opt.requests && (long)(n_ok + n_errors) >= opt.requests) break;
        int next = start_due(begin);
        int edge = (int)(((in_window ? t_end : t_measure) - now + 999) / 1000);
        wait_and_read(next >= 0 && next < edge ? next : edge);
    }
}

static void print_result(void)
{
    uint64_t ended = now_us();
    double own = own_cpu_seconds() - own_before;
    double seconds = in_window ? (ended - t_measure) / 1e6 : opt.seconds;
    printf("{\"connections\":%d,\"seconds\":%.4f,\"ok\":%llu,\"errors\":%llu,\"requests_per_s\":%.1f,"
           "\"tokens\":%llu,\"tokens_per_s\":%.1f,\"bytes\":%llu,\"load_cpu_s\":%.4f",
           opt.connections, seconds, (unsigned long long)n_ok, (unsigned long long)n_errors,
           n_ok / seconds, (unsigned long long)n_tokens, n_tokens / seconds,
           (unsigned long long)n_bytes, own);
    if (opt.streaming)
        printf(",\"events\":%llu,\"events_per_s\":%.1f", (unsigned long long)n_events, n_events / seconds);
    if (n_clocks && in_window) print_cpu();
    printf(",\"longest_wait_ms\":%.1f", longest_wait / 1e3);
    report("latency_us", &latency);
    if (opt.streaming) {
        report("ttft_us", &ttft);
        report("gap_us", &gap);
        report("relay_us", &relay);
    }
    if (first_error[0]) printf(",\"first_error\":\"%s\"", first_error);
    printf("}\n");
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(EPOLL_CLOEXEC);
    set_address();
    read_bodies();
    run();
    if (!in_window && !n_errors) die("was not scheduled in its window: no result");
    print_result();
    return n_ok ? 0 : 1;
}
