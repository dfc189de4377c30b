import type { Positions } from '../positions.ts'
import type { Win } from '../win.ts'
import type { Database, Queries, Row } from './database.ts'

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS wins (
    id TEXT PRIMARY KEY,
    player TEXT NOT NULL,
    game TEXT NOT NULL,
    amount_cents BIGINT NOT NULL,
    won_at_ms BIGINT NOT NULL
  )`,
  'CREATE INDEX IF NOT EXISTS wins_by_time ON wins (won_at_ms)',
  'CREATE INDEX IF NOT EXISTS wins_by_player ON wins (player, won_at_ms)',
  `CREATE TABLE IF NOT EXISTS positions (
    topic_id TEXT NOT NULL,
    partition_number INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,
    PRIMARY KEY (topic_id, partition_number)
  )`,
]

export interface Totals {
  readonly winCount: number
  readonly amountCents: number
}

/**
 * The wins, and how far they have been read, in one database: both change in one transaction, so that a win is stored once,
 * whatever is killed when.
 */
export class WinStore {
  readonly #database: Database

  private constructor(database: Database) {
    this.#database = database
  }

  static async open(database: Database): Promise<WinStore> {
    for (const statement of SCHEMA) await database.run(statement)
    return new WinStore(database)
  }

  /** Of this topic: one of the same name that was made anew begins at the beginning. */
  async positions(topicId: string): Promise<Positions> {
    const rows = await this.#database.run('SELECT partition_number, next_offset FROM positions WHERE topic_id = $1', [
      topicId,
    ])
    return new Map(rows.map((row) => [Number(row['partition_number']), Number(row['next_offset'])]))
  }

  /** Stores wins and the positions behind them. A win that is there already stays as it is. */
  async append(topicId: string, wins: readonly Win[], positions: Positions): Promise<void> {
    await this.#database.transaction(async (queries) => {
      for (const win of wins) await insert(queries, win)
      for (const [partition, next] of positions) {
        // Never back: another process may have gone further.
        await queries.run(
          `INSERT INTO positions (topic_id, partition_number, next_offset) VALUES ($1, $2, $3)
          ON CONFLICT (topic_id, partition_number) DO UPDATE SET next_offset = excluded.next_offset
          WHERE excluded.next_offset > positions.next_offset`,
          [topicId, partition, next],
        )
      }
    })
  }

  /** Forgets everything, so that it is made again from the topic. */
  async clear(): Promise<void> {
    await this.#database.transaction(async (queries) => {
      await queries.run('DELETE FROM wins')
      await queries.run('DELETE FROM positions')
    })
  }

  /** The latest ones first. */
  async latest(countMax: number, player?: string): Promise<Win[]> {
    const order = 'ORDER BY won_at_ms DESC, id LIMIT'
    const rows =
      player === undefined
        ? await this.#database.run(`SELECT * FROM wins ${order} $1`, [countMax])
        : await this.#database.run(`SELECT * FROM wins WHERE player = $1 ${order} $2`, [player, countMax])
    return rows.map(toWin)
  }

  async totals(): Promise<Totals> {
    const [row] = await this.#database.run(
      'SELECT COUNT(*) AS win_count, COALESCE(SUM(amount_cents), 0) AS amount_cents FROM wins',
    )
    return { winCount: Number(row!['win_count']), amountCents: Number(row!['amount_cents']) }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}

async function insert(queries: Queries, win: Win): Promise<void> {
  await queries.run(
    `INSERT INTO wins (id, player, game, amount_cents, won_at_ms) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO NOTHING`,
    [win.id, win.player, win.game, win.amountCents, win.wonAtMs],
  )
}

/** PostgreSQL gives BIGINT as text. */
function toWin(row: Row): Win {
  return {
    id: String(row['id']),
    player: String(row['player']),
    game: String(row['game']),
    amountCents: Number(row['amount_cents']),
    wonAtMs: Number(row['won_at_ms']),
  }
}
