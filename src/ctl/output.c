/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where answers and complaints go: stdout, a pager when a person looks and the answer
 * is longer than the screen, and stderr.
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "ctl.h"

static size_t count_lines(const char *text) {
        size_t n = 0;

        for (const char *p = text; (p = strchr(p, '\n')); p++)
                n++;
        return n;
}

/* The command, or NULL for none. An empty word or "cat" in the environment means none. */
static const char *pager_command(void) {
        const char *p = getenv("SYSTEMD_PAGER") ?: getenv("PAGER");

        if (!p)
                return "less";
        return *p && !streq(p, "cat") ? p : NULL;
}

static bool wants_pager(const Ctl *c, const char *text) {
        struct winsize size;

        /* JSON is for programs, even where they have a terminal. */
        return !c->options.no_pager && c->options.json == JSON_OFF && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) &&
               ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && count_lines(text) >= size.ws_row &&
               pager_command();
}

/* True if a pager has shown the text. */
static bool page(const char *text) {
        (void)setenv("LESS", getenv("SYSTEMD_LESS") ?: "FRSXMK", true);
        /* A pager that root starts is not to become a shell. */
        if (geteuid() == 0)
                (void)setenv("LESSSECURE", "1", true);
        FILE *f = popen(pager_command(), "we");
        if (!f)
                return false;
        /* The pager may be quit before the end, and Ctrl-C is its own. */
        struct sigaction ignore = { .sa_handler = SIG_IGN }, old_pipe, old_int;
        (void)sigaction(SIGPIPE, &ignore, &old_pipe);
        (void)sigaction(SIGINT, &ignore, &old_int);
        (void)fputs(text, f);
        int status = pclose(f);
        (void)sigaction(SIGPIPE, &old_pipe, NULL);
        (void)sigaction(SIGINT, &old_int, NULL);
        /* 126 and 127 are the shell's: there is no such pager. */
        return status >= 0 && !(WIFEXITED(status) && WEXITSTATUS(status) >= 126);
}

int ctl_print(const Ctl *c, const char *text) {
        if (wants_pager(c, text) && page(text))
                return EXIT_CTL_OK;
        if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
                (void)fprintf(stderr, "liveupdatectl: The output cannot be written: %s.\n", strerror(errno));
                return EXIT_CTL_FAILED;
        }
        return EXIT_CTL_OK;
}

int ctl_print_json(const Ctl *c, struct json_object *value) {
        _cleanup_free_ char *text = NULL;

        int r = json_to_text(value, c->options.json, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

int ctl_fail(const Ctl *c, const Failure *failure, const JobInfo *job) {
        char text[1400];

        failure_format(failure, text, sizeof(text));
        (void)fprintf(stderr, "liveupdatectl: %s\n", text);
        if (c->options.json != JSON_OFF) {
                _cleanup_free_ char *json = NULL;
                if (json_to_text(json_failure(failure, job), c->options.json, &json) >= 0)
                        (void)ctl_print(c, json);
        }
        return failure->exit_status;
}

int ctl_fail_errno(const Ctl *c, int r) {
        Failure failure;

        failure_from_errno(&failure, r, "The answer cannot be put together", NULL);
        return ctl_fail(c, &failure, NULL);
}

int ctl_connect(Ctl *c, Failure *failure) {
        if (c->bus)
                return 0;
        int r = bus_open(c->options.address, c->options.host, &c->bus, failure);
        if (r < 0 || !c->may_ask || c->options.no_ask_password)
                return r;
        bus_allow_interaction(c->bus);
        if (!c->options.address && !c->options.host) /* polkit elsewhere cannot ask here */
                agent_start(&c->agent);
        return 0;
}
