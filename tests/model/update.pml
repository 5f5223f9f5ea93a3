/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of live updates, one after another for ever, for spin(1): a daemon, its
 * clients, the kernels, the service manager's descriptor store, and what may go wrong.
 *
 * What is in it. Each client is a participant with one session. It registers whenever it
 * likes, also late; asked to get ready it says ready, asks once for more time, vetoes or
 * says nothing; it may close its session, never claim it, die and be started again, with
 * each of the three policies for its death. The daemon may be killed between any two
 * things that it does to the world, start-up included, and any number of times. Each call
 * that can fail may: creating a session, preserving, reboot(2) in a freeze handler,
 * FINISH. A jump ends in a kernel with LUO, or in one without (or a cold boot). Operators
 * start, go on by hand or at once, cancel in time or never, finish what nobody claims, and
 * wait for those who have claimed, or do not.
 * The phase changes only by phase-rules.pml, which is the table of src/core/phase.c;
 * `phase` is as saved in the runtime directory, so it outlives the daemon.
 *
 * What is written in the runtime directory survives the daemon. With STORE=1 (the default)
 * sessions and leases do so, too; with STORE=0 a crash hangs up on every client, and the
 * kernel closes each session that no client has a copy of.
 *
 * What is not in it. Time: a deadline may pass as soon as it is not in the future any
 * more. Files: a session is whole. Workers: a call ends in the loop turn in which it is
 * taken up, though turns of others come before it. Sessions of clients that are no
 * participants are in it as those of one that has not registered yet. Images, devices,
 * settings, limits, rights, the bus (it loses nothing, and keeps the order). One gap:
 * the kernel hands a session out once, so a daemon that is killed between RETRIEVE_SESSION
 * and the very next call, which puts a copy into the store, loses it; without a store its own
 * session is in danger until the manifest is in the runtime directory. A crash is let into
 * that gap only with -DGAPS, which must fail.
 *
 * What is assumed for "eventually". The crashes, deaths and failures end at some time
 * (calm), and every process that can go on for ever does so at some time. In PREPARED and
 * FROZEN that process is the operator: nothing else ends those two. One whose FINISH has
 * waited for a client in vain does not wait the next time.
 *
 * BREAK_* are faults put in on purpose: spin must find each (test-model.sh). CHECK=0 leaves
 * out what is asserted after each turn of the daemon, DEATHS=0 the deaths of clients.
 */
#include "phase-rules.pml"

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef STORE
#define STORE 1
#endif
#ifndef CHECK
#define CHECK 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define OWN CLIENTS /* the daemon's own session, with the manifest */

/* The kernel: what it has of each session, and who has a copy of its descriptor. */
mtype:kernel = { K_NONE, K_OUTGOING, K_WAITING, K_RETRIEVED }
mtype:kernel kernel[CLIENTS + 1] = K_NONE;
bool daemon_fd[CLIENTS + 1], store_fd[CLIENTS + 1], client_fd[CLIENTS + 1];

/* The runtime directory. It is as empty as this in each new boot. */
mtype:phase phase = PHASE_FIRST;
bool fresh = true;         /* nothing was saved in this boot */
bool registered[CLIENTS];  /* with a lease in the store */
bool written[CLIENTS];     /* an outgoing session */
bool incoming;             /* `phase` was saved with word of an update that came in */
bool have_manifest;        /* … whose manifest is here */
bool noted_finished[CLIENTS], noted_lost[CLIENTS];
mtype:job = { JOB_NONE, JOB_STEP, JOB_UPDATE }
mtype:job job = JOB_NONE;  /* JOB_UPDATE goes on by itself; JOB_STEP is one step by hand */

bool listed[CLIENTS];      /* in the manifest, wherever that is now */
bool departed;             /* on disk: this machine went away for an update */
bool loss;                 /* what had left did not come back, and nobody has said so yet */

/* The daemon's memory. */
bool up;
bool arriving;             /* its own session is retrieved, the manifest not yet saved */
mtype:session = { S_NONE, S_OPENING, S_OPEN, S_CLOSING, S_WAITING, S_CLAIMING, S_CLAIMED, S_FINISHED, S_LOST }
mtype:session session[CLIENTS] = S_NONE;
bool doomed[CLIENTS];
mtype:answer = { A_NONE, A_WAITING, A_READY, A_VETO }
mtype:answer answer[CLIENTS] = A_NONE;
bool touched[CLIENTS];     /* is to be told to resume */
byte left[CLIENTS];        /* of the time until its deadline */
bool delayed[CLIENTS];
bool own_ready;
bool impatient;            /* somebody will cancel before PREPARED or FROZEN is reached */
bool crossed;              /* the job that came through the jump runs */
bool forced;               /* the operator's FINISH waits for no client */
bool tired;                /* it has, in vain */

/* The clients, as they are themselves. */
mtype:request = { R_NONE, R_PREPARE, R_FREEZE }
bool alive[CLIENTS] = true;
mtype:request request[CLIENTS] = R_NONE; /* on its way */
bool resume[CLIENTS];      /* on its way, or the lease was hung up */
byte told[CLIENTS];        /* was sent this request, and no resume since */
#define TOLD_PREPARE 1
#define TOLD_FREEZE 2
bool holds[CLIENTS];       /* has acted on a request, and on no resume since */

bool calm;                 /* nobody dies any more and no call fails */

#define IN_MIDST(p) ((p) != PHASE_NORMAL && (p) != PHASE_UPDATED && (p) != PHASE_FINISHING)
#define ON_THE_BUS (up && !arriving)

/* ANY(P): whether it holds for a client; PICK(P): makes s one for which it does. */
#if CLIENTS == 1
#define ANY(P) P(0)
#define PICK(P) s = 0
#elif CLIENTS == 2
#define ANY(P) (P(0) || P(1))
#define PICK(P) if :: P(0) -> s = 0 :: P(1) -> s = 1 fi
#else
#define ANY(P) (P(0) || P(1) || P(2))
#define PICK(P) if :: P(0) -> s = 0 :: P(1) -> s = 1 :: P(2) -> s = 2 fi
#endif
#define IS_WAITED_FOR(i) (answer[i] == A_WAITING)
#define HAS_VETOED(i) (answer[i] == A_VETO)
#define IS_DEAD(i) (registered[i] && !alive[i])
#define IS_OPENING(i) (session[i] == S_OPENING)
#define IS_CLOSING(i) (session[i] == S_CLOSING)
#define IS_OUTGOING(i) (session[i] == S_OPENING || session[i] == S_OPEN || session[i] == S_CLOSING)
#define IS_FORSAKEN(i) (session[i] == S_OPEN && !client_fd[i])
#define IS_CLAIMING(i) (session[i] == S_CLAIMING)
#define IS_USED(i) (session[i] == S_CLAIMED && client_fd[i])
#ifdef BREAK_HANDS
#define IS_UNUSED(i) (session[i] == S_WAITING || session[i] == S_CLAIMED)
#else
#define IS_UNUSED(i) (session[i] == S_WAITING || session[i] == S_CLAIMED && (forced || !client_fd[i]))
#endif
#define IS_MISSING(i) (session[i] == S_WAITING || session[i] == S_CLAIMING || session[i] == S_CLAIMED)

/* A copy of a session's descriptor was closed. Closing the last one of an outgoing
 * session cancels it; of a retrieved one it is a FINISH that nobody asked for. */
inline let_go(s)
{
        if
        :: kernel[s] == K_OUTGOING && !daemon_fd[s] && !store_fd[s] && !client_fd[s] -> kernel[s] = K_NONE
        :: kernel[s] == K_RETRIEVED && !daemon_fd[s] && !store_fd[s] && !client_fd[s] ->
                assert(!STORE);
                kernel[s] = K_NONE
        :: else
        fi
}

/* SIGKILL may come here. The rest of the turn is then left out, up to the crash itself. */
inline may_die()
{
        if
        :: true
        :: !calm && !dying -> dying = true
        fi
}

inline crash()
{
        d_step {
                up = false;
                arriving = false;
                own_ready = false;
                impatient = false;
                crossed = false;
                forced = false;
                c = 0;
                do
                :: c < CLIENTS ->
                        session[c] = S_NONE;
                        doomed[c] = false;
                        answer[c] = A_NONE;
                        touched[c] = false;
                        left[c] = 0;
                        delayed[c] = false;
                        daemon_fd[c] = false;
                        if
                        :: !STORE ->
                                written[c] = false;
                                resume[c] = resume[c] || registered[c] && (told[c] || holds[c] || client_fd[c]);
                                registered[c] = false;
                                told[c] = 0;
                                request[c] = R_NONE
                        :: else
                        fi;
                        let_go(c);
                        c++
                :: else -> break
                od;
                daemon_fd[OWN] = false;
                let_go(OWN);
                c = 0
        }
}

/* Asks a participant; before, so that a restart tells it to go on, it is written down. */
inline ask(who, what)
{
        answer[who] = A_WAITING;
        left[who] = 1;
        delayed[who] = false;
        touched[who] = true;
        if
        :: alive[who] ->
                told[who] = (what == R_FREEZE -> TOLD_FREEZE : TOLD_PREPARE);
                request[who] = what
        :: else
        fi
}

inline ask_all(what)
{
        c = 0;
        do
        :: c < CLIENTS ->
                if
                :: registered[c] && !dying ->
                        ask(c, what);
                        may_die()
                :: else -> answer[c] = A_NONE
                fi;
                c++
        :: else -> break
        od;
        c = 0
}

inline end_barrier()
{
        d_step {
                c = 0;
                do
                :: c < CLIENTS ->
                        answer[c] = A_NONE;
                        left[c] = 0;
                        delayed[c] = false;
                        c++
                :: else -> break
                od;
                c = 0
        }
}

/* First the clients, last come first; then what is open. What is under way is waited for
 * in CANCELLING. */
inline roll_back()
{
        end_barrier();
        c = CLIENTS;
        do
        :: c > 0 ->
                c--;
                listed[c] = false;
                if
#ifdef BREAK_RESUME
                :: false
#else
                :: touched[c] && !dying ->
                        touched[c] = false;
                        if
                        :: alive[c] ->
                                told[c] = 0;
                                request[c] = R_NONE;
                                resume[c] = true
                        :: else
                        fi;
                        may_die()
#endif
                :: else
                fi
        :: else -> break
        od;
        do
        :: c < CLIENTS && !dying ->
                if
                :: session[c] == S_OPEN ->
                        written[c] = false;
                        session[c] = S_CLOSING;
                        may_die()
                :: session[c] == S_OPENING -> doomed[c] = true
                :: else
                fi;
                c++
        :: else -> break
        od;
        c = 0
}

/* What came in, in a new kernel or found again after a restart. */
inline receive()
{
        d_step {
                c = 0;
                do
                :: c < CLIENTS ->
                        if
                        :: noted_finished[c] -> session[c] = S_FINISHED
                        :: noted_lost[c] -> session[c] = S_LOST
                        :: have_manifest && listed[c] && !noted_finished[c] && !noted_lost[c] -> session[c] = S_WAITING
                        :: else
                        fi;
                        if
                        :: store_fd[c] && session[c] == S_WAITING ->
                                daemon_fd[c] = true;
                                session[c] = S_CLAIMED
                        :: store_fd[c] && session[c] != S_WAITING ->
                                store_fd[c] = false;
                                let_go(c)
                        :: else
                        fi;
                        c++
                :: else -> break
                od;
                c = 0;
                crossed = true
        }
}

inline settle()
{
        if
        :: incoming ->
                d_step {
                        c = 0;
                        do
                        :: c < CLIENTS ->
                                assert(!listed[c] || kernel[c] == K_NONE);
                                session[c] = S_NONE;
                                c++
                        :: else -> break
                        od;
                        crossed = false;
                        c = 0
                };
                may_die();
                if
                :: !dying ->
                        have_manifest = false;
                        do
                        :: c < CLIENTS ->
                                listed[c] = false;
                                noted_finished[c] = false;
                                noted_lost[c] = false;
                                c++
                        :: else -> break
                        od;
                        c = 0;
                        may_die()
                :: else
                fi;
                if
                :: !dying -> incoming = false
                :: else
                fi
        :: else ->
                own_ready = false;
                impatient = false;
                departed = false
        fi;
        if
        :: !dying -> job = JOB_NONE
        :: else
        fi
}

/* Steps of several calls. */

inline finish_open(s)
{
        if
        :: doomed[s] ->
                doomed[s] = false;
                daemon_fd[s] = true;
                kernel[s] = K_OUTGOING;
                session[s] = S_CLOSING
        :: !doomed[s] ->
                daemon_fd[s] = true;
                kernel[s] = K_OUTGOING;
                may_die();
                if
                :: !dying && STORE ->
                        store_fd[s] = true;
                        may_die()
                :: else
                fi;
                if
                :: !dying ->
                        written[s] = true;
                        session[s] = S_OPEN;
                        may_die()
                :: else
                fi;
                if
                :: !dying -> client_fd[s] = alive[s]
                :: else
                fi
        :: !calm -> /* the kernel refuses */
                doomed[s] = false;
                session[s] = S_NONE
        fi
}

/* The store's copy goes first: with the last one the kernel lets go. */
inline close_all(s)
{
#ifndef BREAK_STORE
        if
        :: store_fd[s] ->
                store_fd[s] = false;
                let_go(s);
                may_die()
        :: else
        fi;
#endif
        if
        :: !dying ->
                daemon_fd[s] = false;
                let_go(s)
        :: else
        fi
}

/* Of a session that waits; it stays waiting when somebody else has it. */
inline retrieve(s)
{
        if
        :: kernel[s] == K_WAITING ->
                kernel[s] = K_RETRIEVED;
                daemon_fd[s] = true;
#ifdef GAPS
                may_die();
#endif
                if
                :: !dying ->
#ifndef BREAK_PUT
                        store_fd[s] = STORE;
#endif
                        session[s] = S_CLAIMED;
                        may_die()
                :: else
                fi
        :: kernel[s] == K_RETRIEVED -> session[s] = S_WAITING
        :: kernel[s] == K_NONE ->
                noted_lost[s] = true;
                session[s] = S_LOST
        fi
}

/* FINISH returned 0: from then on closing is harmless. */
inline finish(s)
{
        kernel[s] = K_NONE;
        may_die();
        if
        :: !dying ->
                noted_finished[s] = true;
                session[s] = S_FINISHED;
                client_fd[s] = false;
                may_die()
        :: else
        fi;
        if
        :: !dying ->
                store_fd[s] = false;
                daemon_fd[s] = false
        :: else
        fi
}

/* The machine is in another kernel: every process and every descriptor is gone. */
inline reboot(with_luo)
{
        d_step {
                c = 0;
                do
                :: c < CLIENTS ->
                        /* Nobody who took part has a session that the manifest does not name. What
                         * others kept open goes along for nobody, and the next kexec ends it. */
                        assert(kernel[c] != K_OUTGOING || listed[c] || !told[c]);
                        assert(!listed[c] || kernel[c] == K_OUTGOING);
                        if
                        :: with_luo && listed[c] -> kernel[c] = K_WAITING
                        :: else ->
                                kernel[c] = K_NONE;
                                listed[c] = false
                        fi;
                        client_fd[c] = false;
                        store_fd[c] = false;
                        registered[c] = false;
                        written[c] = false;
                        alive[c] = true;
                        told[c] = 0;
                        holds[c] = false;
                        request[c] = R_NONE;
                        resume[c] = false;
                        c++
                :: else -> break
                od;
                kernel[OWN] = (with_luo -> K_WAITING : K_NONE);
                store_fd[OWN] = false;
                fresh = true;
                job = JOB_NONE;
                loss = !with_luo
        };
        crash();
        phase = PHASE_FIRST
}

/* What always holds while the daemon is up, between two of its turns. */
inline check()
{
        d_step {
                c = 0;
                do
                :: c < CLIENTS ->
                        /* The store and the daemon hold nothing that is not in the books. */
                        assert(!daemon_fd[c] || session[c] == S_OPEN || session[c] == S_CLOSING || session[c] == S_CLAIMED);
                        assert(!store_fd[c] || daemon_fd[c]);
                        assert(session[c] != S_OPEN || daemon_fd[c] && kernel[c] == K_OUTGOING && store_fd[c] == STORE);
                        assert(session[c] != S_CLAIMED || daemon_fd[c]);
                        assert(!IS_OUTGOING(c) || !incoming);
                        /* Nobody is told to get ready and then forgotten. */
                        assert(!holds[c] || told[c] || resume[c]);
                        assert(!told[c] || registered[c]);
                        assert(!told[c] || touched[c] && IN_MIDST(phase) && phase != PHASE_CANCELLING);
                        /* Who has paused its workload is frozen, jumps or resumes; it is not put off. */
                        assert(told[c] != TOLD_FREEZE || phase == PHASE_FREEZING || phase == PHASE_FROZEN || phase == PHASE_JUMPING);
                        assert(!listed[c] || phase == PHASE_FROZEN || phase == PHASE_JUMPING || incoming);
                        assert(!listed[c] || incoming || session[c] == S_OPEN);
                        c++
                :: else -> break
                od;
                c = 0;
                assert(!store_fd[OWN] || daemon_fd[OWN]);
                assert(!daemon_fd[OWN] || IN_MIDST(phase));
                assert(kernel[OWN] == K_NONE || IN_MIDST(phase));
                assert(incoming == (phase == PHASE_UPDATED || phase == PHASE_FINISHING));
                /* Nothing is left pending: every job has ended, every loss was said. */
                assert(phase != PHASE_NORMAL || job == JOB_NONE && !crossed && !loss && !departed);
                assert(!(phase == PHASE_PREPARED || phase == PHASE_FREEZING || phase == PHASE_FROZEN || phase == PHASE_JUMPING)
                       || own_ready && daemon_fd[OWN] && store_fd[OWN] == STORE)
        }
}

/* What a turn of the daemon's loop ends with: the event goes through the table, and the
 * effect of the rule begins. */
inline end_turn()
{
        s = 0;
        if
        :: happens && !dying ->
                apply_rule(phase, event, effect);
                may_die();
                if
                :: dying || effect == EFFECT_NONE || effect == EFFECT_JUMP || effect == EFFECT_FINISH
                :: !dying && effect == EFFECT_PREPARE -> ask_all(R_PREPARE)
                :: !dying && effect == EFFECT_FREEZE ->
                        departed = true;
                        ask_all(R_FREEZE)
                :: !dying && effect == EFFECT_ROLLBACK -> roll_back()
                :: !dying && effect == EFFECT_RECEIVE -> receive()
                :: !dying && effect == EFFECT_SETTLE -> settle()
                fi;
                forced = (forced && phase == PHASE_FINISHING);
                tired = (tired && incoming);
                if /* a job that asked for one step has got it */
                :: !dying && job == JOB_STEP &&
                   (event == EVENT_PHASE_READY && (phase == PHASE_PREPARED || phase == PHASE_FROZEN) ||
                    phase == PHASE_UPDATED) -> job = JOB_NONE
                :: else
                fi
        :: else
        fi;
        if
        :: dying -> crash()
        :: !dying && ON_THE_BUS && CHECK -> check()
        :: else
        fi;
        d_step {
                happens = false;
                dying = false;
                event = EVENT_PREPARE;
                effect = EFFECT_NONE
        }
}

proctype daemon()
{
        mtype:event event;
        mtype:effect effect;
        bool dying, happens;
        byte c, s;

        do
        :: atomic {
                if
                /* It is killed while it waits for something. */
#ifdef GAPS
                :: up && !calm -> dying = true
#else
                :: (ON_THE_BUS || up && STORE) && !calm -> dying = true
#endif

                /* Start-up. */
                :: !up && fresh && kernel[OWN] == K_WAITING ->
                        up = true;
                        arriving = true;
                        kernel[OWN] = K_RETRIEVED;
                        daemon_fd[OWN] = true;
                        store_fd[OWN] = STORE
                :: !up && fresh && kernel[OWN] == K_RETRIEVED -> /* it died before it had read it */
                        assert(store_fd[OWN]);
                        up = true;
                        arriving = true;
                        daemon_fd[OWN] = true
                :: arriving ->
                        arriving = false;
                        have_manifest = true;
                        incoming = true;
                        fresh = false;
                        may_die();
                        kernel[OWN] = K_NONE;
                        if
                        :: !dying ->
                                store_fd[OWN] = false;
                                daemon_fd[OWN] = false;
                                departed = false
                        :: else
                        fi;
                        happens = true;
                        event = EVENT_ARRIVED
                :: !up && fresh && kernel[OWN] == K_NONE ->
                        up = true;
                        fresh = false;
                        /* Nothing came in, though something had left: that is said. */
                        assert(!loss || departed);
                        loss = false;
                        departed = false
                :: !up && !fresh && incoming ->
                        up = true;
                        kernel[OWN] = K_NONE;
                        store_fd[OWN] = false;
                        departed = false;
                        phase = PHASE_FIRST;
                        job = JOB_NONE;
                        happens = true;
                        event = EVENT_ARRIVED
                :: !up && !fresh && !incoming ->
                        /* `happens` gathers whether PREPARED is whole. */
                        up = true;
#ifdef BREAK_RESTART
                        if
                        :: phase == PHASE_FREEZING -> phase = PHASE_PREPARED; job = JOB_NONE
                        :: else
                        fi;
#endif
                        happens = STORE && store_fd[OWN] && job == JOB_NONE;
                        do
                        :: s < CLIENTS ->
                                if
                                :: written[s] && store_fd[s] ->
                                        daemon_fd[s] = true;
                                        session[s] = S_OPEN
                                :: !written[s] && store_fd[s] -> /* died while it came or went */
                                        store_fd[s] = false;
                                        let_go(s);
                                        happens = false
                                :: else -> assert(!written[s])
                                fi;
                                listed[s] = false;
                                touched[s] = registered[s] && IN_MIDST(phase);
                                s++
                        :: else -> break
                        od;
                        s = 0;
                        daemon_fd[OWN] = store_fd[OWN];
                        if
                        :: phase == PHASE_PREPARED && happens ->
                                own_ready = true;
                                event = EVENT_RECOVERED
                        :: IN_MIDST(phase) && !(phase == PHASE_PREPARED && happens) ->
                                happens = true;
                                event = EVENT_INTERRUPTED
                        :: !IN_MIDST(phase) ->
                                happens = false;
                                departed = false;
                                job = JOB_NONE
                        fi;
                        phase = PHASE_FIRST

                /* Somebody asks. */
                :: ON_THE_BUS && phase == PHASE_NORMAL && job == JOB_NONE ->
                        if
                        :: job = JOB_UPDATE
                        :: job = JOB_STEP
                        fi;
                        if
                        :: impatient = true
                        :: impatient = false
                        fi;
                        happens = true;
                        event = EVENT_PREPARE
                :: ON_THE_BUS && phase == PHASE_PREPARED && job == JOB_NONE ->
                        if
                        :: job = JOB_UPDATE
                        :: job = JOB_STEP
                        fi;
                        happens = true;
                        event = EVENT_FREEZE
                :: ON_THE_BUS && phase == PHASE_FROZEN && job == JOB_NONE ->
                        job = JOB_STEP;
                        happens = true;
                        event = EVENT_EXECUTE
                :: ON_THE_BUS && CANCELABLE(phase) &&
                   (impatient || job == JOB_NONE && (phase == PHASE_PREPARED || phase == PHASE_FROZEN)) ->
                        happens = true;
                        event = EVENT_CANCEL
                :: ON_THE_BUS && phase == PHASE_UPDATED && !ANY(IS_CLAIMING) ->
                        job = JOB_STEP;
                        if
                        :: forced = true
                        :: !tired
                        fi;
                        happens = true;
                        event = EVENT_FINISH
                :: ON_THE_BUS && phase == PHASE_FINISHING && !forced -> forced = true

                /* A job that goes on by itself. */
                :: up && phase == PHASE_PREPARED && job == JOB_UPDATE ->
                        happens = true;
                        event = EVENT_FREEZE
                :: up && phase == PHASE_FROZEN && job == JOB_UPDATE ->
                        happens = true;
                        event = EVENT_EXECUTE

                /* Participants. */
                :: up && ANY(HAS_VETOED) ->
                        happens = true;
                        event = EVENT_PHASE_FAILED
#ifndef BREAK_DEADLINE
                :: up && ANY(IS_WAITED_FOR) -> /* time goes by */
                        PICK(IS_WAITED_FOR);
                        if
                        :: left[s] > 0 -> left[s]--
                        :: left[s] == 0 ->
                                happens = true;
                                event = EVENT_PHASE_FAILED
                        fi
#endif
                :: ON_THE_BUS && ANY(IS_DEAD) ->
                        PICK(IS_DEAD);
                        registered[s] = false;
                        answer[s] = A_NONE;
                        left[s] = 0;
                        delayed[s] = false;
                        if
                        :: touched[s] && CANCELABLE(phase) -> /* its death stops the update */
                                happens = true;
                                event = EVENT_PHASE_FAILED
                        :: true /* its session goes along */
                        :: touched[s] && ACCEPTS_PRESERVE(phase) && session[s] == S_OPEN -> /* … is dropped */
                                written[s] = false;
                                session[s] = S_CLOSING
                        fi;
                        touched[s] = false

                /* Outgoing sessions. */
                :: up && ANY(IS_OPENING) ->
                        PICK(IS_OPENING);
                        finish_open(s)
                :: up && ANY(IS_CLOSING) ->
                        PICK(IS_CLOSING);
                        close_all(s);
                        session[s] = S_NONE
                :: ON_THE_BUS && phase == PHASE_NORMAL && ANY(IS_FORSAKEN) ->
                        PICK(IS_FORSAKEN);
                        written[s] = false;
                        session[s] = S_CLOSING

                /* Work of the phase. */
                :: up && phase == PHASE_PREPARING && !own_ready ->
                        kernel[OWN] = K_OUTGOING;
                        daemon_fd[OWN] = true;
                        may_die();
                        if
                        :: !dying && STORE ->
                                store_fd[OWN] = true;
                                may_die()
                        :: else
                        fi;
                        own_ready = true
                :: up && !calm && phase == PHASE_PREPARING && !own_ready ->
                        happens = true;
                        event = EVENT_PHASE_FAILED
                :: up && phase == PHASE_PREPARING && own_ready && !ANY(IS_WAITED_FOR) && !ANY(HAS_VETOED) ->
                        end_barrier();
                        happens = true;
                        event = EVENT_PHASE_READY
                :: up && phase == PHASE_FREEZING && !ANY(IS_WAITED_FOR) && !ANY(HAS_VETOED) &&
                   !ANY(IS_OPENING) && !ANY(IS_CLOSING) -> /* the manifest */
                        happens = true;
                        if
                        :: event = EVENT_PHASE_READY;
                                end_barrier();
                                do
                                :: s < CLIENTS ->
                                        listed[s] = (session[s] == S_OPEN);
                                        s++
                                :: else -> break
                                od
                        :: !calm -> event = EVENT_PHASE_FAILED
                        fi
                :: up && phase == PHASE_JUMPING ->
                        if
                        :: reboot(true)
                        :: !calm -> reboot(false)
                        :: happens = true; /* a freeze handler refused */
                                event = EVENT_PHASE_FAILED
                        fi
                :: up && phase == PHASE_CANCELLING && daemon_fd[OWN] -> close_all(OWN)
#ifndef BREAK_CANCEL
                :: up && phase == PHASE_CANCELLING && !daemon_fd[OWN] && !ANY(IS_OUTGOING) ->
                        happens = true;
                        if
                        :: event = EVENT_PHASE_READY
                        :: !calm -> event = EVENT_PHASE_FAILED
                        fi
#endif

                /* What came in. */
                :: up && ANY(IS_CLAIMING) ->
                        PICK(IS_CLAIMING);
                        retrieve(s);
                        client_fd[s] = (!dying && alive[s] && session[s] == S_CLAIMED || client_fd[s])
                :: ON_THE_BUS && (phase == PHASE_UPDATED || phase == PHASE_FINISHING) && ANY(IS_USED) ->
                        /* Its client asks for FINISH. */
                        PICK(IS_USED);
                        finish(s)
                :: up && phase == PHASE_UPDATED && have_manifest && !ANY(IS_MISSING) ->
                        happens = true;
                        event = EVENT_FINISH
                :: up && phase == PHASE_UPDATED && crossed -> /* its deadline ends the job, not the state */
                        crossed = false
                :: up && phase == PHASE_FINISHING && !forced && ANY(IS_USED) -> /* they are waited for long enough */
                        tired = true;
                        happens = true;
                        event = EVENT_PHASE_FAILED
                :: up && phase == PHASE_FINISHING && ANY(IS_UNUSED) ->
                        PICK(IS_UNUSED);
                        if
                        :: session[s] == S_WAITING -> retrieve(s)
                        :: else
                        fi;
                        /* Nobody's session is finished under its hands, but on request. */
                        assert(forced || session[s] != S_CLAIMED || !client_fd[s]);
                        if
                        :: !dying && session[s] == S_CLAIMED -> finish(s)
                        :: !dying && session[s] == S_CLAIMED && !calm -> /* EBUSY */
                                happens = true;
                                event = EVENT_PHASE_FAILED
                        :: !dying && session[s] == S_WAITING -> /* a client has it, and the daemon has not */
                                happens = true;
                                event = EVENT_PHASE_FAILED
                        :: else
                        fi
                :: up && phase == PHASE_FINISHING && !ANY(IS_MISSING) ->
                        happens = true;
                        event = EVENT_PHASE_READY
                fi;
                end_turn()
        }
        od
}

/* It answers for the phase that runs; who is late, or was never asked, is refused. */
#define MAY_ANSWER (ON_THE_BUS && registered[i] && answer[i] == A_WAITING)

proctype client(byte i)
{
        do
        :: atomic { alive[i] && !registered[i] && !resume[i] && ON_THE_BUS ->
                registered[i] = true;
                if
                :: phase == PHASE_PREPARING || phase == PHASE_PREPARED -> ask(i, R_PREPARE)
                :: else
                fi
        }
        :: atomic { alive[i] && !resume[i] && !client_fd[i] && ON_THE_BUS && ACCEPTS_SESSIONS(phase) &&
                    session[i] == S_NONE && kernel[i] == K_NONE ->
                session[i] = S_OPENING
        }
        :: atomic { !calm && session[i] == S_OPEN && client_fd[i] && ON_THE_BUS && ACCEPTS_PRESERVE(phase) ->
                written[i] = false;
                session[i] = S_CLOSING;
                client_fd[i] = false
        }
        :: atomic { resume[i] ->
                resume[i] = false;
                holds[i] = false;
                if
                :: kernel[i] == K_OUTGOING ->
                        client_fd[i] = false;
                        let_go(i)
                :: else
                fi
        }
        :: atomic { !resume[i] && request[i] != R_NONE ->
                holds[i] = true;
                if /* it was told before that its session is closed */
                :: ON_THE_BUS && kernel[i] == K_OUTGOING && client_fd[i] && session[i] != S_OPEN ->
                        client_fd[i] = false;
                        let_go(i)
                :: else
                fi;
                if
                :: MAY_ANSWER -> answer[i] = A_READY; request[i] = R_NONE
                :: MAY_ANSWER && !calm -> answer[i] = A_VETO; request[i] = R_NONE
#ifdef BREAK_DELAY
                :: MAY_ANSWER && left[i] == 0 -> left[i] = 1
#else
                :: MAY_ANSWER && left[i] == 0 && !delayed[i] -> left[i] = 1; delayed[i] = true
#endif
                :: request[i] = R_NONE /* says nothing, or nobody hears it */
                fi
        }
        :: atomic { alive[i] && !client_fd[i] && ON_THE_BUS && ACCEPTS_CLAIMS(phase) && session[i] == S_WAITING ->
                session[i] = S_CLAIMING
        }
        :: atomic { alive[i] && ON_THE_BUS && session[i] == S_CLAIMED && !client_fd[i] ->
                client_fd[i] = true
        }
        /* Its daemon has lost its copy: it finishes with its own. */
        :: atomic { client_fd[i] && kernel[i] == K_RETRIEVED && !daemon_fd[i] && !store_fd[i] ->
                client_fd[i] = false;
                kernel[i] = K_NONE
        }
        :: atomic { DEATHS && !calm && alive[i] ->
                alive[i] = false;
                client_fd[i] = false;
                told[i] = 0;
                holds[i] = false;
                request[i] = R_NONE;
                resume[i] = false;
                let_go(i)
        }
        :: atomic { !alive[i] && !registered[i] -> alive[i] = true }
        od
}

proctype end_of_trouble()
{
        calm = true
}

init {
        atomic {
                run daemon();
                run client(0);
#if CLIENTS > 1
                run client(1);
#endif
#if CLIENTS > 2
                run client(2);
#endif
                run end_of_trouble()
        }
}

/* Who has acted on a request is told to resume, or finds itself in the new kernel (or is
 * dead). */
ltl resumed { [] ((calm && holds[0]) -> <> !holds[0]) }
/* Every state has an exit that is taken: in the end nothing is pending, whatever was. */
ltl ends { [] ((calm && !(up && phase == PHASE_NORMAL)) -> <> (ON_THE_BUS && phase == PHASE_NORMAL)) }
