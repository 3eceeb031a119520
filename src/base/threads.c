/* ==== base/threads (private): clock, atomics, lock, and the pool that runs chunks ==============================
   The only file that knows about threads. A pool's workers persist; the caller is worker 0. Which worker runs a chunk
   is dynamic: each has a part of them, neighbours, and helps others once its own are done. What a chunk computes is
   fixed, so results never depend on any of this. Under HFMODEL_NO_THREADS everything works on the calling thread, or on
   the caller's hfm_jobs. */

/* Whose atomic operations there are. A compiler without any (tcc, say) gets a build for one thread. */
#if defined(_MSC_VER) && !defined(__clang__)
#define HFM__ATOMICS_OF_MSVC
#elif defined(__ATOMIC_SEQ_CST)
#define HFM__ATOMICS_OF_GCC
#else
#define HFM__NO_ATOMICS
#endif

#if defined(HFMODEL_NO_THREADS) || defined(HFM__NO_ATOMICS) || \
    (defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)) || (defined(__wasi__) && !defined(_REENTRANT))
#define HFM__THREADS 0
#else
#define HFM__THREADS 1
#endif

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#define HFM__OWN_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#define HFM__OWN_NOMINMAX
#endif
#include <windows.h>
#ifdef HFM__OWN_LEAN_AND_MEAN /* whatever the user includes after us is not our business */
#undef WIN32_LEAN_AND_MEAN
#undef HFM__OWN_LEAN_AND_MEAN
#endif
#ifdef HFM__OWN_NOMINMAX
#undef NOMINMAX
#undef HFM__OWN_NOMINMAX
#endif
#elif HFM__THREADS
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif
#include <time.h>
#ifdef HFM__ATOMICS_OF_MSVC
#include <intrin.h>
#endif

/* -std=c99 hides clock_gettime from whoever did not ask for POSIX before the first include, which may be the user's. */
#if defined(__linux__) && defined(__STRICT_ANSI__) && !defined(__USE_POSIX199309) && !defined(__cplusplus) && \
    HFM__THREADS
extern int clock_gettime(int clock, struct timespec *time);
#define HFM__CLOCK_MONOTONIC 1
#elif defined(__wasi__) && defined(__STRICT_ANSI__) && !defined(__cplusplus)
extern int clock_gettime(const struct __clockid *clock, struct timespec *time);
#define HFM__CLOCK_MONOTONIC CLOCK_MONOTONIC
#elif defined(CLOCK_MONOTONIC)
#define HFM__CLOCK_MONOTONIC CLOCK_MONOTONIC
#endif

/* Nanoseconds since some fixed moment; only differences mean anything. */
HFM__PRIVATE uint64_t hfm__clock_ns(void) {
#if defined(_WIN32)
  LARGE_INTEGER ticks, rate;
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&rate);
  return (uint64_t)(ticks.QuadPart / rate.QuadPart) * 1000000000u +
         (uint64_t)(ticks.QuadPart % rate.QuadPart) * 1000000000u / (uint64_t)rate.QuadPart;
#elif defined(HFM__CLOCK_MONOTONIC)
  struct timespec now;
  if (clock_gettime(HFM__CLOCK_MONOTONIC, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#else
  return (uint64_t)((double)clock() * (1e9 / (double)CLOCKS_PER_SEC));
#endif
}
#undef HFM__CLOCK_MONOTONIC

/* Processors that can run our threads; at least 1. */
HFM__PRIVATE int32_t hfm__cpu_count(void) {
#if !HFM__THREADS
  return 1;
#elif defined(_WIN32)
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwNumberOfProcessors > 0 ? (int32_t)info.dwNumberOfProcessors : 1;
#elif defined(_SC_NPROCESSORS_ONLN)
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int32_t)HFM__MIN(count, 4096) : 1;
#else
  return 1;
#endif
}

/* ---- Atomics: words as wide as a pointer, which every target has without a library ---- */

typedef struct hfm__atomic {
#ifdef HFM__ATOMICS_OF_MSVC
  void *volatile word;
#else
  intptr_t word;
#endif
} hfm__atomic;

#ifdef HFM__ATOMICS_OF_MSVC
/* Interlocked operations are full barriers; MSVC has no weaker ones that are portable to ARM64. */
HFM__INLINE intptr_t hfm__atomic_load(hfm__atomic *a) {
  return (intptr_t)_InterlockedCompareExchangePointer(&a->word, NULL, NULL);
}
HFM__INLINE void hfm__atomic_store(hfm__atomic *a, intptr_t value) {
  (void)_InterlockedExchangePointer(&a->word, (void *)value);
}
/* 1 and the new value is there, or 0 and *expected is what was found. */
HFM__INLINE int hfm__atomic_swap_if(hfm__atomic *a, intptr_t *expected, intptr_t value) {
  const intptr_t found = (intptr_t)_InterlockedCompareExchangePointer(&a->word, (void *)value, (void *)*expected);
  const int done = found == *expected;
  *expected = found;
  return done;
}
/* Returns the value before. */
HFM__INLINE intptr_t hfm__atomic_add(hfm__atomic *a, intptr_t value) {
  intptr_t old = hfm__atomic_load(a);
  while (!hfm__atomic_swap_if(a, &old, old + value)) {
  }
  return old;
}
HFM__INLINE void *hfm__atomic_load_pointer(void *const *p) {
  return _InterlockedCompareExchangePointer((void *volatile *)p, NULL, NULL);
}
HFM__INLINE void hfm__atomic_store_pointer(void **p, void *value) {
  (void)_InterlockedExchangePointer((void *volatile *)p, value);
}
#elif defined(HFM__ATOMICS_OF_GCC)
HFM__INLINE intptr_t hfm__atomic_load(hfm__atomic *a) { return __atomic_load_n(&a->word, __ATOMIC_SEQ_CST); }
/* Whoever sees it sees what was written before; but what is loaded afterwards may be older. */
HFM__INLINE void hfm__atomic_store(hfm__atomic *a, intptr_t value) {
  __atomic_store_n(&a->word, value, __ATOMIC_RELEASE);
}
/* 1 and the new value is there, or 0 and *expected is what was found. */
HFM__INLINE int hfm__atomic_swap_if(hfm__atomic *a, intptr_t *expected, intptr_t value) {
  return __atomic_compare_exchange_n(&a->word, expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
/* Returns the value before. */
HFM__INLINE intptr_t hfm__atomic_add(hfm__atomic *a, intptr_t value) {
  return __atomic_fetch_add(&a->word, value, __ATOMIC_SEQ_CST);
}
HFM__INLINE void *hfm__atomic_load_pointer(void *const *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
HFM__INLINE void hfm__atomic_store_pointer(void **p, void *value) { __atomic_store_n(p, value, __ATOMIC_RELEASE); }
#else
HFM__INLINE intptr_t hfm__atomic_load(hfm__atomic *a) { return a->word; }
HFM__INLINE void hfm__atomic_store(hfm__atomic *a, intptr_t value) { a->word = value; }
/* 1 and the new value is there, or 0 and *expected is what was found. */
HFM__INLINE int hfm__atomic_swap_if(hfm__atomic *a, intptr_t *expected, intptr_t value) {
  const int done = a->word == *expected;
  if (done) a->word = value;
  else *expected = a->word;
  return done;
}
/* Returns the value before. */
HFM__INLINE intptr_t hfm__atomic_add(hfm__atomic *a, intptr_t value) {
  const intptr_t old = a->word;
  a->word += value;
  return old;
}
HFM__INLINE void *hfm__atomic_load_pointer(void *const *p) { return *p; }
HFM__INLINE void hfm__atomic_store_pointer(void **p, void *value) { *p = value; }
#endif

/* ---- Lock ---- */

typedef struct hfm__lock {
#if !HFM__THREADS
  int unused;
#elif defined(_WIN32)
  SRWLOCK srw;
#else
  pthread_mutex_t mutex;
#endif
} hfm__lock;

/* Always succeeds where threads exist at all; hfm__lock_free is due in any case. */
HFM__PRIVATE void hfm__lock_init(hfm__lock *lock) {
#if !HFM__THREADS
  lock->unused = 0;
#elif defined(_WIN32)
  InitializeSRWLock(&lock->srw);
#else
  (void)pthread_mutex_init(&lock->mutex, NULL);
#endif
}

HFM__PRIVATE void hfm__lock_free(hfm__lock *lock) {
#if HFM__THREADS && !defined(_WIN32)
  (void)pthread_mutex_destroy(&lock->mutex);
#else
  (void)lock;
#endif
}

HFM__PRIVATE void hfm__lock_take(hfm__lock *lock) {
#if !HFM__THREADS
  (void)lock;
#elif defined(_WIN32)
  AcquireSRWLockExclusive(&lock->srw);
#else
  (void)pthread_mutex_lock(&lock->mutex);
#endif
}

HFM__PRIVATE void hfm__lock_give(hfm__lock *lock) {
#if !HFM__THREADS
  (void)lock;
#elif defined(_WIN32)
  ReleaseSRWLockExclusive(&lock->srw);
#else
  (void)pthread_mutex_unlock(&lock->mutex);
#endif
}

/* ---- Pool ---- */

typedef void (*hfm__chunk_fn)(void *ctx, int64_t chunk, int32_t worker);

#if HFM__THREADS
#if defined(_WIN32)
typedef HANDLE hfm__thread;
typedef CONDITION_VARIABLE hfm__condition;
#else
typedef pthread_t hfm__thread;
typedef pthread_cond_t hfm__condition;
#endif

struct hfm__pool;
typedef struct hfm__pool_thread {
  struct hfm__pool *pool;
  int32_t index;
  hfm__thread handle;
} hfm__pool_thread;
#endif

/* A processor has to ask the other one for a cache line that both write, which takes it as long as memory does: so what
   each worker writes is 64 bytes apart, and what all of them read and write when a job begins together. */
typedef struct hfm__pool_part {
  hfm__atomic taken; /* chunks handed out, from its first on */
  uint8_t apart[64 - sizeof(hfm__atomic)];
} hfm__pool_part;

typedef struct hfm__pool {
  uint64_t took;    /* what the caller's last chunk with a deadline took, in ns: apart from what workers read */
  hfm_allocator mem;
  hfm_jobs jobs;    /* the caller's pool, where run is set */
  int32_t threads;  /* workers, the caller included */
  int32_t spins;    /* polls before a worker parks */
  uint64_t part_bytes;
  hfm__pool_part *parts; /* room for one of each worker */
  /* The job in progress: written by the caller while the gate is shut. */
  hfm__chunk_fn fn;
  void *ctx;
  int64_t first, count;
  int32_t part_count; /* with a deadline 1, so that chunks are handed out in order; else at most one for a worker */
  uint64_t deadline;
#if HFM__THREADS
  hfm__atomic gate;   /* bit 0: open; above it: how many workers are inside */
  hfm__atomic epoch;  /* counts jobs; a change wakes the workers */
  uint8_t apart[64];
  hfm__atomic parked; /* workers asleep, or about to be */
  hfm__atomic quit;
  hfm__lock lock;     /* guards only going to sleep and waking up */
  hfm__condition wake;
  int32_t started;
  uint64_t member_bytes;
  hfm__pool_thread *members; /* all but the caller */
#endif
} hfm__pool;

enum { HFM__MAX_THREADS = 1024 };
enum { HFM__PART_CHUNKS = 4 }; /* at least: fewer are handed out one by one, as they may differ in length */

/* A chunk takes about as long as the one before: it is begun where at least half of it is in time. */
HFM__INLINE int hfm__is_late(uint64_t now, uint64_t took, uint64_t deadline) {
  return now + took / 2 >= deadline;
}

HFM__INLINE int64_t hfm__part_begin(const hfm__pool *pool, int32_t part) {
  return pool->first + (pool->count - pool->first) * part / pool->part_count;
}

/* Runs chunks until there are no more or it is too late for one; `least` chunks are run whatever the clock says. */
HFM__PRIVATE void hfm__pool_work(hfm__pool *pool, int32_t worker, int least) {
  const uint64_t deadline = pool->deadline;
  uint64_t now = deadline ? hfm__clock_ns() : 0, took = 0;
  int32_t i;
  for (i = 0; i < pool->part_count; i++) {
    const int32_t part = (worker + i) % pool->part_count;
    const int64_t first = hfm__part_begin(pool, part), count = hfm__part_begin(pool, part + 1) - first;
    hfm__atomic *taken = &pool->parts[part].taken;
    for (;;) {
      int64_t chunk;
      if (deadline && !least && hfm__is_late(now, took, deadline)) return;
      least = 0;
      if (hfm__atomic_load(taken) >= count) break;
      chunk = hfm__atomic_add(taken, 1);
      if (chunk >= count) break;
      pool->fn(pool->ctx, first + chunk, worker);
      if (deadline) {
        const uint64_t begun = now;
        now = hfm__clock_ns();
        took = now - begun;
        if (worker == 0) pool->took = took;
      }
    }
  }
}

#if HFM__THREADS
HFM__INLINE void hfm__pause(void) {
#if defined(_WIN32)
  YieldProcessor();
#elif defined(__x86_64__) || defined(__i386__)
  __asm__ volatile("pause");
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

HFM__INLINE void hfm__yield(void) {
#if defined(_WIN32)
  (void)SwitchToThread();
#else
  (void)sched_yield();
#endif
}

HFM__PRIVATE void hfm__pool_park(hfm__pool *pool, intptr_t seen) {
  hfm__lock_take(&pool->lock);
  hfm__atomic_add(&pool->parked, 1);
  while (hfm__atomic_load(&pool->epoch) == seen && !hfm__atomic_load(&pool->quit)) {
#if defined(_WIN32)
    (void)SleepConditionVariableSRW(&pool->wake, &pool->lock.srw, INFINITE, 0);
#else
    (void)pthread_cond_wait(&pool->wake, &pool->lock.mutex);
#endif
  }
  hfm__atomic_add(&pool->parked, -1);
  hfm__lock_give(&pool->lock);
}

HFM__PRIVATE void hfm__pool_wake(hfm__pool *pool) {
  if (hfm__atomic_load(&pool->parked) == 0) return;
  hfm__lock_take(&pool->lock);
#if defined(_WIN32)
  WakeAllConditionVariable(&pool->wake);
#else
  (void)pthread_cond_broadcast(&pool->wake);
#endif
  hfm__lock_give(&pool->lock);
}

/* A worker that comes late finds the gate shut and goes back to waiting, so nobody ever waits for a sleeper. */
HFM__PRIVATE void hfm__pool_member(hfm__pool_thread *self) {
  hfm__pool *pool = self->pool;
  intptr_t seen = 0;
  for (;;) {
    int32_t spins = pool->spins;
    intptr_t gate;
    while (hfm__atomic_load(&pool->epoch) == seen && !hfm__atomic_load(&pool->quit)) {
      if (spins-- > 0) {
        hfm__pause();
      } else {
        hfm__pool_park(pool, seen);
      }
    }
    if (hfm__atomic_load(&pool->quit)) return;
    seen = hfm__atomic_load(&pool->epoch);
    gate = hfm__atomic_load(&pool->gate);
    while (gate & 1) {
      if (!hfm__atomic_swap_if(&pool->gate, &gate, gate + 2)) continue;
      hfm__pool_work(pool, self->index, 0);
      hfm__atomic_add(&pool->gate, -2);
      break;
    }
  }
}

#if defined(_WIN32)
HFM__PRIVATE DWORD WINAPI hfm__pool_main(LPVOID arg) {
  hfm__pool_member((hfm__pool_thread *)arg);
  return 0;
}
HFM__PRIVATE int hfm__thread_start(hfm__pool_thread *self) {
  self->handle = CreateThread(NULL, 0, hfm__pool_main, self, 0, NULL);
  return self->handle != NULL;
}
HFM__PRIVATE void hfm__thread_join(hfm__pool_thread *self) {
  (void)WaitForSingleObject(self->handle, INFINITE);
  (void)CloseHandle(self->handle);
}
#else
HFM__PRIVATE void *hfm__pool_main(void *arg) {
  hfm__pool_member((hfm__pool_thread *)arg);
  return NULL;
}
HFM__PRIVATE int hfm__thread_start(hfm__pool_thread *self) {
  return pthread_create(&self->handle, NULL, hfm__pool_main, self) == 0;
}
HFM__PRIVATE void hfm__thread_join(hfm__pool_thread *self) { (void)pthread_join(self->handle, NULL); }
#endif
#endif /* HFM__THREADS */

HFM__PRIVATE void hfm__pool_worker_of_jobs(void *arg, int32_t worker) {
  hfm__pool_work((hfm__pool *)arg, worker, worker == 0);
}

/* NULL is fine. Joins the workers. */
HFM__PRIVATE void hfm__pool_free(hfm__pool *pool) {
  if (!pool) return;
#if HFM__THREADS
  if (pool->members) {
    int32_t i;
    (void)hfm__atomic_add(&pool->quit, 1); /* before looking for sleepers */
    hfm__pool_wake(pool);
    for (i = 0; i < pool->started; i++) hfm__thread_join(&pool->members[i]);
    hfm__free(&pool->mem, pool->members, pool->member_bytes);
#if !defined(_WIN32)
    (void)pthread_cond_destroy(&pool->wake);
#endif
    hfm__lock_free(&pool->lock);
  }
#endif
  hfm__free(&pool->mem, pool->parts, pool->part_bytes);
  hfm__free(&pool->mem, pool, sizeof *pool);
}

/* A pool of `threads` workers (0: one for each processor, at most 64), the caller included. spin: 1 poll for long, -1
   park at once, 0 poll for about 50 us. Where `jobs` has a run function, no thread is started. NULL when out of memory;
   fewer workers than asked for (pool->threads says how many) where the system refuses threads. */
HFM__PRIVATE hfm__pool *hfm__pool_create(const hfm_allocator *mem, int32_t threads, int32_t spin,
                                         const hfm_jobs *jobs) {
  hfm__pool *pool = (hfm__pool *)hfm__alloc_zero(mem, sizeof(hfm__pool));
  if (!pool) return NULL;
  pool->mem = *mem;
#ifdef HFM__NO_ATOMICS
  (void)jobs; /* its threads could not share a counter */
#else
  if (jobs) pool->jobs = *jobs;
#endif
  pool->threads = threads > 0 ? threads : HFM__MIN(hfm__cpu_count(), 64);
  pool->part_bytes = (uint64_t)pool->threads * sizeof *pool->parts;
  pool->parts = (hfm__pool_part *)hfm__alloc_zero(mem, pool->part_bytes);
  if (!pool->parts) {
    hfm__pool_free(pool);
    return NULL;
  }
  if (pool->jobs.run) return pool;
#if HFM__THREADS
  pool->spins = spin > 0 ? 2000000 : spin < 0 ? 0 : 2000;
  if (pool->threads > hfm__cpu_count()) pool->spins = 0; /* a poller would keep a worker off its processor */
  if (pool->threads > 1) {
    const int32_t wanted = pool->threads;
    pool->member_bytes = (uint64_t)(wanted - 1) * sizeof(hfm__pool_thread);
    pool->members = (hfm__pool_thread *)hfm__alloc_zero(mem, pool->member_bytes);
    if (!pool->members) {
      hfm__pool_free(pool);
      return NULL;
    }
    hfm__lock_init(&pool->lock);
#if defined(_WIN32)
    InitializeConditionVariable(&pool->wake);
#else
    (void)pthread_cond_init(&pool->wake, NULL);
#endif
    for (; pool->started < wanted - 1; pool->started++) {
      hfm__pool_thread *member = &pool->members[pool->started];
      member->pool = pool;
      member->index = pool->started + 1;
      if (!hfm__thread_start(member)) break;
    }
    pool->threads = pool->started + 1;
  }
#else
  (void)spin;
  pool->threads = 1;
#endif
  return pool;
}

/* Runs fn(ctx, chunk, worker) for chunks first..count-1, each once, on all workers, until they are done or the deadline
   (hfm__clock_ns; 0: none) is too near; at least one chunk. Returns the next chunk: all before it are complete, none
   after it begun. Never waits for a worker that has not begun. One caller at a time. */
HFM__PRIVATE int64_t hfm__pool_run(hfm__pool *pool, hfm__chunk_fn fn, void *ctx, int64_t first, int64_t count,
                                   uint64_t deadline_ns) {
  int32_t i;
  if (first >= count) return count;
  pool->fn = fn;
  pool->ctx = ctx;
  pool->first = first;
  pool->count = count;
  pool->deadline = deadline_ns;
  pool->part_count = 1;
  if (!deadline_ns && count - first >= HFM__PART_CHUNKS)
    pool->part_count = (int32_t)HFM__MIN((count - first) / HFM__PART_CHUNKS, (int64_t)pool->threads);
  for (i = 0; i < pool->part_count; i++) hfm__atomic_store(&pool->parts[i].taken, 0);
  if (pool->threads == 1 || count - first == 1) {
    hfm__pool_work(pool, 0, 1);
  } else if (pool->jobs.run) {
    pool->jobs.run(pool->jobs.ctx, hfm__pool_worker_of_jobs, pool, pool->threads);
  } else {
#if HFM__THREADS
    intptr_t gate, polls = 0;
    hfm__atomic_store(&pool->gate, 1);
    hfm__atomic_add(&pool->epoch, 1);
    hfm__pool_wake(pool);
    hfm__pool_work(pool, 0, 1);
    gate = hfm__atomic_add(&pool->gate, -1) - 1;
    while (gate) {
      if (++polls < 4000) {
        hfm__pause();
      } else {
        hfm__yield(); /* whoever is still inside may need this processor */
      }
      gate = hfm__atomic_load(&pool->gate);
    }
#endif
  }
  if (deadline_ns) return HFM__MIN(first + hfm__atomic_load(&pool->parts[0].taken), count);
  for (i = 0; i < pool->part_count; i++) /* a caller's pool that ran nobody */
    if (hfm__atomic_load(&pool->parts[i].taken) < hfm__part_begin(pool, i + 1) - hfm__part_begin(pool, i)) return first;
  return count;
}

/* From a chunk to the one that its worker is likely to take next: as many workers share a part. */
HFM__PRIVATE int32_t hfm__pool_stride(const hfm__pool *pool) {
  return (pool->threads + pool->part_count - 1) / pool->part_count;
}

/* Is it too late for another chunk of any job? */
HFM__PRIVATE int hfm__pool_is_late(const hfm__pool *pool, uint64_t deadline_ns) {
  return deadline_ns && hfm__is_late(hfm__clock_ns(), pool->took, deadline_ns);
}
