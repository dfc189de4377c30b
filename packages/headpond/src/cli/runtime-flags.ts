import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** What V8 would have other threads do while it collects garbage, and wait for. */
const HELP_WITH_GARBAGE = ['parallel-scavenge', 'parallel-compaction', 'parallel-pointer-update']
const THREADS_PATH = '/proc/self/task'
/** The threads that Node starts before all others: a timer's, and those in which V8 works beside the main thread. */
const V8_THREAD_COUNT = 5

/**
 * Sets V8 up for a server. Only the executable decides this, since it holds for the whole process.
 *
 * - More of what a command calls is put into one piece of machine code. The way of a command leads through many small
 *   functions, one for each subject, and V8's own limit is used up before its end. **(measured)**: a tenth to a quarter of
 *   the time in JavaScript of INCR, RPUSH, SADD and HSET.
 * - Garbage, of which there is little, is collected by the main thread alone. To ask other threads for help means to wait
 *   for them, several milliseconds where the other cores are busy. **(measured)**: the slowest hundredth of pipelined
 *   commands takes a fifth to a quarter less.
 * - The other threads, which then do nothing but compile, get what time is left: see below.
 */
export function setRuntimeFlags(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000')
  for (const help of HELP_WITH_GARBAGE) setFlagsFromString(`--no-${help}`)
  lowerCompilerThreads()
}

/**
 * Has V8 compile when nobody else wants the processor. In the second after a start it compiles everything that is hot, in
 * four threads; on a small machine they take turns with the main thread and with the clients. **(measured)**, two cores:
 * while a fresh server is filled, pauses of more than 6 ms are halved, the slowest hundredth of replies takes a third less.
 *
 * Linux alone has priorities of threads. Threads are told apart by their numbers, which grow.
 */
function lowerCompilerThreads(): void {
  if (process.platform !== 'linux' || process.execArgv.some((flag) => flag.startsWith('--v8-pool-size'))) return
  try {
    const threadIds = readdirSync(THREADS_PATH)
      .map(Number)
      .sort((one, other) => one - other)
    const first = threadIds.indexOf(process.pid) + 1
    for (const id of threadIds.slice(first, first + V8_THREAD_COUNT)) setPriority(id, constants.priority.PRIORITY_LOW)
  } catch {
    // Without /proc, or where it is forbidden, everything works as well, with the pauses.
  }
}

/**
 * Leaves V8's young generation as large as the start has made it. V8 doubles it whenever as much as it holds has survived
 * in all, however little is alive at a time, until it has 32 MB: RESP and memcached, whose hot ways leave no garbage, have
 * nothing from that. **(measured)**: beside a thousand lists of a thousand elements it was a sixth of the memory.
 */
export function holdYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Lets it grow, as V8 would by itself: Kafka's requests are objects, and many of them wait at a time. */
export function releaseYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=2')
}
