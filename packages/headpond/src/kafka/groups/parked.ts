import type { KafkaSession } from '../session.ts'
import type { Waiting } from './classic-protocol.ts'

/**
 * The answer to a request that may have to wait. When the connection ends first, nobody waits any more, and the promise
 * stays open: there is nobody to answer.
 */
export function answerWhenReady<A>(session: KafkaSession, begin: (ready: (answer: A) => void) => Waiting): Promise<A> {
  return new Promise((resolve) => {
    let isAnswered = false
    let waiting: Waiting | null = null
    const letGo = () => {
      session.onClosed.delete(letGo)
      waiting?.cancel()
    }
    waiting = begin((answer) => {
      isAnswered = true
      session.onClosed.delete(letGo)
      resolve(answer)
    })
    if (!isAnswered) session.onClosed.add(letGo)
  })
}
