/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "early.h"

#include "common/utf8.h"
#include "session.h"

typedef struct Parser {
        EarlyClients *clients;
        size_t first; /* of this file */
} Parser;

static void client_done(EarlyClient *c) {
        free(c->session);
        free(c->exec);
}

void early_done(EarlyClients *e) {
        for (size_t i = 0; i < e->n; i++)
                client_done(&e->items[i]);
        free(e->items);
        *e = (EarlyClients){};
}

static EarlyClient *client_of(Parser *p, size_t nth) {
        EarlyClients *e = p->clients;

        if (e->n > p->first && e->items[e->n - 1].nth == nth)
                return &e->items[e->n - 1];
        EarlyClient *items = reallocarray(e->items, e->n + 1, sizeof(*items));
        if (!items)
                return NULL;
        e->items = items;
        items[e->n] = (EarlyClient){ .nth = nth };
        return &items[e->n++];
}

static void drop(EarlyClient *c, const IniFile *f, const char *name, const char *why) {
        if (!c->dropped)
                ini_file_complain(f, "%s= %s; the client is not started early", name, why);
        c->dropped = true;
}

static int on_session(EarlyClient *c, const IniFile *f, const char *value) {
        if (session_name_check(value, NULL) < 0) {
                drop(c, f, "Session", "is not the name of a session");
                return 0;
        }
        free(c->session);
        c->session = strdup(value);
        return c->session ? 0 : -ENOMEM;
}

static int on_exec(EarlyClient *c, const IniFile *f, const char *value) {
        char *save = NULL;
        size_t n = 0;

        if (*value != '/' || !utf8_printable(value, strlen(value))) {
                drop(c, f, "Exec", "is not an absolute path with arguments");
                return 0;
        }
        free(c->exec);
        c->exec = strdup(value);
        if (!c->exec)
                return -ENOMEM;
        for (char *word = strtok_r(c->exec, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
                if (n == EARLY_ARGUMENTS_MAX) {
                        drop(c, f, "Exec", "has too many arguments");
                        break;
                }
                c->argv[n++] = word;
        }
        c->argv[n] = NULL;
        return 0;
}

static int on_value(void *userdata, const IniFile *f, const char *section, size_t nth, const char *name,
                    const char *value) {
        EarlyClient *c = client_of(userdata, nth);

        if (!c)
                return -ENOMEM;
        if (!streq(section, "Client"))
                drop(c, f, name, "does not stand in a section [Client]");
        else if (streq(name, "Session"))
                return on_session(c, f, value);
        else if (streq(name, "Exec"))
                return on_exec(c, f, value);
        else
                drop(c, f, name, "is an unknown key");
        return 0;
}

static int on_fault(void *userdata, const IniFile *f, size_t nth) {
        EarlyClient *c = client_of(userdata, nth);

        if (!c)
                return -ENOMEM;
        c->dropped = true;
        return 0;
}

static bool is_double(const EarlyClients *e, size_t n, const EarlyClient *c) {
        for (size_t i = 0; i < n; i++)
                if (streq(e->items[i].session, c->session))
                        return true;
        return false;
}

/* Takes out what cannot be started, among those from first on. */
static void sweep(EarlyClients *e, size_t first, const IniFile *f) {
        size_t kept = first;

        for (size_t i = first; i < e->n; i++) {
                EarlyClient c = e->items[i];
                const char *why = c.dropped                   ? NULL
                                  : !c.session || !c.exec     ? "needs both Session= and Exec="
                                  : is_double(e, kept, &c)    ? "is for a session that another one is for"
                                  : kept == EARLY_CLIENTS_MAX ? "is one too many"
                                                              : "";

                if (why && !*why) {
                        e->items[kept++] = c;
                        continue;
                }
                if (why)
                        ini_file_complain(f, "a [Client] (%s) %s; it is not started early",
                                          c.session ?: "without a name", why);
                client_done(&c);
        }
        e->n = kept;
}

int early_parse(EarlyClients *e, const char *filename, const char *buf, size_t size, config_warn_t warn,
                void *userdata) {
        Parser p = { .clients = e, .first = e->n };
        IniFile f = {
                .filename = filename,
                .on_value = on_value,
                .on_fault = on_fault,
                .userdata = &p,
                .warn = warn,
                .warn_userdata = userdata,
        };

        int r = ini_file_parse(&f, buf, size);
        sweep(e, p.first, &f);
        return r;
}
