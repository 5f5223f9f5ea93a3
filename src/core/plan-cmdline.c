/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two command lines say about ACS and ARI. The options of pci= are separated by
 * commas (pci_setup(), drivers/pci/pci.c); those about ACS name devices and bits, and
 * here it only matters whether both kernels are told the same. The kernel also sets ACS
 * bits of its own where an IOMMU driver asks for it, so what is said about IOMMUs counts.
 */
#include "plan.h"

typedef struct Said {
        char text[4096]; /* the words that count, in their order */
        size_t n;
        bool acs, noari;
} Said;

static bool word_begins(const char *word, size_t n, const char *with) {
        return n >= strlen(with) && memcmp(word, with, strlen(with)) == 0;
}

static void note(Said *s, const char *word, size_t n) {
        n = MIN_OF(n, sizeof(s->text) - 1 - s->n);
        memcpy(s->text + s->n, word, n);
        s->n += n;
        if (s->n < sizeof(s->text) - 1)
                s->text[s->n++] = ' ';
}

static void note_pci(Said *s, const char *options, size_t n) {
        for (size_t at = 0, one; at < n; at += one + 1) {
                const char *option = options + at, *comma = memchr(option, ',', n - at);

                one = comma ? (size_t)(comma - option) : n - at;
                if (word_begins(option, one, "noari"))
                        s->noari = true;
                if (!word_begins(option, one, "disable_acs_redir=") && !word_begins(option, one, "config_acs="))
                        continue;
                s->acs = true;
                note(s, option, one);
        }
}

static void hear(Said *s, const char *cmdline) {
        static const char space[] = " \t\r\n";

        for (const char *word = cmdline + strspn(cmdline, space); *word;) {
                size_t n = strcspn(word, space);

                /* The rest goes to init. */
                if (n == 2 && memcmp(word, "--", 2) == 0)
                        break;
                if (word_begins(word, n, "pci="))
                        note_pci(s, word + 4, n - 4);
                else if (word_begins(word, n, "iommu=") || word_begins(word, n, "intel_iommu=") ||
                         word_begins(word, n, "amd_iommu="))
                        note(s, word, n);
                word += n;
                word += strspn(word, space);
        }
}

void plan_facts_cmdlines(PlanFacts *facts, const char *running, const char *next) {
        Said a = {}, b = {};

        if (!running || !next)
                return;
        hear(&a, running);
        hear(&b, next);
        facts->acs_differs = a.n != b.n || memcmp(a.text, b.text, a.n) != 0;
        facts->acs_configured = a.acs && b.acs;
        facts->ari_differs = a.noari != b.noari;
        facts->no_ari = a.noari && b.noari;
}
