/** A compacted topic as those see it who use a server: by its clients, and by a clock that is moved. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { createServer } from '#src/index.ts'

const CONFIG = {
  'cleanup.policy': 'compact',
  'segment.bytes': '3000',
  'min.cleanable.dirty.ratio': '0.01',
  // Nothing is cleaned before the clock is moved.
  'min.compaction.lag.ms': '10000',
}

for (const where of ['memory', 'disk']) {
  test(`a compacted topic becomes a table, and consumers read it: ${where}`, { timeout: 60_000 }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'headpond-table-'))
    const server = await createServer({
      ...(where === 'disk' ? { ephemeral: false, dir: directory } : {}),
      kafka: { topics: { table: { partitions: 1, config: CONFIG } } },
    })
    const kafka = new Kafka({
      brokers: [server.urls.kafka],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 10 },
    })
    const producer = kafka.producer({ idempotent: true })
    const consumer = kafka.consumer({ groupId: 'readers' })
    // Clients leave first: without a server they would go on looking for it.
    t.after(async () => {
      await Promise.all([producer.disconnect(), consumer.disconnect()])
      await server.close()
      rmSync(directory, { recursive: true, force: true })
    })
    await producer.connect()
    for (let round = 0; round < 40; round++) {
      const messages = ['a', 'b', 'c'].map((key) => ({ key, value: `${key} ${round} `.repeat(20) }))
      await producer.send({ topic: 'table', messages })
    }
    await producer.send({ topic: 'table', messages: [{ key: 'c', value: null }] })
    const before = (await server.kafka.records('table')).length
    assert.equal(before, 121)

    server.clock.advance('20s')
    let records = await server.kafka.records('table')
    // It goes on in slices, one in a turn.
    while (records.length > before / 2) {
      await new Promise((resolve) => setImmediate(resolve))
      records = await server.kafka.records('table')
    }
    const last = new Map(
      records.map(({ key, value }) => [String(key), value === null ? null : String(value).slice(0, 4)]),
    )
    assert.deepEqual(Object.fromEntries(last), { a: 'a 39', b: 'b 39', c: null })

    await consumer.connect()
    await consumer.subscribe({ topic: 'table', fromBeginning: true })
    const table: Record<string, string | undefined> = {}
    let readCount = 0
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          async eachMessage({ message }) {
            readCount++
            table[String(message.key)] = message.value?.toString().slice(0, 4)
            if (message.offset === '120') resolve()
          },
        })
        .catch(reject)
    })
    assert.deepEqual(table, { a: 'a 39', b: 'b 39', c: undefined })
    assert.ok(readCount <= before / 2, `${readCount} records`)
    // The producer goes on as if nothing had been.
    await producer.send({ topic: 'table', messages: [{ key: 'd', value: 'new' }] })
    assert.equal((await server.kafka.records('table')).at(-1)?.offset, 121)
  })
}
