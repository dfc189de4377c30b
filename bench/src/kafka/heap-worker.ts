// Heap that an idle partition takes: many of them in this process, which is started with --expose-gc.

import { createTopicsRequest, createTopicsResponse } from 'headpond/src/kafka/schemas/create-topics.ts'
import { createServer } from 'headpond/src/server/create-server.ts'
import { WireConnection } from './wire.ts'

const [countText, directory] = process.argv.slice(2)
const partitionCount = Number(countText)

function heapBytes(): number {
  const collect = (globalThis as { gc?: () => void }).gc
  if (collect === undefined) throw new Error('to be run with --expose-gc')
  for (let round = 0; round < 3; round++) collect()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

const server = await createServer({ port: 0, memcachedPort: 0, kafkaPort: 'auto', dir: directory })
const connection = await WireConnection.connect(Number(server.urls.kafka.split(':')[1]))
const create = async (name: string, numPartitions: number) => {
  const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
  const answer = await connection.call(createTopicsRequest, createTopicsResponse, 5, { topics: [topic] })
  if (answer.topics[0].errorCode !== 0) throw new Error(`CreateTopics: error ${answer.topics[0].errorCode}`)
}
// What is loaded and compiled once does not count.
await create('first', 10)
const before = heapBytes()
await create('idle', partitionCount)
process.stdout.write(`${(heapBytes() - before) / partitionCount}\n`)
connection.close()
await server.close()
