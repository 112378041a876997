/* mockllm: a mock OpenAI chat server that costs as little CPU as it can.
 *
 * One thread, epoll, HTTP/1.1 keep-alive, loopback TCP.
 *   GET  (any path)                 200, a list holding the one model "mock"
 *   POST (any)/chat/completions     a chat completion; a stream when "stream" is true
 *   POST (any other path)           404 in OpenAI's error shape
 *
 * The request steers the answer:
 *   "max_tokens": K (or "max_completion_tokens")   K tokens, one per chunk; 64 by default
 *   "include_usage": true                          a last chunk with no choices and the usage
 *   "[[pace N]]" anywhere in a message             N ms between tokens
 * The pace travels in the text because a gateway that rebuilds requests passes text on, and
 * nothing else that is not in OpenAI's own schema.
 *
 * A token is "@@" and 16 digits: CLOCK_MONOTONIC in microseconds when it was written, so that a
 * client on this machine can count tokens and measure how long they were under way.
 *
 * Writes are grouped as real engines do it: head, role and first token together; each further
 * token alone; finish, usage and [DONE] together.
 *
 * usage: mockllm PORT [busy]
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
#include <time.h>
#include <unistd.h>

enum { MAXFD = 16384, OUTCAP = 8192, MAXREQ = 16 << 20, MAXTOKENS = 100000, MAXPLAIN = 256 };
enum { TOKENLEN = 18 };

typedef struct conn {
    int fd;
    char *in;
    size_t in_len, in_cap;
    char out[OUTCAP];
    size_t out_len, out_off;
    int want_out;     /* EPOLLOUT is registered */
    int closing;      /* close after this answer */
    /* the answer under way */
    int busy, streaming, with_usage, started, ended;
    int total, sent;  /* tokens */
    int prompt_tokens;
    unsigned id, pace_ms;
    uint64_t due;     /* when the next token is to be written, us */
    int heap_pos;     /* 0: not in the heap */
    struct conn *next_ready;
    int in_ready;
} conn;

static conn *conns[MAXFD];
static conn *heap[MAXFD + 1];
static int heap_len;
static conn *ready_head, *ready_tail;
static int ep;
static unsigned next_id;
static long created;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + t.tv_nsec / 1000;
}

/* ---- timers: a binary heap on conn.due ---- */

static void heap_set(int i, conn *c)
{
    heap[i] = c;
    c->heap_pos = i;
}

static void heap_up(int i)
{
    conn *c = heap[i];
    for (; i > 1 && heap[i / 2]->due > c->due; i /= 2) heap_set(i, heap[i / 2]);
    heap_set(i, c);
}

static void heap_down(int i)
{
    conn *c = heap[i];
    for (int k; (k = 2 * i) <= heap_len; i = k) {
        if (k < heap_len && heap[k + 1]->due < heap[k]->due) k++;
        if (heap[k]->due >= c->due) break;
        heap_set(i, heap[k]);
    }
    heap_set(i, c);
}

static void timer_add(conn *c, uint64_t due)
{
    c->due = due;
    heap[++heap_len] = c;
    heap_up(heap_len);
}

static void timer_del(conn *c)
{
    int i = c->heap_pos;
    if (!i) return;
    c->heap_pos = 0;
    conn *last = heap[heap_len--];
    if (last == c) return;
    heap_set(i, last);
    heap_up(i);
    heap_down(last->heap_pos);
}

/* ---- the ready list: unpaced streams, one token each per turn ---- */

static void ready_add(conn *c)
{
    if (c->in_ready) return;
    c->in_ready = 1;
    c->next_ready = NULL;
    if (ready_tail) ready_tail->next_ready = c;
    else ready_head = c;
    ready_tail = c;
}

static void ready_del(conn *c)
{
    if (!c->in_ready) return;
    c->in_ready = 0;
    conn **p = &ready_head, *prev = NULL;
    for (; *p != c; p = &(*p)->next_ready) prev = *p;
    *p = c->next_ready;
    if (ready_tail == c) ready_tail = prev;
}

/* ---- output ---- */

static void conn_close(conn *c)
{
    timer_del(c);
    ready_del(c);
    conns[c->fd] = NULL;
    close(c->fd);
    free(c->in);
    free(c);
}

static void watch_output(conn *c, int on)
{
    if (c->want_out == on) return;
    struct epoll_event e = { .events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    c->want_out = on;
}

/* 1: all written; 0: the socket is full; -1: closed */
static int flush_out(conn *c)
{
    while (c->out_off < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_off, c->out_len - c->out_off);
        if (n < 0 && errno == EAGAIN) {
            watch_output(c, 1);
            return 0;
        }
        if (n < 0) {
            conn_close(c);
            return -1;
        }
        c->out_off += n;
    }
    c->out_len = c->out_off = 0;
    watch_output(c, 0);
    return 1;
}

__attribute__((format(printf, 2, 3))) static void put(conn *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->out_len += vsnprintf(c->out + c->out_len, OUTCAP - c->out_len, format, args);
    va_end(args);
}

/* One SSE event as one HTTP chunk; `rest` is what follows the fields that all events share. */
static void put_event(conn *c, const char *rest)
{
    char event[1024];
    int n = snprintf(event, sizeof event,
                     "data: {\"id\":\"chatcmpl-mock%08x\",\"object\":\"chat.completion.chunk\","
                     "\"created\":%ld,\"model\":\"mock\",\"choices\":%s}\n\n",
                     c->id, created, rest);
    put(c, "%x\r\n%s\r\n", n, event);
}

static void put_token(conn *c)
{
    char rest[128];
    snprintf(rest, sizeof rest,
             "[{\"index\":0,\"delta\":{\"content\":\"@@%016llu\"},\"logprobs\":null,\"finish_reason\":null}]",
             (unsigned long long)now_us());
    put_event(c, rest);
    c->sent++;
}

static void begin_stream(conn *c)
{
    put(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
           "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_event(c, "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                 "\"logprobs\":null,\"finish_reason\":null}]");
    put_token(c);
}

static int usage_json(conn *c, char *dst, size_t room)
{
    return snprintf(dst, room, "{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}",
                    c->prompt_tokens, c->total, c->prompt_tokens + c->total);
}

static void end_stream(conn *c)
{
    put_event(c, "[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"}]");
    if (c->with_usage) {
        char rest[160] = "[],\"usage\":";
        usage_json(c, rest + strlen(rest), sizeof rest - strlen(rest));
        put_event(c, rest);
    }
    put(c, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

static void plain_answer(conn *c)
{
    char text[MAXPLAIN * TOKENLEN + 1], usage[128], body[MAXPLAIN * TOKENLEN + 1024];
    for (int i = 0; i < c->total; i++)
        snprintf(text + i * TOKENLEN, TOKENLEN + 1, "@@%016llu", (unsigned long long)now_us());
    usage_json(c, usage, sizeof usage);
    int n = snprintf(body, sizeof body,
                     "{\"id\":\"chatcmpl-mock%08x\",\"object\":\"chat.completion\",\"created\":%ld,"
                     "\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                     "\"content\":\"%s\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"length\"}],"
                     "\"usage\":%s}",
                     c->id, created, text, usage);
    put(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, body);
}

static void put_json(conn *c, const char *status, const char *body)
{
    put(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
        strlen(body), body);
}

static void try_request(conn *c);

static void answer_done(conn *c)
{
    c->busy = 0;
    if (c->closing) conn_close(c);
    else if (c->in_len) try_request(c);
}

/* Put the next write of a stream into the buffer; 0 when its time has not come. */
static int next_write(conn *c)
{
    if (!c->started) {
        c->started = 1;
        begin_stream(c);
        return 1;
    }
    if (c->sent == c->total) {
        c->ended = 1;
        end_stream(c);
        return 1;
    }
    if (c->pace_ms) {
        uint64_t due = c->due + c->pace_ms * 1000u;
        if (due > now_us()) {
            timer_add(c, due);
            return 0;
        }
        c->due = due; /* late: catch up at once */
    }
    put_token(c);
    return 1;
}

/* Write what is due and arrange for the rest. */
static void advance(conn *c)
{
    while (flush_out(c) > 0 && c->busy) {
        if (c->ended) {
            answer_done(c);
            return;
        }
        if (!next_write(c)) return;
        if (c->pace_ms || c->ended) continue;
        if (flush_out(c) > 0) ready_add(c);
        return;
    }
}

/* ---- input ---- */

/* The value after "name": in a JSON text, or NULL */
static const char *field(const char *body, const char *name)
{
    const char *p = strstr(body, name);
    if (!p) return NULL;
    p += strlen(name);
    while (isspace((unsigned char)*p) || *p == ':') p++;
    return p;
}

static int is_true(const char *value) { return value && *value == 't'; }

static void start_chat(conn *c, const char *body)
{
    const char *p = field(body, "\"max_tokens\"");
    if (!p) p = field(body, "\"max_completion_tokens\"");
    c->total = p && isdigit((unsigned char)*p) ? atoi(p) : 64;
    c->streaming = is_true(field(body, "\"stream\""));
    c->with_usage = is_true(field(body, "\"include_usage\""));
    p = strstr(body, "[[pace ");
    c->pace_ms = p ? (unsigned)atoi(p + 7) : 0;
    int most = c->streaming ? MAXTOKENS : MAXPLAIN;
    if (c->total < 1) c->total = 1;
    if (c->total > most) c->total = most;
    c->prompt_tokens = (int)strlen(body) / 4 + 1;
    c->sent = c->started = c->ended = 0;
    c->id = ++next_id;
    c->due = now_us();
    if (!c->streaming) {
        plain_answer(c);
        c->ended = 1;
    }
}

static void answer(conn *c, const char *line, const char *body)
{
    c->busy = 1;
    const char *path = strchr(line, ' '), *end = path ? strpbrk(path + 1, " ?\r") : NULL;
    static const char chat[] = "/chat/completions";
    size_t n = sizeof chat - 1;
    if (!strncmp(line, "GET ", 4)) {
        put_json(c, "200 OK",
                 "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\","
                 "\"created\":1700000000,\"owned_by\":\"mock\"}]}");
        c->ended = 1;
    } else if (end && end - path > (long)n && !strncmp(end - n, chat, n)) {
        start_chat(c, body);
    } else {
        put_json(c, "404 Not Found",
                 "{\"error\":{\"message\":\"only chat completions are here\","
                 "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"not_found\"}}");
        c->ended = 1;
    }
    advance(c);
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

/* Bytes of the first request in the input, head and body; 0 when it is not complete. */
static size_t request_length(conn *c, const char *head, size_t head_len)
{
    const char *h = header(head, "content-length");
    if (h) {
        size_t need = head_len + strtoul(h, NULL, 10);
        return c->in_len < need ? 0 : need;
    }
    h = header(head, "transfer-encoding");
    if (!h || strncasecmp(h, "chunked", 7)) return head_len;
    char *z = memmem(c->in + head_len, c->in_len - head_len, "\r\n0\r\n\r\n", 7);
    return z ? (size_t)(z + 7 - c->in) : 0; /* chunk sizes stay in the body: they harm no field */
}

static void try_request(conn *c)
{
    if (c->busy || !c->in_len) return;
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return;
    size_t head_len = end + 4 - c->in;
    char *head = strndup(c->in, head_len);
    size_t need = request_length(c, head, head_len);
    if (need) {
        char *body = strndup(c->in + head_len, need - head_len);
        const char *h = header(head, "connection");
        c->closing = h && !strncasecmp(h, "close", 5);
        c->in_len -= need;
        memmove(c->in, c->in + need, c->in_len);
        answer(c, head, body); /* may free c */
        free(body);
    }
    free(head);
}

static void on_readable(conn *c)
{
    for (;;) {
        if (c->in_cap - c->in_len < 4096) {
            if (c->in_cap > MAXREQ) {
                conn_close(c);
                return;
            }
            c->in_cap = c->in_cap ? c->in_cap * 2 : 8192;
            c->in = realloc(c->in, c->in_cap);
        }
        size_t room = c->in_cap - c->in_len;
        ssize_t n = read(c->fd, c->in + c->in_len, room);
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) {
            conn_close(c);
            return;
        }
        c->in_len += n;
        if ((size_t)n < room) break;
    }
    try_request(c);
}

static void on_accept(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        if (fd >= MAXFD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn *c = calloc(1, sizeof *c);
        c->fd = fd;
        conns[fd] = c;
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
}

static int listen_on(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 4096)) {
        perror("mockllm: bind/listen");
        exit(1);
    }
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }; /* NULL: the listener */
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
    return s;
}

static int wait_ms(void)
{
    if (ready_head) return 0;
    if (!heap_len) return -1;
    uint64_t now = now_us();
    return heap[1]->due <= now ? 0 : (int)((heap[1]->due - now + 999) / 1000);
}

static void run_timers(void)
{
    uint64_t now = heap_len ? now_us() : 0;
    while (heap_len && heap[1]->due <= now) {
        conn *c = heap[1];
        timer_del(c);
        put_token(c);
        advance(c);
    }
}

/* One turn over the streams that were ready when the turn began. */
static void run_ready(void)
{
    conn *last = ready_tail;
    while (ready_head) {
        conn *c = ready_head;
        int stop = c == last;
        ready_del(c);
        advance(c);
        if (stop) break;
    }
}

int main(int argc, char **argv)
{
    int busy = argc == 3 && !strcmp(argv[2], "busy");
    if (argc != 2 + busy || atoi(argv[1]) < 1) {
        fprintf(stderr, "usage: mockllm PORT [busy]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    created = (long)time(NULL);
    ep = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(atoi(argv[1]));
    struct epoll_event ev[256];
    for (;;) {
        int n = epoll_wait(ep, ev, 256, busy ? 0 : wait_ms());
        if (!n && busy) sched_yield();
        for (int i = 0; i < n; i++) {
            conn *c = ev[i].data.ptr;
            if (!c) {
                on_accept(listener);
                continue;
            }
            int fd = c->fd;
            if (ev[i].events & EPOLLOUT) advance(c);
            if (conns[fd] == c && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) on_readable(c);
        }
        run_timers();
        run_ready();
    }
}
