/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devices, device and explain: what there is, what hangs on what, and why one cannot go along. */
#include "device-links.h"
#include "options.h"

static int usage_devices(void) {
        (void)fputs("liveupdatectl: --tree, --dot and --json exclude one another, and the first two show all "
                    "devices. Try 'liveupdatectl --help'.\n",
                    stderr);
        return EXIT_CTL_USAGE;
}

static int print_device_list(Ctl *c, const DeviceList *devices) {
        _cleanup_free_ char *text = NULL;

        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_devices(devices));
        int r = c->options.dot    ? format_dot(devices, &text)
                : c->options.tree ? format_device_tree(devices, &c->style, &text)
                                  : format_devices(devices, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

static int print_device_json(Ctl *c, const StringList *addresses) {
        struct json_object *list = json_list_empty();
        Failure failure;

        for (size_t i = 0; i < addresses->n; i++) {
                _cleanup_device_info_ DeviceInfo device = {};

                if (bus_get_device(c->bus, addresses->items[i], &device, &failure) < 0) {
                        json_free(list);
                        return ctl_fail(c, &failure, NULL);
                }
                list = json_list_append(list, json_device(&device));
        }
        return ctl_print_json(c, json_put(json_object_empty(), "devices", list));
}

/* With an empty line between them. */
static int print_device_text(Ctl *c, const StringList *addresses) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        Failure failure;

        if (!f)
                return ctl_fail_errno(c, -ENOMEM);
        for (size_t i = 0; i < addresses->n; i++) {
                _cleanup_device_info_ DeviceInfo device = {};
                _cleanup_free_ char *one = NULL;

                if (bus_get_device(c->bus, addresses->items[i], &device, &failure) < 0)
                        return ctl_fail(c, &failure, NULL);
                int r = format_device(&device, &c->style, &one);
                if (r < 0)
                        return ctl_fail_errno(c, r);
                (void)fprintf(f, "%s%s", i > 0 ? "\n" : "", one);
        }
        bool bad = ferror(f) || fclose(TAKE_PTR(f)) == EOF;
        return bad ? ctl_fail_errno(c, -ENOMEM) : ctl_print(c, text);
}

int verb_devices(Ctl *c, char **args, size_t n_args) {
        _cleanup_device_list_ DeviceList devices = {};
        _cleanup_string_list_ StringList addresses = {};
        const Options *o = &c->options;
        Failure failure;

        if (o->tree + o->dot + (o->json != JSON_OFF) > 1 || ((o->tree || o->dot) && n_args > 0))
                return usage_devices();
        for (size_t i = 0; i < n_args; i++) {
                int r = options_add_address(&addresses, NULL, args[i]);
                if (r != 0)
                        return r;
        }
        int r = ctl_connect(c, &failure);
        if (r >= 0 && n_args > 0)
                return o->json != JSON_OFF ? print_device_json(c, &addresses) : print_device_text(c, &addresses);
        if (r >= 0)
                r = bus_list_devices(c->bus, &devices, &failure);
        return r < 0 ? ctl_fail(c, &failure, NULL) : print_device_list(c, &devices);
}

int verb_device(Ctl *c, char **args, size_t n_args) {
        _cleanup_string_list_ StringList addresses = {};
        bool hold = streq(args[0], "hold"), rebind = c->options.rebind;
        Failure failure;

        if ((!hold && !streq(args[0], "release")) || (rebind && !hold)) {
                (void)fputs("liveupdatectl: Usage: liveupdatectl device hold [--rebind] ADDRESS..., or device release "
                            "ADDRESS... Try 'liveupdatectl --help'.\n",
                            stderr);
                return EXIT_CTL_USAGE;
        }
        for (size_t i = 1; i < n_args; i++) {
                int r = options_add_address(&addresses, NULL, args[i]);
                if (r != 0)
                        return r;
        }
        int r = ctl_connect(c, &failure);
        for (size_t i = 0; r >= 0 && i < addresses.n; i++)
                r = hold ? bus_hold_device(c->bus, addresses.items[i], rebind, &failure)
                         : bus_release_device(c->bus, addresses.items[i], &failure);
        return r < 0 ? ctl_fail(c, &failure, NULL) : EXIT_CTL_OK;
}

static int explain_code(Ctl *c, const char *code) {
        _cleanup_explanation_ Explanation explanation = {};
        _cleanup_free_ char *text = NULL;
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_explain(c->bus, code, &explanation, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_explanation(code, &explanation));
        r = format_explanation(code, &explanation, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

static int explain_device(Ctl *c, const StringList *address) {
        _cleanup_device_list_ DeviceList devices = {};
        _cleanup_plan_rows_ PlanRows rows = {};
        _cleanup_free_ char *text = NULL;
        Failure failure;
        int r;

        if ((r = ctl_connect(c, &failure)) < 0 || (r = bus_list_devices(c->bus, &devices, &failure)) < 0 ||
            (r = bus_plan(c->bus, address, NULL, &rows, &failure)) < 0)
                return ctl_fail(c, &failure, NULL);
        plan_drop_sessions(&rows);
        plan_arrange(&rows, NULL);
        DeviceView view = {
                .address = address->items[0],
                .devices = &devices,
                .device = device_find(&devices, address->items[0]),
                .rows = &rows,
        };
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_explained_device(&view));
        r = format_explained_device(&view, &c->style, &text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

int verb_explain(Ctl *c, char **args, size_t n_args) {
        _cleanup_string_list_ StringList address = {};

        /* A code has no colon, and an address always one. */
        if (strchr(args[0], ':')) {
                int r = options_add_address(&address, NULL, args[0]);
                return r != 0 ? r : explain_device(c, &address);
        }
        if (!*args[0] || args[0][strspn(args[0], "abcdefghijklmnopqrstuvwxyz0123456789-")]) {
                (void)fprintf(stderr,
                              "liveupdatectl: '%s' is neither a PCI address, such as 0000:01:02.3, nor a reason code, "
                              "such as veto.\n",
                              args[0]);
                return EXIT_CTL_USAGE;
        }
        return explain_code(c, args[0]);
}
