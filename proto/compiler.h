/* compiler.h - the few compiler attributes we rely on (gcc and clang). */
#ifndef PROTO_COMPILER_H
#define PROTO_COMPILER_H

/* The result reports a failure, so ignoring it is a bug. */
#define MUST_USE __attribute__((warn_unused_result))

/* The function formats like printf: `fmt` is the number of the format, `first` of its first value.
 */
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
