import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import type { Database, Queries, Row, SqlValue } from './database.ts'
import { takeOwnership } from './single-owner.ts'

/**
 * SQLite, compiled to WebAssembly, on a file that is synced at each commit. One process at a time: its locks are a directory
 * beside the file, which a process that is killed leaves behind, so who owns the file is settled before it is opened.
 */
export async function openSqlite(path: string, patienceMs: number): Promise<Database> {
  mkdirSync(dirname(path), { recursive: true })
  const giveUpOwnership = await takeOwnership(`${path}.owner`, `${path}.lock`, patienceMs)
  const file = new sqlite.Database(path)
  file.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL')

  const queries: Queries = {
    run: async (sql: string, values: readonly SqlValue[] = []) => file.all(sql, [...values]) as Row[],
  }
  // One after the other: a transaction of one caller must not take in what another one does.
  let last: Promise<unknown> = Promise.resolve()
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }

  return {
    run: (sql, values) => inTurn(() => queries.run(sql, values)),
    transaction: (work) =>
      inTurn(async () => {
        file.exec('BEGIN IMMEDIATE')
        try {
          const result = await work(queries)
          file.exec('COMMIT')
          return result
        } catch (error) {
          if (file.inTransaction) file.exec('ROLLBACK')
          throw error
        }
      }),
    close: () =>
      inTurn(async () => {
        file.close()
        giveUpOwnership()
      }),
  }
}
