#include "service/base/wake.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int wake_new(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void wake_send(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) < 0)
        return; /* the counter is full, so the descriptor is readable already */
}

void wake_take(int fd)
{
    uint64_t n;

    if (read(fd, &n, sizeof(n)) < 0)
        return; /* no wake_send() since the last call */
}
