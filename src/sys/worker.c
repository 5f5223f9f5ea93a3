/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread, two queues: items wait in `todo`, run one after the other, and wait in
 * `finished` for the event loop.
 *
 * Always true: an item is in exactly one of todo, running and finished, and its
 * completion is called once, by the thread that dispatches or frees. The eventfd is
 * readable exactly while there is something to dispatch: it is written under the lock
 * when the queue it stands for stops being empty, and drained under the lock when that
 * queue is taken. Completions run without the lock, so they may submit more work.
 *
 * An inline worker has no thread and no `finished` queue: the eventfd stands for todo.
 */
#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

typedef struct Item Item;
struct Item {
        Item *next;
        worker_run_t run;
        worker_done_t done;
        void *work;
        void *userdata;
        int result;
};

typedef struct Queue {
        Item *first;
        Item **end; /* where the next item goes; NULL while the queue is empty */
} Queue;

struct Worker {
        pthread_mutex_t lock;
        pthread_cond_t wake; /* todo is not empty, or stop */
        pthread_t thread;
        bool threaded;
        bool stop;
        size_t pending; /* submitted, completion not yet called */
        int event_fd;
        Queue todo, finished;
};

static void queue_push(Queue *q, Item *i) {
        i->next = NULL;
        *(q->first ? q->end : &q->first) = i;
        q->end = &i->next;
}

static Item *queue_pop(Queue *q) {
        Item *i = q->first;

        if (i)
                q->first = i->next;
        return i;
}

static Queue queue_take(Queue *q) {
        Queue taken = *q;

        *q = (Queue){};
        return taken;
}

/* Neither can fail: the counter stays at 0 or 1, and a drain of 0 is only EAGAIN. */
static void event_set(const Worker *w) {
        (void)eventfd_write(w->event_fd, 1);
}

static void event_clear(const Worker *w) {
        eventfd_t value;

        (void)eventfd_read(w->event_fd, &value);
}

static void complete(Worker *w, Item *i) {
        (void)pthread_mutex_lock(&w->lock);
        w->pending--;
        (void)pthread_mutex_unlock(&w->lock);
        if (i->done)
                i->done(i->work, i->result, i->userdata);
        free(i);
}

static void *worker_main(void *p) {
        Worker *w = p;

        (void)pthread_mutex_lock(&w->lock);
        while (!w->stop) {
                Item *i = queue_pop(&w->todo);
                if (!i) {
                        (void)pthread_cond_wait(&w->wake, &w->lock);
                        continue;
                }
                (void)pthread_mutex_unlock(&w->lock);
                i->result = i->run(i->work);
                (void)pthread_mutex_lock(&w->lock);
                if (!w->finished.first)
                        event_set(w);
                queue_push(&w->finished, i);
        }
        (void)pthread_mutex_unlock(&w->lock);
        return NULL;
}

/* Signals belong to the event loop: the thread is born with all of them blocked. */
static int start_thread(Worker *w, const char *name) {
        sigset_t all, before;
        char short_name[16]; /* what the kernel takes */
        int r;

        (void)sigfillset(&all);
        r = pthread_sigmask(SIG_SETMASK, &all, &before);
        if (r != 0)
                return -r;
        r = pthread_create(&w->thread, NULL, worker_main, w);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -r;

        w->threaded = true;
        (void)snprintf(short_name, sizeof(short_name), "%s", name);
        (void)pthread_setname_np(w->thread, short_name);
        return 0;
}

int worker_new_inline(Worker **ret) {
        Worker *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (w->event_fd < 0) {
                int r = -errno;
                free(w);
                return r;
        }
        (void)pthread_mutex_init(&w->lock, NULL);
        (void)pthread_cond_init(&w->wake, NULL);
        *ret = w;
        return 0;
}

int worker_new(const char *name, Worker **ret) {
        Worker *w;
        int r;

        r = worker_new_inline(&w);
        if (r < 0)
                return r;
        r = start_thread(w, name);
        if (r < 0) {
                worker_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

Worker *worker_free(Worker *w) {
        Queue finished, todo;
        Item *i;

        if (!w)
                return NULL;

        (void)pthread_mutex_lock(&w->lock);
        w->stop = true;
        (void)pthread_cond_signal(&w->wake);
        (void)pthread_mutex_unlock(&w->lock);
        if (w->threaded)
                (void)pthread_join(w->thread, NULL);

        /* The thread is gone and submit refuses: nothing is added any more. */
        finished = queue_take(&w->finished);
        todo = queue_take(&w->todo);
        while ((i = queue_pop(&finished)))
                complete(w, i);
        while ((i = queue_pop(&todo))) {
                i->result = -ECANCELED;
                complete(w, i);
        }

        (void)pthread_cond_destroy(&w->wake);
        (void)pthread_mutex_destroy(&w->lock);
        fd_close(w->event_fd);
        free(w);
        return NULL;
}

int worker_submit(Worker *w, worker_run_t run, worker_done_t done, void *work, void *userdata) {
        Item *i;

        i = malloc(sizeof(*i));
        if (!i)
                return -ENOMEM;
        *i = (Item){ .run = run, .done = done, .work = work, .userdata = userdata };

        (void)pthread_mutex_lock(&w->lock);
        if (w->stop) {
                (void)pthread_mutex_unlock(&w->lock);
                free(i);
                return -ESHUTDOWN;
        }
        if (!w->threaded && !w->todo.first)
                event_set(w);
        queue_push(&w->todo, i);
        w->pending++;
        (void)pthread_cond_signal(&w->wake);
        (void)pthread_mutex_unlock(&w->lock);
        return 0;
}

int worker_fd(const Worker *w) {
        return w->event_fd;
}

int worker_dispatch(Worker *w) {
        Queue due;
        Item *i;
        int n = 0;

        /* Only what is due now: work that a completion submits waits for the next
         * round of the event loop, so others get their turn. */
        (void)pthread_mutex_lock(&w->lock);
        due = queue_take(w->threaded ? &w->finished : &w->todo);
        event_clear(w);
        (void)pthread_mutex_unlock(&w->lock);

        while ((i = queue_pop(&due))) {
                if (!w->threaded)
                        i->result = i->run(i->work);
                complete(w, i);
                n++;
        }
        return n;
}

bool worker_busy(const Worker *w) {
        Worker *u = (Worker *)w;
        bool busy;

        (void)pthread_mutex_lock(&u->lock);
        busy = u->pending > 0;
        (void)pthread_mutex_unlock(&u->lock);
        return busy;
}
