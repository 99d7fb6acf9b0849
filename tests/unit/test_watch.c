/* Files that change beneath a daemon: seen once they have settled, and once only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "service/daemon/watch.h"

static void replace_file(const char *path, const char *text)
{
    write_file("new", text);
    assert_int_equal(rename("new", path), 0);
}

static void write_over(void)
{
    write_file("keys", "longer than before\n");
}
static void write_anew(void)
{
    replace_file("keys", "a\n");
}
static void take_away(void)
{
    assert_int_equal(unlink("keys"), 0);
}
static void make_new(void)
{
    write_file("api-keys", "b\n");
}
static void touch_another(void)
{
    write_file("another", "c\n");
}
static void leave(void)
{
}

static void swap_link(void)
{
    assert_int_equal(mkdir("..2", 0700), 0);
    write_file("..2/config", "a\n");
    assert_int_equal(symlink("..2", "new"), 0);
    assert_int_equal(rename("new", "..data"), 0);
}

static void test_changes(void **state)
{
    const struct {
        const char *name;
        void (*change)(void);
        bool want;
    } cases[] = {
        {"nothing", leave, false},
        {"a file written over", write_over, true},
        {"a file written anew, with the same text", write_anew, true},
        {"a file that is gone", take_away, true},
        {"a file that was not there", make_new, true},
        {"a link that leads elsewhere, as Kubernetes does it", swap_link, true},
        {"a file that is not watched", touch_another, false},
    };
    const char *const paths[WATCH_FILES] = {"config", "keys", "api-keys"};
    char dir[] = "/tmp/test_watch_XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watch watch = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(system("rm -rf ./* ./..1 ./..2 ./..data && mkdir ..1"), 0);
        write_file("..1/config", "a\n");
        write_file("keys", "a\n");
        assert_int_equal(symlink("..1", "..data"), 0);
        assert_int_equal(symlink("..data/config", "config"), 0);
        assert_true(watch_files(&watch, paths));
        assert_false(watch_has_changed(&watch));
        cases[i].change();
        assert_false(watch_has_changed(&watch)); /* it may be half written */
        assert_int_equal(watch_has_changed(&watch), cases[i].want);
        assert_int_equal(watch_has_changed(&watch), cases[i].want); /* until it is marked */
        assert_true(watch_files(&watch, paths)); /* says nothing new, and hides no change */
        assert_int_equal(watch_has_changed(&watch), cases[i].want);
        watch_mark(&watch);
        assert_false(watch_has_changed(&watch));
        assert_false(watch_has_changed(&watch));
        watch_clear(&watch);
    }
    assert_int_equal(chdir("/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
