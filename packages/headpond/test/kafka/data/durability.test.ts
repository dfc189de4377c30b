import assert from 'node:assert/strict'
import fs, { mkdtempSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { batchOf, type Produced, startLogServer } from './log-server.ts'

/** From now on syncs of files wait until the test lets them go on. */
class HeldSyncs {
  readonly #original = fs.fsync
  readonly #waiting: (() => void)[] = []
  #onAsked = () => {}

  constructor() {
    const hold = (fd: number, done: (error: NodeJS.ErrnoException | null) => void) => {
      this.#waiting.push(() => this.#original(fd, done))
      this.#onAsked()
    }
    fs.fsync = hold as typeof fs.fsync
    syncBuiltinESMExports()
  }

  /** Resolves when somebody waits for a sync. */
  async asked(): Promise<void> {
    while (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onAsked = resolve
      })
    }
  }

  /** They go on, and no other one waits. */
  release(): void {
    fs.fsync = this.#original
    syncBuiltinESMExports()
    for (const sync of this.#waiting.splice(0)) sync()
  }
}

for (const acks of [-1, 1]) {
  test(`flush.messages=1: a producer with acks ${acks} is answered after the sync, and nobody else waits for it`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'headpond-durability-'))
    const { logs, partition, connect } = await startLogServer(t, {
      directives: { dir: directory },
      topics: { safe: { partitionCount: 1, config: new Map([['flush.messages', '1']]) }, quick: 1 },
    })
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    await logs.written()
    const [careful, other] = [await connect(), await connect()]
    // The names of a new file are synced too: with the first record.
    assert.equal((await careful.produce('safe', batchOf(['first']))).errorCode, 0)

    const syncs = new HeldSyncs()
    let isAnswered = false
    let answer: Promise<Produced>
    try {
      answer = careful.produce('safe', batchOf(['second']), { acks }).then((produced) => {
        isAnswered = true
        return produced
      })
      await syncs.asked()
      for (let count = 0; count < 5; count++) {
        assert.equal((await other.produce('quick', batchOf(['at once']), { acks })).errorCode, 0)
      }
      // Nor does anybody read what a loss of power might take.
      assert.deepEqual([(await other.fetch('safe', { offset: 1 })).records?.length ?? 0, isAnswered], [0, false])
      assert.deepEqual([partition('safe').highWatermark, partition('safe').recoveryPoint], [1, 1])
    } finally {
      syncs.release()
    }
    const produced = await answer
    assert.deepEqual([produced.errorCode, produced.baseOffset], [0, 1])
    assert.deepEqual([partition('safe').highWatermark, partition('safe').recoveryPoint], [2, 2])
  })
}
