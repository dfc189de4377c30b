/**
 * Stops at once when an invariant of ours is broken. What clients send is never asserted: it gets an error reply.
 * Messages are constant strings, since building one would allocate on every call.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
