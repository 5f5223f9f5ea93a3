/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the contract of the Luo port and prints TAP.
 *
 *   contract-luo --fake             both stages on the fake, a fake kexec in between
 *   contract-luo --real --stage=1   on /dev/liveupdate, before a kexec
 *   contract-luo --real --stage=2   the same, in the kernel after it
 *   contract-luo --list             the rows: where they run, in which stages
 *
 * Stage 1 leaves a process behind that keeps the sessions open which stage 2 looks for.
 * It must live until the jump: either nothing kills all processes first (reboot(2)
 * straight from the harness), or systemd's final kill spares it: its command line starts
 * with '@'. Stage 2 needs nothing from stage 1 but that kexec.
 */
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "contract/luo-contract.h"
#include "fakes/luo-fake.h"

#define IMPATIENT_USEC (200 * USEC_PER_MSEC)
#define PATIENT_USEC (60 * USEC_PER_SEC)
#define HOLD_NSEC 50000000L

/* ---- the fake as an environment ---- */

static int fake_hold(void *self) {
        luo_fake_hold(self, LUO_FAKE_FOR_EVER);
        return 0;
}

static void fake_release(void *self) {
        luo_fake_release(self);
}

static int fake_hold_briefly(void *self) {
        luo_fake_hold(self, LUO_FAKE_ATTEMPTS - 1);
        return 0;
}

static bool fake_held(void *self) {
        return luo_fake_is_held(self);
}

static bool fake_size_frozen(void *self, int fd) {
        return luo_fake_is_preserved(self, fd);
}

static int run_fake(void) {
        _cleanup_luo_fake_ LuoFake *fake = NULL;
        ContractEnv e = {
                .hold = fake_hold,
                .release = fake_release,
                .hold_briefly = fake_hold_briefly,
                .held = fake_held,
                .size_frozen = fake_size_frozen,
        };
        Tap tap;

        if (luo_fake_new(&fake) < 0)
                return EXIT_FAILURE;
        e.self = fake;
        e.luo = e.patient = luo_fake_port(fake);

        tap_plan(&tap, contract_count(&e, 1) + 1 + contract_count(&e, 2));
        contract_run(&e, 1, &tap);
        tap_point(&tap, luo_fake_kexec(fake) == 0, "kexec");
        for (size_t i = 0; i < e.n_kept; i++)
                fd_close(e.kept[i]);
        e.n_kept = 0;
        contract_run(&e, 2, &tap);
        return tap_finish(&tap);
}

/* ---- the device as an environment ---- */

typedef struct Real {
        LuoDevice device, patient;
        int hold_fd;
        pthread_t holder;
        bool threaded;
        bool held; /* atomic */
} Real;

static int real_hold(void *self) {
        Real *r = self;

        r->hold_fd = open(LUO_DEVICE_PATH, O_RDWR | O_CLOEXEC);
        if (r->hold_fd < 0)
                return -errno;
        __atomic_store_n(&r->held, true, __ATOMIC_SEQ_CST);
        return 0;
}

static void *hold_a_while(void *p) {
        struct timespec ts = { .tv_nsec = HOLD_NSEC };
        Real *r = p;

        /* What is tested is that the other side waits this out. */
        (void)nanosleep(&ts, NULL);
        __atomic_store_n(&r->held, false, __ATOMIC_SEQ_CST);
        r->hold_fd = fd_close(r->hold_fd);
        return NULL;
}

static int real_hold_briefly(void *self) {
        Real *r = self;
        int n = real_hold(self);

        if (n < 0)
                return n;
        n = pthread_create(&r->holder, NULL, hold_a_while, r);
        r->threaded = n == 0;
        return -n;
}

static void real_release(void *self) {
        Real *r = self;

        if (r->threaded)
                (void)pthread_join(r->holder, NULL);
        r->threaded = false;
        r->hold_fd = fd_close(r->hold_fd);
        __atomic_store_n(&r->held, false, __ATOMIC_SEQ_CST);
}

static bool real_held(void *self) {
        return __atomic_load_n(&((Real *)self)->held, __ATOMIC_SEQ_CST);
}

static bool real_size_frozen(void *self, int fd) {
        struct stat st;
        bool grows, shrinks = false;

        if (fstat(fd, &st) < 0)
                return false;
        grows = ftruncate(fd, st.st_size + 1) >= 0 || errno != EPERM;
        if (st.st_size > 0 && !grows)
                shrinks = ftruncate(fd, st.st_size - 1) >= 0 || errno != EPERM;
        if (grows)
                (void)ftruncate(fd, st.st_size);
        return !grows && !shrinks;
}

static void stay_behind(char *command) {
        int null;

        (void)setsid();
        (void)signal(SIGHUP, SIG_IGN);
        null = open("/dev/null", O_RDWR);
        for (int i = 0; null >= 0 && i < 3; i++)
                (void)dup2(null, i);
        (void)chdir("/");
        /* SIGTERM goes to everyone first, and would end us before the '@' counts. */
        (void)signal(SIGTERM, SIG_IGN);
        command[0] = '@';
        for (;;)
                (void)pause();
}

static int run_real(int stage, char *command) {
        Real real = { .hold_fd = -1 };
        ContractEnv e = {
                .luo = luo_device(&real.device, NULL, IMPATIENT_USEC),
                .patient = luo_device(&real.patient, NULL, PATIENT_USEC),
                .real = true,
                .self = &real,
                .hold = real_hold,
                .release = real_release,
                .hold_briefly = real_hold_briefly,
                .held = real_held,
                .size_frozen = real_size_frozen,
        };
        Tap tap;

        /* Stage 1 has one more point: that the sessions are in safe hands. */
        tap_plan(&tap, contract_count(&e, stage) + (stage == 1));
        contract_run(&e, stage, &tap);
        if (stage == 1) {
                pid_t pid = fork();
                if (pid == 0)
                        stay_behind(command);
                tap_point(&tap, pid > 0, "stage 1: a process keeps the sessions open");
        }
        return tap_finish(&tap);
}

static int usage(void) {
        fputs("Usage: contract-luo --fake | --real --stage=1|2 | --list\n", stderr);
        return 2;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "fake", no_argument, NULL, 'f' },
                { "real", no_argument, NULL, 'r' },
                { "stage", required_argument, NULL, 's' },
                { "list", no_argument, NULL, 'l' },
                {},
        };
        bool fake = false, real = false;
        int stage = 0, c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'f':
                        fake = true;
                        break;
                case 'r':
                        real = true;
                        break;
                case 's':
                        stage = streq(optarg, "1") ? 1 : streq(optarg, "2") ? 2 : -1;
                        break;
                case 'l':
                        contract_list();
                        return EXIT_SUCCESS;
                default:
                        return usage();
                }
        if (optind < argc || fake == real || (fake && stage != 0) || (real && stage < 1))
                return usage();
        return fake ? run_fake() : run_real(stage, argv[0]);
}
