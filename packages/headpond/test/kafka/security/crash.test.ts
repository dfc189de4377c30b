/** Credentials that were acknowledged are there after the process has been killed, and none is there by half. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ServerProcess } from '../../server-process.ts'
import { WireClient } from '../wire-client.ts'
import { Dialog } from './dialogs.ts'
import { logIn } from './login.ts'

const ROUNDS = 3

test('a credential outlives kill -9 from its acknowledgement on', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-scram-crash-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const configuration = join(directory, 'headpond.conf')
  writeFileSync(configuration, 'user admin on >admin-secret\nkafka.listeners SASL_PLAINTEXT://:0\n')
  for (let round = 0; round < ROUNDS; round++) {
    const { child, kafkaAddress: address } = await ServerProcess.startIn(directory, configuration)
    try {
      for (let earlier = 0; earlier < round; earlier++) {
        for (const [mechanism, name] of [
          ['SCRAM-SHA-256', `a${earlier}`],
          ['SCRAM-SHA-512', `b${earlier}`],
        ] as const) {
          const client = await WireClient.connect(address)
          const { errorCode } = await logIn(client, mechanism, name, `secret ${earlier}`)
          client.close()
          assert.equal(errorCode, 0, `${name} in round ${round}`)
        }
      }
      const admin = await WireClient.connect(address)
      assert.equal((await logIn(admin, 'SCRAM-SHA-512', 'admin', 'admin-secret')).errorCode, 0)
      const dialog = new Dialog(admin)
      const password = `secret ${round}`
      await dialog.alter(
        'set',
        [],
        [
          { name: `a${round}`, mechanism: 1, iterations: 4096, password },
          { name: `b${round}`, mechanism: 2, iterations: 4096, password },
        ],
      )
      assert.deepEqual(dialog.lines, [`set: a${round} NONE; b${round} NONE`])
      admin.close()
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
})
