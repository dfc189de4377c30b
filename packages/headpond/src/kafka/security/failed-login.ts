import type { Clock } from '../../net/clock.ts'
import type { KafkaSession } from '../session.ts'

/**
 * Resolves after `connection.failed.authentication.delay.ms`, or when the client is gone: who guesses passwords is to wait for
 * each answer.
 */
export function delayOfFailure(session: KafkaSession, clock: Clock, delayMs: number): Promise<void> {
  if (delayMs <= 0 || session.isGone) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      call.cancel()
      session.onClosed.delete(end)
      resolve()
    }
    const call = clock.schedule(delayMs, end)
    session.onClosed.add(end)
  })
}
