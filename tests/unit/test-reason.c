/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/reason.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N(reason) \
        { reason, #reason }

/* Every reason by hand: a code is never renamed, so neither is its enumerator. */
static const struct {
        Reason reason;
        const char *name;
} all[] = {
        N(REASON_NONE),
        N(REASON_INVALID_ARGUMENT),
        N(REASON_WRONG_STATE),
        N(REASON_BUSY_JOB),
        N(REASON_NAME_RESERVED),
        N(REASON_NAME_INVALID),
        N(REASON_NAME_IN_USE),
        N(REASON_NO_SUCH_SESSION),
        N(REASON_SESSION_CLAIMED),
        N(REASON_TOKEN_IN_USE),
        N(REASON_NO_SUCH_TOKEN),
        N(REASON_NOT_OWNER),
        N(REASON_LIMIT),
        N(REASON_LUO_ABSENT),
        N(REASON_LUO_BUSY),
        N(REASON_LUO_BROKEN),
        N(REASON_NO_HANDLER),
        N(REASON_ALREADY_PRESERVED),
        N(REASON_CANNOT_FINISH),
        N(REASON_RETRIEVE_FAILED),
        N(REASON_MEMFD_HUGEPAGES),
        N(REASON_MEMFD_NOEXEC_SEAL),
        N(REASON_WRONG_ORDER),
        N(REASON_VFIO_UNKNOWN),
        N(REASON_VFIO_NOT_BOUND),
        N(REASON_PF_NOT_PRESERVED),
        N(REASON_DMA_UNDECLARED),
        N(REASON_DMA_MEMORY_MISSING),
        N(REASON_DMA_REFUSED),
        N(REASON_SHIM_FULL),
        N(REASON_SHIM_FAILED),
        N(REASON_NO_SUCH_DEVICE),
        N(REASON_DEVICE_VANISHED),
        N(REASON_DEVICE_REPLACED),
        N(REASON_DEVICE_HOTPLUGGED),
        N(REASON_DEVICE_IS_BRIDGE),
        N(REASON_DEVICE_NOT_PRESERVED),
        N(REASON_RULE_DENIES),
        N(REASON_RULES_INVALID),
        N(REASON_NO_VFIO_SUPPORT),
        N(REASON_NO_VF_SUPPORT),
        N(REASON_NOT_VFIO_DRIVER),
        N(REASON_NO_VFIO_CDEV),
        N(REASON_NATIVE_BUILTIN),
        N(REASON_NATIVE_UNKNOWN),
        N(REASON_PF_MISSING),
        N(REASON_PF_NOT_VFIO),
        N(REASON_VFS_LOST),
        N(REASON_NEEDED_DEVICE),
        N(REASON_GROUP_SHARED),
        N(REASON_BEHIND_PCI_BRIDGE),
        N(REASON_NOT_D0),
        N(REASON_JUMP_SHUTDOWN),
        N(REASON_ACS_CHANGES),
        N(REASON_ARI_CHANGES),
        N(REASON_DMA_STOPS),
        N(REASON_DMA_TRANSLATED),
        N(REASON_DMA_IDENTITY),
        N(REASON_DMA_UNISOLATED),
        N(REASON_DMA_NO_SUPPORT),
        N(REASON_DEVICE_NOT_READY),
        N(REASON_DEVICE_HELD),
        N(REASON_DEVICE_NOT_HELD),
        N(REASON_DRIVER_IN_USE),
        N(REASON_NEXT_SHIM_ABI),
        N(REASON_NEXT_NO_VF),
        N(REASON_INITRD_HANDLER_MISSING),
        N(REASON_INITRD_HANDLER_UNSURE),
        N(REASON_INITRD_DAMAGED),
        N(REASON_NO_IMAGE),
        N(REASON_IMAGE_NOT_A_KERNEL),
        N(REASON_IMAGE_TRUNCATED),
        N(REASON_IMAGE_UNSUPPORTED_COMPRESSION),
        N(REASON_IMAGE_NO_KHO),
        N(REASON_IMAGE_NO_LUO),
        N(REASON_IMAGE_NO_MEMFD),
        N(REASON_IMAGE_KHO_ABI),
        N(REASON_IMAGE_LUO_ABI),
        N(REASON_IMAGE_MEMFD_ABI),
        N(REASON_RUNNING_ABI_UNKNOWN),
        N(REASON_CMDLINE_TOO_LONG),
        N(REASON_CMDLINE_INVALID),
        N(REASON_SCRATCH_TOO_SMALL),
        N(REASON_LOAD_REFUSED),
        N(REASON_LOAD_KEXEC_BUSY),
        N(REASON_KEXEC_DISABLED),
        N(REASON_IMAGE_FOREIGN),
        N(REASON_VETO),
        N(REASON_DEADLINE),
        N(REASON_PARTICIPANT_DIED),
        N(REASON_SESSION_LOST),
        N(REASON_REBOOT_FAILED),
        N(REASON_FREEZE_FAILED),
        N(REASON_SHUTDOWN_FAILED),
        N(REASON_SHUTDOWN_SCHEDULED),
        N(REASON_CANCELLED),
        N(REASON_NOT_CLAIMED),
        N(REASON_NOT_FINISHED),
        N(REASON_DAEMON_DIED),
        N(REASON_HANDOVER_LOST),
        N(REASON_MANIFEST_INVALID),
        N(REASON_MANIFEST_MISSING),
        N(REASON_SYSTEM),
};

static void every_reason_is_listed(void **state) {
        assert_int_equal(ELEMENTSOF(all), _REASON_MAX);
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                assert_int_equal(all[i].reason, i);
}

static void codes_are_the_names(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                char want[64];
                size_t n = 0;

                for (const char *c = all[i].name + strlen("REASON_"); *c; c++)
                        want[n++] = *c == '_' ? '-' : (char)tolower(*c);
                want[n] = '\0';
                assert_string_equal(reason_code(all[i].reason), want);
                assert_int_equal(reason_from_code(want), all[i].reason);
        }
}

static void is_sentence(const char *s) {
        size_t n = strlen(s);

        assert_true(n > 5 && n < 200);
        assert_true(isupper((unsigned char)s[0]) || s[0] == '/' || strncmp(s, "liveupdated", 11) == 0);
        assert_int_equal(s[n - 1], '.');
        assert_int_not_equal(s[n - 2], '.');
        assert_null(strstr(s, "  "));
        assert_null(strchr(s, '\n'));
}

static void every_reason_has_words(void **state) {
        for (Reason r = REASON_NONE + 1; r < _REASON_MAX; r++) {
                is_sentence(reason_sentence(r));
                is_sentence(reason_remedy(r));
                assert_true(reason_errno(r) < 0 && reason_errno(r) > -200);
                for (Reason other = r + 1; other < _REASON_MAX; other++) {
                        assert_string_not_equal(reason_code(r), reason_code(other));
                        assert_string_not_equal(reason_sentence(r), reason_sentence(other));
                }
        }
        assert_int_equal(reason_errno(REASON_NONE), 0);
}

static void unknown_values(void **state) {
        assert_null(reason_code(_REASON_MAX));
        assert_null(reason_code((Reason)-1));
        assert_null(reason_sentence(_REASON_MAX));
        assert_null(reason_remedy((Reason)-1));
        assert_int_equal(reason_errno(_REASON_MAX), -EINVAL);
        assert_int_equal(reason_from_code("no-such-code"), -EINVAL);
        assert_int_equal(reason_from_code(""), -EINVAL);
        assert_int_equal(reason_from_code(NULL), -EINVAL);
        assert_int_equal(reason_from_code("IMAGE-LUO-ABI"), -EINVAL);
}

static void refuse_fills_and_returns(void **state) {
        Refusal r;

        assert_int_equal(refuse(&r, REASON_LUO_BUSY, "vm1", "pid %d", 17), -EBUSY);
        assert_int_equal(r.reason, REASON_LUO_BUSY);
        assert_string_equal(r.subject, "vm1");
        assert_string_equal(r.detail, "pid 17");
        assert_int_equal(refuse(&r, REASON_VETO, NULL, NULL), reason_errno(REASON_VETO));
        assert_string_equal(r.subject, "");
        assert_string_equal(r.detail, "");
        /* Nobody wants the words. */
        assert_int_equal(refuse(NULL, REASON_LIMIT, "x", "%s", "y"), reason_errno(REASON_LIMIT));
}

static void refuse_may_read_what_it_writes(void **state) {
        Refusal r;

        refuse(&r, REASON_VETO, "client", "first");
        refuse(&r, REASON_CANCELLED, r.subject, "after %s", r.detail);
        assert_string_equal(r.subject, "client");
        assert_string_equal(r.detail, "after first");
}

static void refuse_errno_keeps_the_errno(void **state) {
        Refusal r;

        assert_int_equal(refuse_errno(&r, -ENOSPC, "/run/x", "write"), -ENOSPC);
        assert_int_equal(r.reason, REASON_SYSTEM);
        assert_string_equal(r.subject, "/run/x");
        assert_string_equal(r.detail, "write: No space left on device");
        assert_int_equal(refuse_errno(&r, -EIO, NULL, NULL), -EIO);
        assert_string_equal(r.detail, "Input/output error");
        assert_int_equal(refuse_errno(NULL, -EIO, "a", "b"), -EIO);
}

static void long_and_foreign_text_is_tamed(void **state) {
        char subject[400], detail[900];
        Refusal r;

        /* Two-byte characters, at an odd offset: the cut must not split one. */
        subject[0] = 'a';
        for (size_t i = 1; i + 2 < sizeof(subject); i += 2)
                memcpy(subject + i, "\xc3\xa4", 3);
        memset(detail, 'd', sizeof(detail) - 1);
        detail[sizeof(detail) - 1] = '\0';
        refuse(&r, REASON_NAME_INVALID, subject, "%s", detail);
        assert_int_equal(strlen(r.subject), sizeof(r.subject) - 1);
        assert_memory_equal(r.subject + sizeof(r.subject) - 3, "\xc3\xa4", 3);
        assert_int_equal(strlen(r.detail), sizeof(r.detail) - 1);
        refuse(&r, REASON_NAME_INVALID, "tab\there\nline \xff \xc3", "\x1b[31mred");
        assert_string_equal(r.subject, "tab?here?line ? ?");
        assert_string_equal(r.detail, "?[31mred");
}

static void formatting(void **state) {
        char buf[512], small[12];
        Refusal r;

        refuse(&r, REASON_NO_IMAGE, "host", "loaded is 0");
        refusal_format(&r, buf, sizeof(buf));
        assert_string_equal(buf, "host: No next kernel is loaded (loaded is 0). Load one with 'liveupdatectl load'.");
        refuse(&r, REASON_NO_IMAGE, NULL, NULL);
        refusal_format(&r, buf, sizeof(buf));
        assert_string_equal(buf, "No next kernel is loaded. Load one with 'liveupdatectl load'.");
        refusal_format(&r, small, sizeof(small));
        assert_string_equal(small, "No next ker");
        refusal_format(&r, small, 1);
        assert_string_equal(small, "");
        memset(small, 'x', sizeof(small));
        refusal_format(&r, small, 0);
        assert_int_equal(small[0], 'x');
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_reason_is_listed),
                cmocka_unit_test(codes_are_the_names),
                cmocka_unit_test(every_reason_has_words),
                cmocka_unit_test(unknown_values),
                cmocka_unit_test(refuse_fills_and_returns),
                cmocka_unit_test(refuse_may_read_what_it_writes),
                cmocka_unit_test(refuse_errno_keeps_the_errno),
                cmocka_unit_test(long_and_foreign_text_is_tamed),
                cmocka_unit_test(formatting),
        };

        return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
