/* redis_queue.h - commands that wait for their replies, which come in the order of the commands. */
#ifndef REDIS_REDIS_QUEUE_H
#define REDIS_REDIS_QUEUE_H
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum { REDIS_QUEUE_MAX = 4096 };

/* Starts all zero. */
struct redis_queue {
    struct {
        uint64_t ticket;
        int64_t deadline_ms;
    } ring[REDIS_QUEUE_MAX];
    size_t first, n;
};

static inline void redis_queue_push(struct redis_queue *queue, uint64_t ticket, int64_t deadline_ms)
{
    size_t at = (queue->first + queue->n) % REDIS_QUEUE_MAX;

    assert(queue->n < REDIS_QUEUE_MAX);
    queue->ring[at].ticket = ticket;
    queue->ring[at].deadline_ms = deadline_ms;
    queue->n++;
}

/* Takes the oldest off; returns its ticket. */
static inline uint64_t redis_queue_pop(struct redis_queue *queue)
{
    uint64_t ticket = queue->ring[queue->first].ticket;

    assert(queue->n > 0);
    queue->first = (queue->first + 1) % REDIS_QUEUE_MAX;
    queue->n--;
    return ticket;
}

/* When the oldest must have been answered; there is one. */
static inline int64_t redis_queue_deadline(const struct redis_queue *queue)
{
    return queue->ring[queue->first].deadline_ms;
}

#endif
