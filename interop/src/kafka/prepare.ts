/** Fetches and compiles what the tests with Kafka's clients need, once for all runs, and says which of them will be skipped. */
import { kafkaClassPath } from './distribution.ts'
import { everyClient } from './every-client.ts'
import { streamsProgram } from './streams-program.ts'

const parts = {
  ...everyClient(),
  'Kafka 3.9.1': kafkaClassPath('3.9.1'),
  'Kafka 4.2.0 and its tools': kafkaClassPath('4.2.0'),
  'Kafka Connect': kafkaClassPath('4.2.0', 'connect'),
  'Kafka Streams': streamsProgram(),
}
for (const [name, part] of Object.entries(parts)) {
  if (typeof part !== 'function' && 'reason' in part) console.log(`Skipped: ${name}: ${part.reason}`)
}
