#include "service/base/huge.h"

#include <stdint.h>
#include <sys/mman.h>

static const size_t HUGE_PAGE = (size_t)2 << 20;

static size_t round_up(size_t bytes)
{
    return (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

void *huge_new(size_t bytes)
{
    size_t len = round_up(bytes), head;
    char *mapped =
        mmap(NULL, len + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mapped == MAP_FAILED)
        return NULL;
    /* A huge page begins at a multiple of its size; what was mapped too much is given back. */
    head = round_up((uintptr_t)mapped) - (uintptr_t)mapped;
    if (head > 0)
        (void)munmap(mapped, head);
    (void)munmap(mapped + head + len, HUGE_PAGE - head);
    (void)madvise(mapped + head, len, MADV_HUGEPAGE); /* refused: ordinary pages */
    return mapped + head;
}

void huge_free(void *memory, size_t bytes)
{
    if (memory)
        (void)munmap(memory, round_up(bytes));
}
