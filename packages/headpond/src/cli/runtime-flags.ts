import { setFlagsFromString } from 'node:v8'

/**
 * Sets V8 up for a server. Only the executable decides this, since it holds for the whole process.
 *
 * - More of what a command calls is put into one piece of machine code. The way of a command leads through many small
 *   functions, one for each subject, and V8's own limit is used up before its end. **(measured)**: a tenth to a quarter of
 *   the time in JavaScript of INCR, RPUSH, SADD and HSET.
 * - Young garbage, of which next to nothing is alive, is collected by the main thread alone. To ask other threads for help
 *   means to wait for them, several milliseconds where the other cores are busy. **(measured)**: the slowest hundredth
 *   of pipelined commands takes a fifth to a quarter less.
 */
export function setRuntimeFlags(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000')
  setFlagsFromString('--no-parallel-scavenge')
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
