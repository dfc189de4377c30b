import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { startBroker } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'
import { hold, saslDialogs } from './dialogs.ts'

const EXPECTED = new URL('../../../test/kafka/security/dialogs.txt', import.meta.url)

test('what a client that logs in is told, as Apache Kafka tells it', async (t) => {
  const { server } = await startBroker(t, {
    user: `alice on #${createHash('sha256').update('alice-secret').digest('hex')}`,
    kafka: {
      config: {
        listeners: 'PLAINTEXT://:0,SASL_PLAINTEXT://:0',
        'connections.max.reauth.ms': 60_000,
        'connection.failed.authentication.delay.ms': 0,
      },
    },
  })
  const lines: string[] = []
  for (const dialog of saslDialogs) {
    const address = server.kafka.listeners[dialog.isPlaintext ? 'PLAINTEXT' : 'SASL_PLAINTEXT']
    const client = await WireClient.connect(address)
    try {
      lines.push(...(await hold(dialog, client)), '')
    } finally {
      client.close()
    }
  }
  if (process.env['UPDATE'] === '1') writeFileSync(EXPECTED, lines.join('\n'))
  assert.deepEqual(lines, readFileSync(EXPECTED, 'utf8').split('\n'))
})
