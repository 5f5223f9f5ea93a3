/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of every refusal, in one table: the stable code that programs match on, the
 * sentence that says what is wrong, the remedy that says what to do about it, and the
 * errno for callers that only know errnos. An entry without words is a compile-time
 * gap that the unit test finds: it walks the whole enum.
 */
#include "reason.h"

#include "common/utf8.h"

#include <stdarg.h>

typedef struct ReasonWords {
        const char *code;
        const char *sentence;
        const char *remedy; /* "" where there is nothing to be done */
        int error;          /* positive errno */
} ReasonWords;

static const ReasonWords reason_table[_REASON_MAX] = {
        [REASON_NONE] = { "none", "Nothing is wrong.", "", 0 },

        [REASON_INVALID_ARGUMENT] = { "invalid-argument", "An argument of the request is not valid.",
                                      "Correct the argument and ask again.", EINVAL },
        [REASON_WRONG_STATE] = { "wrong-state", "This is not possible in the present state of the live update.",
                                 "See the state with 'liveupdatectl status' and do the steps in their order, or "
                                 "cancel.",
                                 EPROTO },
        [REASON_BUSY_JOB] = { "busy-job", "Another job is running.", "Wait until it is done, or cancel it.", EBUSY },
        [REASON_NAME_RESERVED] = { "name-reserved", "This session name is reserved.", "Choose another session name.",
                                   EPERM },
        [REASON_NAME_INVALID] = { "name-invalid", "This name is not a valid one.",
                                  "Use 1 to 63 letters, digits and . _ - : @ +, and no dot at the start.", EINVAL },
        [REASON_NAME_IN_USE] = { "name-in-use", "A session with this name exists already.",
                                 "Close that session first, or choose another name.", EEXIST },
        [REASON_NO_SUCH_SESSION] = { "no-such-session", "There is no session with this name.",
                                     "See the names with 'liveupdatectl sessions'.", ENOENT },
        [REASON_SESSION_CLAIMED] = { "session-claimed", "The session was claimed already.",
                                     "The kernel hands out a session once in a boot: get it from the client that has "
                                     "it.",
                                     EALREADY },
        [REASON_TOKEN_IN_USE] = { "token-in-use", "The session has a file under this token already.",
                                  "Use another token for this file.", EEXIST },
        [REASON_NO_SUCH_TOKEN] = { "no-such-token", "The session has no file under this token.",
                                   "Use a token that was preserved in this session before the kexec.", ENOENT },
        [REASON_NOT_OWNER] = { "not-owner", "This belongs to another user.",
                               "Ask as the user that opened the session, or as root.", EPERM },
        [REASON_LIMIT] = { "limit", "A limit is reached.", "Use less of it, or raise the limit in liveupdated.conf.",
                           EDQUOT },

        [REASON_LUO_ABSENT] = { "luo-absent",
                                "The running kernel has no live update orchestrator: no /dev/liveupdate.",
                                "Boot a kernel with CONFIG_LIVEUPDATE=y and 'kho=on liveupdate=on' on its command "
                                "line.",
                                ENODEV },
        [REASON_LUO_BUSY] = { "luo-busy", "/dev/liveupdate is held open by another process.",
                              "Find the process with 'fuser -v /dev/liveupdate' and end it; only one may have it "
                              "open.",
                              EBUSY },
        [REASON_LUO_BROKEN] = { "luo-broken", "The kernel could not read the state that the previous kernel left.",
                                "What was preserved is lost for this boot: see the kernel log, and reboot before the "
                                "next live update.",
                                EIO },
        [REASON_NO_HANDLER] = { "no-handler", "No handler of the kernel can preserve this type of file.",
                                "Load the kernel module with the handler, or leave this file out.", EOPNOTSUPP },
        [REASON_ALREADY_PRESERVED] = { "already-preserved", "The file is preserved already.",
                                       "A file can be in one session and under one token only: leave out the second.",
                                       EBUSY },
        [REASON_CANNOT_FINISH] = { "cannot-finish", "A file of the session is not ready to be finished.",
                                   "Retrieve all files of the session and finish again.", EBUSY },
        [REASON_RETRIEVE_FAILED] = { "retrieve-failed", "The kernel could not restore the file.",
                                     "It will not try again in this boot: start the workload anew, and see the kernel "
                                     "log for the cause.",
                                     EIO },

        [REASON_MEMFD_HUGEPAGES] = { "memfd-hugepages", "A memfd on huge pages cannot be preserved.",
                                     "Use a memfd without MFD_HUGETLB for the guest's memory; transparent huge pages "
                                     "are no hindrance.",
                                     EOPNOTSUPP },
        [REASON_MEMFD_NOEXEC_SEAL] = { "memfd-noexec-seal", "The memfd would come back read-only.",
                                       "Create it without MFD_NOEXEC_SEAL and without F_SEAL_EXEC: the kernel "
                                       "restores that seal on an executable file, which implies the seals against "
                                       "writing.",
                                       EOPNOTSUPP },

        [REASON_WRONG_ORDER] = { "wrong-order", "The file comes after one that has to come later.",
                                 "Preserve a session's memfds first, then its iommufds, then its VFIO devices: FINISH "
                                 "goes backwards and stops a device before its memory is freed.",
                                 EINVAL },
        [REASON_VFIO_UNKNOWN] = { "vfio-unknown", "The kernel does not tell which device the descriptor is for.",
                                  "Use the descriptor of a PCI device from /dev/vfio/devices, or one that was "
                                  "retrieved.",
                                  EINVAL },
        [REASON_VFIO_NOT_BOUND] = { "vfio-not-bound", "The VFIO descriptor is not bound to an iommufd.",
                                    "Bind this very descriptor with VFIO_DEVICE_BIND_IOMMUFD first.", EBADFD },
        [REASON_PF_NOT_PRESERVED] = { "pf-not-preserved",
                                      "The physical function of this virtual function is not preserved.",
                                      "Preserve the PF first: a VF goes along only after its PF.", ENODEV },
        [REASON_DMA_UNDECLARED] = { "dma-undeclared", "It is not declared which memory the device's DMA reaches.",
                                    "Name the tokens of all memfds that are mapped for it in dma-memory, or say "
                                    "dma-memory-complete; or use Dma=stop.",
                                    EINVAL },
        [REASON_DMA_MEMORY_MISSING] = { "dma-memory-missing",
                                        "Memory that the device's DMA reaches is not preserved in its session.",
                                        "Preserve every memfd that is mapped for the device first, in the same "
                                        "session: what is not preserved is overwritten in the next kernel.",
                                        EINVAL },
        [REASON_DMA_REFUSED] = { "dma-refused", "The kernel module does not let the device's DMA run on.",
                                 "An IOMMU domain is in use: take Dma=keep out of the device's rule, and see the "
                                 "kernel log.",
                                 EPERM },
        [REASON_SHIM_FULL] = { "shim-full", "The kernel module's list of devices is full.",
                               "Load liveupdate_vfio with a larger max_functions=.", ENOSPC },
        [REASON_SHIM_FAILED] = { "shim-failed", "The kernel module liveupdate_vfio did not do what it was asked.",
                                 "See the kernel log; use a module of the same version as liveupdated.", EIO },

        [REASON_NO_SUCH_DEVICE] = { "no-such-device", "There is no PCI function at this address.",
                                    "See the addresses with 'liveupdatectl devices'.", ENODEV },
        [REASON_DEVICE_VANISHED] = { "device-vanished", "The device went away while it was looked at.",
                                     "Put it back, or leave it out of the request.", ENODEV },
        [REASON_DEVICE_REPLACED] = { "device-replaced", "Another device is at this address than before.",
                                     "Put the old one back, or make a new plan with the new one.", ENXIO },
        [REASON_DEVICE_HOTPLUGGED] = { "device-hotplugged", "The device came after the plan was made.",
                                       "Make a new plan, or cancel and prepare again to take it along.", ESTALE },
        [REASON_DEVICE_IS_BRIDGE] = { "device-is-bridge", "A bridge cannot be requested for itself.",
                                      "Request the devices below it; the bridge goes along with them.", EINVAL },
        [REASON_DEVICE_NOT_PRESERVED] = { "device-not-preserved",
                                          "The update was asked for with this device, and nobody has preserved it.",
                                          "Have its VM manager take part and preserve it, hold it with "
                                          "'liveupdatectl device hold', or let it be lost with --except.",
                                          ENODEV },
        [REASON_RULE_DENIES] = { "rule-denies", "A device rule does not let this device go along.",
                                 "Change the rule, or leave the device out of the request.", EPERM },
        [REASON_RULES_INVALID] = { "rules-invalid", "Device rules could not be read and do not count.",
                                   "Correct the lines that the journal names, and reload liveupdated.", EINVAL },

        [REASON_NO_VFIO_SUPPORT] = { "no-vfio-support", "The running kernel cannot preserve VFIO devices.",
                                     "Load the kernel module of liveupdated, or use a kernel that can do it itself.",
                                     EOPNOTSUPP },
        [REASON_NO_VF_SUPPORT] = { "no-vf-support", "The kernel cannot carry virtual functions across a kexec.",
                                   "Use a kernel with the project's patch for SR-IOV, or give the guest a whole "
                                   "device.",
                                   EOPNOTSUPP },
        [REASON_NOT_VFIO_DRIVER] = { "not-vfio-driver", "The device is not bound to a VFIO driver.",
                                     "Bind it to vfio-pci.", EOPNOTSUPP },
        [REASON_NO_VFIO_CDEV] = { "no-vfio-cdev", "The device has no VFIO character device.",
                                  "Use a kernel with CONFIG_VFIO_DEVICE_CDEV=y, and an IOMMU or VFIO's no-IOMMU mode.",
                                  EOPNOTSUPP },
        [REASON_NATIVE_BUILTIN] = { "native-builtin",
                                    "The device's native driver is built into the kernel and would take it.",
                                    "Use kernels that have this driver as a module.", EOPNOTSUPP },
        [REASON_NATIVE_UNKNOWN] = { "native-unknown",
                                    "It is not known whether the device's native driver is built into the kernel.",
                                    "Install the running kernel's modules.builtin and modules.alias.", ENODATA },

        [REASON_PF_MISSING] = { "pf-missing", "The physical function of this virtual function is not there.",
                                "A VF goes along with its PF only: put the PF back, or leave the VF out of the "
                                "request.",
                                ENODEV },
        [REASON_PF_NOT_VFIO] = { "pf-not-vfio", "The physical function is not bound to vfio-pci.",
                                 "Bind the PF to vfio-pci too: a VF goes along with its PF only.", EOPNOTSUPP },
        [REASON_VFS_LOST] = { "vfs-lost", "The virtual functions of this device will be gone.",
                              "Use a kernel with the project's patch for SR-IOV, or create them anew after the "
                              "update.",
                              EOPNOTSUPP },
        [REASON_NEEDED_DEVICE] = { "needed-device", "A device that this one depends on cannot go along.",
                                   "See that device's own reasons.", EOPNOTSUPP },
        [REASON_GROUP_SHARED] = { "group-shared", "The device shares its IOMMU group with one that does not go along.",
                                  "Request all devices of the group, or move one of them to another slot.",
                                  EOPNOTSUPP },
        [REASON_BEHIND_PCI_BRIDGE] = { "behind-pci-bridge", "The device is behind a bridge of conventional PCI.",
                                       "Move it to a PCI Express slot: behind such a bridge, requests bear the "
                                       "bridge's address.",
                                       EOPNOTSUPP },
        [REASON_NOT_D0] = { "not-d0", "The device is in a power state that loses its state.",
                            "Keep it in D0: open it, or load vfio-pci with disable_idle_d3=1.", EOPNOTSUPP },
        [REASON_JUMP_SHUTDOWN] = { "jump-shutdown",
                                   "All services are stopped before the jump, and a jump that fails resets the "
                                   "machine.",
                                   "Nothing, if that is wanted; with Jump=direct services run on, and what fails is "
                                   "put back.",
                                   EINPROGRESS },
        [REASON_ACS_CHANGES] = { "acs-changes",
                                 "The next kernel would change the access control (ACS) of this function.",
                                 "Give both kernels the same pci= and iommu options, so that groups and routing stay "
                                 "as they are.",
                                 EOPNOTSUPP },
        [REASON_ARI_CHANGES] = { "ari-changes",
                                 "The next kernel would change the function numbering (ARI) below this port.",
                                 "Give both kernels the same pci= options, and keep function 0 of the device in its "
                                 "place.",
                                 EOPNOTSUPP },

        [REASON_DMA_STOPS] = { "dma-stops", "The device's DMA stops from FREEZE until its client goes on.",
                               "If its memory is preserved and the host can do it, a device rule with Dma=keep lets "
                               "it run on.",
                               EOPNOTSUPP },
        [REASON_DMA_TRANSLATED] = { "dma-translated",
                                    "DMA must stop because the IOMMU translates the device's addresses.",
                                    "It can only run on where there is no translation: no IOMMU, or iommu=pt with "
                                    "addresses mapped to themselves.",
                                    EOPNOTSUPP },
        [REASON_DMA_IDENTITY] = { "dma-identity",
                                  "DMA stops because the IOMMU only passes the device's addresses through.",
                                  "It can run on, without isolation, if every address of the guest is the host's own: "
                                  "Dma=keep-identity says so.",
                                  EOPNOTSUPP },
        [REASON_DMA_UNISOLATED] = { "dma-unisolated",
                                    "DMA runs on through the jump while no IOMMU confines the device.",
                                    "Use Dma=stop if the guest is not trusted with the host's memory.", EPERM },
        [REASON_DMA_NO_SUPPORT] = { "dma-no-support", "The running kernel cannot keep DMA running through the jump.",
                                    "Load a kernel module of liveupdated that offers it, or take Dma=keep out of the "
                                    "rule.",
                                    EOPNOTSUPP },

        [REASON_DEVICE_NOT_READY] = { "device-not-ready", "The device cannot be retrieved yet.",
                                      "Wait until its VFIO driver has it; for a VF, retrieve and bind its PF and "
                                      "write "
                                      "the number of VFs to sriov_numvfs first. To try too early would be final.",
                                      EAGAIN },
        [REASON_DEVICE_HELD] = { "device-held", "liveupdated holds this device already.",
                                 "Let it go with 'liveupdatectl device release'.", EALREADY },
        [REASON_DEVICE_NOT_HELD] = { "device-not-held", "liveupdated does not hold this device.",
                                     "See which it holds with 'liveupdatectl devices'.", ENOENT },
        [REASON_DRIVER_IN_USE] = { "driver-in-use", "Another driver has the device.",
                                   "Take it away from that driver with --rebind, if nothing on this host needs it.",
                                   EBUSY },

        [REASON_NEXT_SHIM_ABI] = { "next-shim-abi",
                                   "The next kernel's liveupdate_vfio does not understand the running one's records.",
                                   "Install a module of the same version for both kernels, or leave the devices out.",
                                   EPROTONOSUPPORT },
        [REASON_NEXT_NO_VF] = { "next-no-vf", "The next kernel does not keep virtual functions.",
                                "Use a kernel with the project's patch for SR-IOV, or leave the VF out.", EOPNOTSUPP },
        [REASON_INITRD_HANDLER_MISSING] = { "initrd-handler-missing",
                                            "The next boot has no handler for this when it is taken in: it would be "
                                            "lost, and everything else with it.",
                                            "Install the kernel module for the next kernel, build that kernel's "
                                            "initrd "
                                            "anew with liveupdated's part in it, and load both again.",
                                            ENOENT },
        [REASON_INITRD_HANDLER_UNSURE] = { "initrd-handler-unsure",
                                           "Whether the next boot has the handler for this in time is not known.",
                                           "See that the kernel module is in the initrd and is loaded before anything "
                                           "opens /dev/liveupdate: without it everything is lost.",
                                           ENOENT },
        [REASON_INITRD_DAMAGED] = { "initrd-damaged", "The initrd is damaged, or ends too early.",
                                    "Build it anew, or copy it again, and load it again.", EBADMSG },

        [REASON_NO_IMAGE] = { "no-image", "No next kernel is loaded.", "Load one with 'liveupdatectl load'.",
                              ENOEXEC },
        [REASON_IMAGE_NOT_A_KERNEL] = { "image-not-a-kernel", "The file is not a kernel image.",
                                        "Give a bzImage, or a unified kernel image that has one in it.", ENOEXEC },
        [REASON_IMAGE_TRUNCATED] = { "image-truncated", "The kernel image ends too early.",
                                     "Copy or install the image again.", ENOEXEC },
        [REASON_IMAGE_UNSUPPORTED_COMPRESSION] = { "image-unsupported-compression",
                                                   "The kernel image is compressed in a way that cannot be read.",
                                                   "Use a kernel that is compressed with gzip, xz, zstd or lz4.",
                                                   EOPNOTSUPP },
        [REASON_IMAGE_NO_KHO] = { "image-no-kho", "The next kernel has no kexec handover.",
                                  "Use a kernel with CONFIG_KEXEC_HANDOVER=y.", EOPNOTSUPP },
        [REASON_IMAGE_NO_LUO] = { "image-no-luo", "The next kernel has no live update orchestrator.",
                                  "Use a kernel with CONFIG_LIVEUPDATE=y.", EOPNOTSUPP },
        [REASON_IMAGE_NO_MEMFD] = { "image-no-memfd", "The next kernel cannot restore memfds.",
                                    "Use a kernel with CONFIG_LIVEUPDATE_MEMFD=y.", EOPNOTSUPP },
        [REASON_IMAGE_KHO_ABI] = { "image-kho-abi", "The next kernel's KHO ABI differs from the running one's.",
                                   "Use a kernel with the same kho-vN string, or shut the VMs down and reboot.",
                                   EPROTONOSUPPORT },
        [REASON_IMAGE_LUO_ABI] = { "image-luo-abi", "The next kernel's LUO ABI differs from the running one's.",
                                   "Use a kernel with the same luo-vN string, or shut the VMs down and reboot.",
                                   EPROTONOSUPPORT },
        [REASON_IMAGE_MEMFD_ABI] = { "image-memfd-abi", "The next kernel's memfd ABI differs from the running one's.",
                                     "Use a kernel with the same memfd-vN string, or shut the VMs down and reboot.",
                                     EPROTONOSUPPORT },
        [REASON_RUNNING_ABI_UNKNOWN] = { "running-abi-unknown",
                                         "The ABI of the running kernel is not known, so the next one cannot be "
                                         "judged.",
                                         "Install the running kernel's image where it was booted from (/boot or "
                                         "/usr/lib/modules).",
                                         ENODATA },
        [REASON_CMDLINE_TOO_LONG] = { "cmdline-too-long", "The kernel command line is too long.", "Make it shorter.",
                                      E2BIG },
        [REASON_CMDLINE_INVALID] = { "cmdline-invalid", "The kernel command line is not valid.",
                                     "Use printable text in one line that leaves kho and liveupdate on.", EINVAL },
        [REASON_SCRATCH_TOO_SMALL] = { "scratch-too-small", "Kernel and initrd do not fit into the KHO scratch area.",
                                       "Use a smaller initrd, or boot with a larger kho_scratch=.", EADDRNOTAVAIL },
        [REASON_LOAD_REFUSED] = { "load-refused", "The running kernel refused to load the next one.",
                                  "See the kernel log; check signature and lockdown if they are in use.", ENOEXEC },
        [REASON_LOAD_KEXEC_BUSY] = { "load-kexec-busy", "Another kexec operation is running.",
                                     "Try again when it is done.", EBUSY },
        [REASON_KEXEC_DISABLED] = { "kexec-disabled", "Loading kernels by kexec is disabled on this host.",
                                    "Boot with kernel.kexec_load_disabled=0 and without a lockdown that forbids it.",
                                    EPERM },
        [REASON_IMAGE_FOREIGN] = { "image-foreign", "The loaded next kernel was not loaded by liveupdated.",
                                   "Load it with 'liveupdatectl load', so that it can be checked; an image from "
                                   "kexec_load(2) loses all that is preserved.",
                                   ENOEXEC },

        [REASON_VETO] = { "veto", "A participant refused.", "Remove its reason and start again.", ECANCELED },
        [REASON_DEADLINE] = { "deadline", "A participant did not answer in time.",
                              "See what it waits for, or give it more time in liveupdated.conf.", ETIMEDOUT },
        [REASON_PARTICIPANT_DIED] = { "participant-died", "A participant ended while the update was going on.",
                                      "Start it again, then start the update again.", ECONNRESET },
        [REASON_SESSION_LOST] = { "session-lost", "A session was closed while it was needed.",
                                  "Open and fill it again, then start the update again.", EPIPE },
        [REASON_REBOOT_FAILED] = { "reboot-failed", "The kernel refused to jump into the next kernel.",
                                   "Everything was put back; see the kernel log for the cause and try again.", EIO },
        [REASON_FREEZE_FAILED] = { "freeze-failed", "The kernel could not freeze a preserved file.",
                                   "Everything was put back; see the kernel log for the file and try again.", EIO },
        [REASON_SHUTDOWN_FAILED] = { "shutdown-failed",
                                     "The shutdown that ends in the next kernel did not take place.",
                                     "Everything was put back; see the journal of systemd for the cause, or use "
                                     "Jump=direct.",
                                     EIO },
        [REASON_SHUTDOWN_SCHEDULED] = { "shutdown-scheduled",
                                        "A shutdown of this host is scheduled, and would not be held back by an "
                                        "update under way.",
                                        "Call it off with 'shutdown -c', or update after it.", EBUSY },
        [REASON_CANCELLED] = { "cancelled", "The job was cancelled.", "Start it again when it is wanted.", ECANCELED },
        [REASON_NOT_CLAIMED] = { "not-claimed", "Sessions wait that nobody has claimed.",
                                 "Start their clients, or drop the sessions.", EAGAIN },
        [REASON_NOT_FINISHED] = { "not-finished", "A client has claimed its session and has not finished it.",
                                  "Wait for the client, or finish without it: what it has not taken out of the "
                                  "session by then is freed ('liveupdatectl finish --force').",
                                  ETIMEDOUT },
        [REASON_DAEMON_DIED] = { "daemon-died", "liveupdated ended while the job was running.",
                                 "What could be put back was put back: see the state and start the job again.",
                                 EOWNERDEAD },
        [REASON_HANDOVER_LOST] = { "handover-lost", "What an update was to carry into this kernel did not arrive.",
                                   "Start the workloads anew; the logs of both boots may tell why.", ENODATA },
        [REASON_MANIFEST_INVALID] = { "manifest-invalid",
                                      "The record that the previous kernel's daemon left is not valid.",
                                      "The sessions are still in the kernel and can be claimed by name; install the "
                                      "version that wrote the record to have it read.",
                                      EBADMSG },
        [REASON_MANIFEST_MISSING] = { "manifest-missing", "The previous kernel's daemon left no record.",
                                      "Sessions may still be in the kernel and can be claimed by name.", ENODATA },
        [REASON_SYSTEM] = { "system", "A call to the system failed.", "See the detail and the journal for the cause.",
                            EIO },
};

static const ReasonWords *reason_words(Reason reason) {
        return (size_t)reason < ELEMENTSOF(reason_table) ? &reason_table[reason] : NULL;
}

const char *reason_code(Reason reason) {
        const ReasonWords *w = reason_words(reason);

        return w ? w->code : NULL;
}

int reason_from_code(const char *code) {
        for (size_t i = 0; code && i < ELEMENTSOF(reason_table); i++)
                if (streq(reason_table[i].code, code))
                        return (int)i;
        return -EINVAL;
}

const char *reason_sentence(Reason reason) {
        const ReasonWords *w = reason_words(reason);

        return w ? w->sentence : NULL;
}

const char *reason_remedy(Reason reason) {
        const ReasonWords *w = reason_words(reason);

        return w ? w->remedy : NULL;
}

int reason_errno(Reason reason) {
        const ReasonWords *w = reason_words(reason);

        return w ? -w->error : -EINVAL;
}

/* What goes into a refusal ends up on the bus and in one line of a log: utf8_copy()
 * leaves neither half characters nor control characters. */
static void fill(Refusal *ret, Reason reason, const char *subject, const char *detail) {
        if (!ret)
                return;
        *ret = (Refusal){ .reason = reason };
        utf8_copy(ret->subject, sizeof(ret->subject), subject ?: "");
        utf8_copy(ret->detail, sizeof(ret->detail), detail);
}

int refuse(Refusal *ret, Reason reason, const char *subject, const char *detail_format, ...) {
        char detail[1024] = "";

        if (detail_format) {
                va_list ap;

                va_start(ap, detail_format);
                if (vsnprintf(detail, sizeof(detail), detail_format, ap) < 0)
                        detail[0] = '\0';
                va_end(ap);
        }
        /* Copied first: the subject may be that of *ret itself. */
        char who[sizeof(((Refusal *)0)->subject)];
        utf8_copy(who, sizeof(who), subject ?: "");
        fill(ret, reason, who, detail);
        return reason_errno(reason);
}

int refuse_errno(Refusal *ret, int r, const char *subject, const char *what) {
        char who[sizeof(((Refusal *)0)->subject)], detail[512];
        int error = r < 0 ? -r : r;

        utf8_copy(who, sizeof(who), subject ?: "");
        if (str_empty(what))
                (void)snprintf(detail, sizeof(detail), "%s", strerror(error));
        else
                (void)snprintf(detail, sizeof(detail), "%s: %s", what, strerror(error));
        fill(ret, REASON_SYSTEM, who, detail);
        return r;
}

void refusal_format(const Refusal *refusal, char *buf, size_t size) {
        char text[1024];
        const ReasonWords *w = reason_words(refusal->reason) ?: &reason_table[REASON_SYSTEM];
        size_t sentence = strlen(w->sentence);

        if (size == 0)
                return;
        /* The detail goes inside the sentence, before its full stop. */
        (void)snprintf(text, sizeof(text), "%s%s%.*s%s%s%s.%s%s", refusal->subject, *refusal->subject ? ": " : "",
                       (int)sentence - 1, w->sentence, *refusal->detail ? " (" : "", refusal->detail,
                       *refusal->detail ? ")" : "", *w->remedy ? " " : "", w->remedy);
        utf8_copy(buf, size, text);
}
