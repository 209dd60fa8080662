// moved_clock.cpp: a wall clock that a test moves, for one process: LD_PRELOAD, and the 8 bytes of a file are the
// nanoseconds that the clock is ahead.
//
// Why not the machine's clock: everything else on it would move too. The monotonic clock is left alone, as it is when
// somebody sets the time. A wait that has begun keeps its length, where the kernel would shorten or stretch one on the
// wall clock.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kWallClock = 1'000'000'000;  // seconds: a monotonic clock has not come so far

const std::atomic<std::int64_t>* map_offset() {
    static const std::atomic<std::int64_t> none{0};
    const char* path = std::getenv("SLUICE_MOVED_CLOCK");
    const int file = path != nullptr ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return &none;
    void* mapped = ::mmap(nullptr, sizeof(none), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    return mapped == MAP_FAILED ? &none : static_cast<const std::atomic<std::int64_t>*>(mapped);
}

std::int64_t ahead() {
    static const auto* offset = map_offset();
    return offset->load(std::memory_order_relaxed);
}

timespec moved(const timespec& time, std::int64_t by) {
    auto seconds = time.tv_sec + by / kSecond;
    auto nanoseconds = time.tv_nsec + by % kSecond;
    if (nanoseconds < 0) --seconds, nanoseconds += kSecond;
    if (nanoseconds >= kSecond) ++seconds, nanoseconds -= kSecond;
    return {seconds, nanoseconds};
}

/// What the kernel is to wait for, where a caller waits until `time` on its own wall clock.
timespec as_the_kernel_has_it(const timespec& time) {
    return time.tv_sec > kWallClock ? moved(time, -ahead()) : time;
}

template <typename Function>
Function* next(const char* name, const char* version = nullptr) {
    void* found = version != nullptr ? ::dlvsym(RTLD_NEXT, name, version) : nullptr;
    return reinterpret_cast<Function*>(found != nullptr ? found : ::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) {
    static auto* real = next<int(clockid_t, timespec*)>("clock_gettime");
    const int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *time = moved(*time, ahead());
    return result;
}

int gettimeofday(timeval* time, void* /*zone*/) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    *time = {now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t* where) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (where != nullptr) *where = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(timespec* time, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    static auto* real =
        next<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait", "GLIBC_2.3.2");
    const auto time = as_the_kernel_has_it(*until);
    return real(condition, mutex, &time);
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) {
    static auto* real = next<int(pthread_mutex_t*, const timespec*)>("pthread_mutex_timedlock");
    const auto time = as_the_kernel_has_it(*until);
    return real(mutex, &time);
}

int sem_timedwait(sem_t* semaphore, const timespec* until) {
    static auto* real = next<int(sem_t*, const timespec*)>("sem_timedwait");
    const auto time = as_the_kernel_has_it(*until);
    return real(semaphore, &time);
}

int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
    static auto* real = next<int(cnd_t*, mtx_t*, const timespec*)>("cnd_timedwait");
    const auto time = as_the_kernel_has_it(*until);
    return real(condition, mutex, &time);
}

}  // extern "C"
