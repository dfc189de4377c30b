import type { VerbFamily } from '../verb.ts'
import { dumpLog } from './dump.ts'

export const logFamily: VerbFamily = {
  name: 'log',
  summary: "Looks into the files of logs: Headpond's, or Kafka's own.",
  isLocal: true,
  verbs: [dumpLog],
}
