/**
 * As `mover.ts`, in the second version of transactions, of which few clients know: nobody is told before what takes part, and
 * each transaction ends its producer's epoch. It reads its partitions without a group's help.
 */
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import { LogClient } from '../../kafka/data/log-server.ts'
import { TransactionalProducer } from '../../kafka/transactions/transactional-producer.ts'
import { WireClient } from '../../kafka/wire-client.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { StableReader, type StableRecord } from './stable-reader.ts'
import { GROUP, INPUT, INPUT_PARTITIONS, type MoverOrders, TRANSACTIONAL_ID, transform } from './work.ts'

const ABORTED_ONCE_IN = 6
const RETRY_MS = 20
const PRODUCE_VERSION = 12
const OFFSETS_VERSION = 5
const END_VERSION = 5
const TIMEOUT_MS = 5000

const { address, seed, chunkMax } = JSON.parse(process.env['MOVER'] ?? '{}') as MoverOrders
const random = new SeededRandom(seed)
process.on('uncaughtException', (error) => {
  if (process.env['MOVER_TALKS'] !== undefined) console.error(`mover ${process.pid}:`, error)
  process.exit(1)
})
const wire = await connect()
wire.closed.then(() => process.exit(1))
const producer = new TransactionalProducer(new LogClient(wire), TRANSACTIONAL_ID)

async function connect(): Promise<WireClient> {
  for (;;) {
    const client = await WireClient.connect(address).catch(() => null)
    if (client !== null) return client
    await sleep()
  }
}

function sleep(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS))
}

/** Whatever is wrong, the next one goes on. */
function dieUnless(isRight: boolean, answer: unknown): void {
  if (!isRight) throw new Error(`answered ${answer}`)
}

/** Where the group is in each partition; waits for what is not decided. */
async function committedOffsets(): Promise<number[]> {
  for (;;) {
    const partitionIndexes = Array.from({ length: INPUT_PARTITIONS }, (_, partition) => partition)
    const { groups } = await wire.call(offsetFetchRequest, offsetFetchResponse, 8, {
      groupId: '',
      topics: null,
      groups: [{ groupId: GROUP, topics: [{ name: INPUT, topicId: ZERO_UUID, partitionIndexes }] }],
      requireStable: true,
    })
    const partitions = groups[0].topics[0]?.partitions ?? []
    const isKnown = groups[0].errorCode === 0 && partitions.every(({ errorCode }) => errorCode === 0)
    if (isKnown) return partitions.map(({ committedOffset }) => Math.max(0, Number(committedOffset)))
    await sleep()
  }
}

async function move(partition: number, records: readonly StableRecord[], isCommitted: boolean): Promise<void> {
  const byPlace = new Map<string, { topic: string; partition: number; values: string[] }>()
  for (const { topic, partition: to, value } of records.flatMap((record) => transform(record.value))) {
    const place = byPlace.get(`${topic}-${to}`) ?? { topic, partition: to, values: [] }
    byPlace.set(`${topic}-${to}`, place)
    place.values.push(value)
  }
  for (const { topic, partition: to, values } of byPlace.values()) {
    const sent = await producer.send(topic, values, PRODUCE_VERSION, to)
    dieUnless(typeof sent === 'number', sent)
  }
  const offset = BigInt(records.at(-1)!.offset + 1)
  const error = await producer.commitOffset(GROUP, INPUT, offset, OFFSETS_VERSION, partition)
  dieUnless(error === 'NONE', error)
  const ended = await producer.end(isCommitted, END_VERSION)
  dieUnless(ended === 'NONE', ended)
}

for (;;) {
  const error = await producer.begin(5, undefined, TIMEOUT_MS)
  if (error === 'NONE') break
  dieUnless(error === 'COORDINATOR_LOAD_IN_PROGRESS' || error === 'CONCURRENT_TRANSACTIONS', error)
  await sleep()
}
const offsets = await committedOffsets()
const readers = offsets.map((offset, partition) => new StableReader(INPUT, partition, offset))
for (;;) {
  const reader = random.pick(readers)
  await reader.read(wire, RETRY_MS)
  const records = reader.records.splice(0)
  for (let at = 0; at < records.length; ) {
    const some = records.slice(at, at + 1 + random.below(chunkMax))
    const isCommitted = !random.once(ABORTED_ONCE_IN)
    await move(reader.partition, some, isCommitted)
    if (isCommitted) at += some.length
  }
}
