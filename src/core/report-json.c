/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports as a part of the manifest: a list of [PARTICIPANT, UID, NAME, BEGIN, LENGTH].
 * What comes from another kernel is held to what can be shown and to REPORT_TOTAL_MAX;
 * the finer bounds are for who adds to it.
 */
#include "report.h"

#include "common/utf8.h"

#include <json-c/json.h>

static int append(json_object *list, json_object *value) {
        if (value && json_object_array_add(list, value) >= 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

static int append_span(json_object *list, const ReportSpan *s) {
        json_object *o = json_object_new_array_ext(5);

        int r = append(list, o);
        if (r >= 0)
                r = append(o, json_object_new_string(s->participant));
        if (r >= 0)
                r = append(o, json_object_new_uint64(s->uid));
        if (r >= 0)
                r = append(o, json_object_new_string(s->name));
        if (r >= 0)
                r = append(o, json_object_new_uint64(s->begin));
        return r < 0 ? r : append(o, json_object_new_uint64(s->length));
}

int report_encode(const Report *report, json_object **ret) {
        json_object *list = json_object_new_array();
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; i < report->n && r >= 0; i++)
                r = append_span(list, &report->items[i]);
        if (r < 0) {
                json_object_put(list);
                return r;
        }
        *ret = list;
        return 0;
}

static int bad(Refusal *refusal, size_t i, const char *what) {
        return refuse(refusal, REASON_MANIFEST_INVALID, "", "[%zu]%s", i, what);
}

static bool get_number(json_object *list, size_t i, uint64_t *ret) {
        json_object *o = json_object_array_get_idx(list, i);

        if (!json_object_is_type(o, json_type_int) || json_object_get_int64(o) < 0)
                return false;
        *ret = json_object_get_uint64(o);
        return true;
}

static bool get_text(json_object *list, size_t i, char *buf, size_t size) {
        json_object *o = json_object_array_get_idx(list, i);
        size_t n;

        if (!json_object_is_type(o, json_type_string))
                return false;
        n = (size_t)json_object_get_string_len(o);
        const char *s = json_object_get_string(o);
        if (n == 0 || n >= size || strlen(s) != n || !utf8_valid(s, n))
                return false;
        memcpy(buf, s, n + 1);
        return true;
}

static int decode_span(json_object *o, size_t i, ReportSpan *s, Refusal *refusal) {
        uint64_t uid, end;

        if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) < 5)
                return bad(refusal, i, " is no list of 5 elements");
        if (!get_text(o, 0, s->participant, sizeof(s->participant)))
                return bad(refusal, i, ".participant is no name");
        if (!get_number(o, 1, &uid) || uid > UINT32_MAX)
                return bad(refusal, i, ".uid is none");
        if (!get_text(o, 2, s->name, sizeof(s->name)) || !report_name_valid(s->name))
                return bad(refusal, i, ".name is no span's");
        if (!get_number(o, 3, &s->begin) || !get_number(o, 4, &s->length) ||
            __builtin_add_overflow(s->begin, s->length, &end))
                return bad(refusal, i, " has no begin and length");
        s->uid = (uint32_t)uid;
        return 0;
}

int report_decode(json_object *list, Report *ret, Refusal *refusal) {
        Report report = {};
        int r = 0;

        if (!json_object_is_type(list, json_type_array))
                return refuse(refusal, REASON_MANIFEST_INVALID, "", " is no list");
        size_t n = json_object_array_length(list);
        if (n > REPORT_TOTAL_MAX)
                return refuse(refusal, REASON_MANIFEST_INVALID, "", " has more than %d elements", REPORT_TOTAL_MAX);
        report.items = calloc(MAX_OF(n, (size_t)1), sizeof(*report.items));
        if (!report.items)
                return refuse_errno(refusal, -ENOMEM, "", "reading the reports");
        report.n_allocated = MAX_OF(n, (size_t)1);
        for (; report.n < n && r >= 0; report.n++)
                r = decode_span(json_object_array_get_idx(list, report.n), report.n, &report.items[report.n], refusal);
        if (r < 0) {
                report_done(&report);
                return r;
        }
        *ret = report;
        return 0;
}
