import { availableParallelism } from 'node:os'
import type { Settings } from '../config/directives.ts'

/** With one processor, whoever the server waits for could not run meanwhile. */
const CAN_POLL = availableParallelism() > 1

/** How long the server stays awake behind a request (`busy-poll-us`). hot: once for each read of a socket. */
export function busyPollMs({ busyPollUs }: Pick<Settings, 'busyPollUs'>): number {
  return CAN_POLL ? busyPollUs / 1000 : 0
}
