/** The clients that people use, in Java, Python, Go, C and JavaScript, understand each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { CODECS, everyClient, type MatrixClient, OURS } from './every-client.ts'
import { END, type ForeignCodec } from './foreign-client.ts'
import { storedCodecs, WORTH_COMPRESSING } from './stored-codecs.ts'

/** As many as make a batch worth compressing. */
const valuesOf = (name: string) =>
  Array.from({ length: 200 }, (_each, index) => `${name} ${index} ${'x'.repeat(index % 40)}`)

test('every codec of every client is read by every other', async (t) => {
  const server = await createServer()
  const clients = new Map<string, MatrixClient>()
  t.after(async () => {
    for (const client of clients.values()) await client.stop()
    await server.close()
  })
  for (const [name, client] of Object.entries(everyClient())) {
    if ('reason' in client) t.diagnostic(`without ${name}: ${client.reason}`)
    else clients.set(name, client(server))
  }
  const written: { topic: string; writer: string; codec: ForeignCodec; values: string[] }[] = []
  for (const [writer, client] of clients) {
    for (const codec of client.codecs) {
      const topic = `${writer.replace(/[^\w.-]/g, '_')}-${codec}`
      const values = valuesOf(topic)
      await server.kafka.createTopics({ [topic]: 1 })
      await client.produce(topic, codec, values)
      assert.deepEqual([...new Set(await storedCodecs(server, topic, WORTH_COMPRESSING))], [codec], topic)
      await server.kafka.produce(topic, END)
      written.push({ topic, writer, codec, values })
    }
  }
  // A topic with a codec of its own holds that, whatever came.
  const [first] = clients.values()
  for (const codec of CODECS.filter((each) => each !== 'none')) {
    const topic = `to-${codec}`
    const values = valuesOf(topic)
    await server.kafka.createTopics({ [topic]: { config: { 'compression.type': codec } } })
    await first.produce(topic, 'gzip', values)
    assert.deepEqual([...new Set(await storedCodecs(server, topic))], [codec], topic)
    await server.kafka.produce(topic, END)
    written.push({ topic, writer: OURS, codec, values })
  }
  const read = async ([reader, client]: [string, MatrixClient]) => {
    const readable = written.filter(({ writer, codec }) => client.canRead(writer, codec))
    const found = await client.consume(readable.map(({ topic }) => topic))
    for (const { topic, values } of readable) assert.deepEqual(found[topic], values, `${topic}, read by ${reader}`)
    t.diagnostic(`${reader} ${await client.version()} reads ${readable.length} of ${written.length} topics`)
  }
  await Promise.all([...clients].map(read))
})
