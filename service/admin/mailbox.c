#include "service/admin/mailbox.h"
#include "service/base/wake.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

struct mailbox {
    pthread_mutex_t lock;
    struct letter *first, **end; /* under the lock */
    int wake_fd;
    struct event *wake;
    void (*on_letter)(void *owner, struct letter *letter);
    void *owner;
};

struct letter *mailbox_take(struct mailbox *mailbox)
{
    struct letter *letter;

    pthread_mutex_lock(&mailbox->lock);
    letter = mailbox->first;
    if (letter)
        mailbox->first = letter->next;
    if (!mailbox->first)
        mailbox->end = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return letter;
}

/* Somebody has posted.  Letters that come meanwhile wait for the loop's next pass, so that a flood
 * of them does not keep timers and sockets waiting. */
static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct mailbox *mailbox = arg;
    struct letter *letter, *next;

    (void)events;
    wake_take((int)fd);
    pthread_mutex_lock(&mailbox->lock);
    letter = mailbox->first;
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    for (; letter; letter = next) {
        next = letter->next;
        mailbox->on_letter(mailbox->owner, letter);
    }
}

struct mailbox *mailbox_new(struct event_base *base,
                            void (*on_letter)(void *owner, struct letter *letter), void *owner)
{
    struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

    if (!mailbox)
        return NULL;
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->end = &mailbox->first;
    mailbox->on_letter = on_letter;
    mailbox->owner = owner;
    mailbox->wake_fd = wake_new();
    if (mailbox->wake_fd >= 0)
        mailbox->wake = event_new(base, mailbox->wake_fd, EV_READ | EV_PERSIST, on_wake, mailbox);
    if (!mailbox->wake || event_add(mailbox->wake, NULL) != 0) {
        mailbox_free(mailbox);
        mailbox = NULL;
    }
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    *mailbox->end = letter;
    mailbox->end = &letter->next;
    pthread_mutex_unlock(&mailbox->lock);
    wake_send(mailbox->wake_fd);
}

void mailbox_free(struct mailbox *mailbox)
{
    if (!mailbox)
        return;
    if (mailbox->wake)
        event_free(mailbox->wake);
    if (mailbox->wake_fd >= 0)
        close(mailbox->wake_fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}
