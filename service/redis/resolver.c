#include "service/redis/resolver.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/util.h>

#include "service/base/thread.h"
#include "service/base/wake.h"
#include "service/redis/redis_url.h"

enum { STACK_LEN = 256 << 10 };

/* The question and its answer.  Shared by the thread and the object; the last of them frees it. */
struct question {
    atomic_int n_owners;
    int done_fd; /* wake.h, readable when the answer is ready */
    unsigned address_index;
    char host[REDIS_URL_TEXT_MAX], port[6];
    struct resolver_result result;
    const char *error;
};

struct resolver {
    struct question *question;
    struct event *done;
    void *owner;
    void (*on_result)(void *owner, const struct resolver_result *result, const char *error);
};

bool resolver_numeric(const struct redis_address *address, struct resolver_result *out)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)&out->address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->address;

    memset(out, 0, sizeof(*out));
    if (address->port == 0) { /* the host is the path of a socket */
        struct sockaddr_un *un = (struct sockaddr_un *)&out->address;
        size_t len = strlen(address->host);

        if (len >= sizeof(un->sun_path))
            return false;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, address->host, len + 1);
        out->len = sizeof(*un);
        return true;
    }
    if (evutil_inet_pton(AF_INET, address->host, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons(address->port);
        out->len = sizeof(*in4);
        return true;
    }
    if (evutil_inet_pton(AF_INET6, address->host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        out->len = sizeof(*in6);
        return true;
    }
    return false;
}

static void question_drop(struct question *question)
{
    if (atomic_fetch_sub(&question->n_owners, 1) > 1)
        return;
    if (question->done_fd >= 0)
        close(question->done_fd);
    free(question);
}

static void take_address(struct question *question, const struct addrinfo *list)
{
    const struct addrinfo *ai = list;
    unsigned n = 0;

    for (; ai; ai = ai->ai_next)
        n++;
    assert(n > 0); /* getaddrinfo() never returns an empty list */
    ai = list;
    for (unsigned i = question->address_index % n; i > 0; i--)
        ai = ai->ai_next;
    memcpy(&question->result.address, ai->ai_addr, ai->ai_addrlen);
    question->result.len = ai->ai_addrlen;
}

static void *ask(void *arg)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    struct question *question = arg;
    int code = getaddrinfo(question->host, question->port, &hints, &list);

    if (code == 0)
        take_address(question, list);
    else
        question->error = gai_strerror(code);
    if (list)
        freeaddrinfo(list);
    wake_send(question->done_fd);
    question_drop(question);
    return NULL;
}

/* The answer is ready. */
static void on_done(evutil_socket_t fd, short events, void *arg)
{
    struct resolver *resolver = arg;

    (void)events;
    wake_take(fd);
    resolver->on_result(resolver->owner, &resolver->question->result, resolver->question->error);
}

static bool start_thread(struct question *question)
{
    pthread_attr_t attr;
    pthread_t thread;
    bool ok;

    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_LEN);
    atomic_fetch_add(&question->n_owners, 1);
    ok = thread_start(&thread, &attr, ask, question) == 0;
    if (!ok)
        atomic_fetch_sub(&question->n_owners, 1);
    pthread_attr_destroy(&attr);
    return ok;
}

static struct question *question_new(const struct resolver_options *options)
{
    struct question *question = calloc(1, sizeof(*question));

    if (!question)
        return NULL;
    atomic_init(&question->n_owners, 1);
    question->address_index = options->address_index;
    snprintf(question->host, sizeof(question->host), "%s", options->address->host);
    snprintf(question->port, sizeof(question->port), "%u", (unsigned)options->address->port);
    question->done_fd = wake_new();
    return question;
}

struct resolver *resolver_new(struct event_base *base, const struct resolver_options *options)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    bool ok = false;

    if (!resolver || !(resolver->question = question_new(options)) ||
        resolver->question->done_fd < 0)
        goto out;
    resolver->owner = options->owner;
    resolver->on_result = options->on_result;
    resolver->done = event_new(base, resolver->question->done_fd, EV_READ, on_done, resolver);
    ok = resolver->done && event_add(resolver->done, NULL) == 0 && start_thread(resolver->question);
out:
    if (!ok) {
        resolver_free(resolver);
        resolver = NULL;
    }
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    if (resolver->done)
        event_free(resolver->done);
    if (resolver->question)
        question_drop(resolver->question);
    free(resolver);
}
